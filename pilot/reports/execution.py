"""One execution: its document, every step with every attempt, waits, events, audit."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine import blobs, executions
from pilot.engine.outline import ON_ERROR, Node, outline, recorded_path
from pilot.engine.status import FINAL
from pilot.models.agent import WorkflowVersion
from pilot.models.execution import Execution
from pilot.models.user import User
from pilot.reports import calls
from pilot.reports.calls import Calls

SHOWN_EVENTS = 500


@dataclass(frozen=True)
class Attempt:
    """One attempt at a step."""

    number: int
    status: str
    effect: str | None
    key: UUID | None
    input: Any
    output: Any  # of a large one its digest
    blob: str | None  # and its hash
    error: dict[str, Any] | None
    notes: list[str]
    worker: str | None  # host and process of the worker that ran it
    started_at: datetime
    finished_at: datetime | None
    duration_ms: int | None


@dataclass(frozen=True)
class Step:
    """One row of the timeline: a step of the document, whether it ran or not."""

    path: str
    id: str
    name: str
    type: str
    depth: int  # 0 at the top
    written: dict[str, Any]  # as it stands in the document
    attempts: list[Attempt]
    waits_until: datetime | None = None  # the time of its open wait
    wait_kind: str | None = None
    waits_for: str | None = None  # the name of the event

    @property
    def status(self) -> str:
        """Where the step stands: as its newest attempt, or waiting for the next."""
        if not self.attempts:
            return "pending"
        newest = self.attempts[-1].status
        if self.wait_kind == "retry":
            return "retrying"
        return "pending" if newest in {"superseded", "interrupted"} else newest

    @property
    def awaited(self) -> str:
        """What it waits for besides time, in words."""
        if self.wait_kind == "event" and self.waits_until is not None:
            return f"the event {self.waits_for}, until {self.waits_until:%Y-%m-%d %H:%M} UTC"
        return {"approval": "a decision", "form": "a form"}.get(self.wait_kind or "", "")

    @property
    def duration_ms(self) -> int | None:
        """How long its attempts took together."""
        known = [one.duration_ms for one in self.attempts if one.duration_ms is not None]
        return sum(known) if known else None


@dataclass(frozen=True)
class Shown:
    """Everything the page of an execution shows."""

    row: Execution
    document: dict[str, Any]
    started_by: str
    newest_version: int | None  # of the agent; None: the agent is gone
    steps: list[Step]
    question: tuple[str, str] | None  # what people are asked now: words and address
    worker: str | None
    calls: Calls  # to models
    refused: dict[str, Any] | None  # the call that its budget had not enough for
    seq: int = field(default=0)

    @property
    def final(self) -> bool:
        """Whether nothing will happen any more by itself."""
        return self.row.status in FINAL

    @property
    def done(self) -> int:
        """How many steps need nothing more."""
        return sum(one.status in {"completed", "skipped"} for one in self.steps)

    @property
    def duration_ms(self) -> int | None:
        """From the first claim to the end."""
        row = self.row
        if row.started_at is None or row.finished_at is None:
            return None
        return round((row.finished_at - row.started_at).total_seconds() * 1000)

    @property
    def next_budget(self) -> Decimal | None:
        """What to raise the limit to: twice of it, or what the refused call needs twice over."""
        limit = self.row.budget_usd
        if limit is None:
            return None
        needs = Decimal((self.refused or {}).get("needs_usd", "0"))
        return max(2 * limit, self.row.spent_usd + 2 * needs).quantize(CENT, ROUND_UP)

    @property
    def working_ms(self) -> int:
        """What the steps took, waiting left out."""
        return sum(one.duration_ms or 0 for one in self.steps if one.type not in WAITING_TYPES)

    @property
    def version_words(self) -> str:
        """Which version runs, and whether it is the newest."""
        number = self.row.version_number
        if number is None:
            return "none"
        if self.newest_version is None:
            return f"{number}, the agent is gone"
        return f"{number}, newer exists" if self.newest_version > number else str(number)

    @property
    def runs_words(self) -> str:
        """Which document runs, and why."""
        return RUNS[self.row.runs_reason]

    @property
    def waiting_words(self) -> str:
        """What an execution that does not move waits for; empty for one that does."""
        row = self.row
        if row.status == "budget_paused":
            return "until its budget is raised"
        if row.status in {"paused", "needs_attention"}:
            return STOPPED.get(row.status_reason or "", row.status_reason or "")
        if row.status == "queued":
            return "for a worker"
        if row.status == "running" and row.pause_requested_at is not None:
            return "pauses at the next step"
        waits = [step for step in self.steps if step.wait_kind]
        if row.status != "waiting" or not waits:
            return ""
        step = waits[0]
        return ": ".join(filter(None, [step.name, step.awaited]))

    @property
    def why(self) -> str:
        """Why it does not move, in words."""
        return self.waiting_words or self.row.status_reason or "nothing holds it"


RUNS = {
    "pilot_steps": "its pilot steps",
    "no_pilot_steps": "one model step: the agent has no pilot steps",
    "override": "one model step: it was started so",
    "pilot_disabled": "one model step: pilot steps were switched off",
}
STOPPED = {
    "pause": "by a person",
    "pilot_disabled": "pilot steps are switched off",
    "unknown_outcome": "for an answer: did the step happen?",
    "poisoned": "for a person: its workers died again and again",
    "restored": "for a person: it comes from a backup, and a step that must not be repeated may "
    "have happened since",
}
CENT = Decimal("0.01")
FACTS = [
    "id",
    "session_id",
    "agent_id",
    "agent_name",
    "version_number",
    "status",
    "status_reason",
    "runs",
    "runs_reason",
    "mode",
    "trigger",
    "inputs",
    "output",
    "error",
    "budget_usd",
    "reserved_usd",
    "spent_usd",
    "budget_tokens",
    "spent_tokens",
    "created_at",
    "started_at",
    "finished_at",
    "deadline_at",
]
WAITING_TYPES = frozenset({"human_approval", "delay", "wait_for_event", "form"})
ATTEMPTS = text("""
SELECT s.path, s.attempt, s.type, s.status, s.effect, s.key, s.input, s.output, s.error, s.notes,
       encode(s.output_blob, 'hex') AS blob,
       s.started_at, s.finished_at, s.duration_ms, w.host || ':' || w.pid AS worker
  FROM step_execution s LEFT JOIN worker w ON w.id = s.worker_id
 WHERE s.execution_id = :id ORDER BY s.path, s.attempt
""")
WAITS = text(
    "SELECT path, kind, wake_at, event FROM wait WHERE execution_id = :id AND consumed_at IS NULL"
)
QUESTION = text(
    "SELECT id, kind FROM approval WHERE execution_id = :id AND decided_at IS NULL "
    "ORDER BY requested_at LIMIT 1"
)
WORKER = text("SELECT host || ':' || pid FROM worker WHERE id = :id")
EVENTS = text("""
SELECT seq, at, kind, path, data FROM event
 WHERE execution_id = :id AND seq > :after ORDER BY seq LIMIT :most
""")
REFUSED = text("""
SELECT data FROM event WHERE execution_id = :id AND kind = 'execution'
   AND data ->> 'status' = 'budget_paused' ORDER BY seq DESC LIMIT 1
""")
AUDIT = text("SELECT seq, at, record FROM audit WHERE chain = :id ORDER BY seq")


def shown(session: Session, execution_id: UUID) -> Shown:
    """Return an execution with its steps.

    Raises:
        NotFoundError: absent, or somebody else's.
    """
    row = executions.find(session, execution_id)
    version = session.get(WorkflowVersion, row.version_id) if row.version_id else None
    document = row.document or (version.document if version is not None else None) or {}
    person = session.get(User, row.started_by)
    newest = session.scalar(
        text("SELECT version_number FROM agent WHERE id = :a AND deleted_at IS NULL"),
        {"a": row.agent_id},
    )
    worker = session.scalar(WORKER, {"id": row.worker_id}) if row.worker_id else None
    return Shown(
        row=row,
        document=document,
        started_by=person.name if person is not None else "somebody who is gone",
        newest_version=newest,
        steps=_steps(session, row.id, document),
        question=_question(session, row.id),
        worker=worker,
        calls=calls.of_execution(session, row.id),
        refused=_refused(session, row),
        seq=row.event_seq,
    )


def _question(session: Session, execution_id: UUID) -> tuple[str, str] | None:
    found = session.execute(QUESTION, {"id": execution_id}).one_or_none()
    if found is None:
        return None
    is_form = found.kind == "form"
    return ("Fill in", f"/forms/{found.id}") if is_form else ("Decide", f"/approvals/{found.id}")


def _refused(session: Session, row: Execution) -> dict[str, Any] | None:
    """Return what stopped an execution that its budget paused: the newest refusal."""
    if row.status != "budget_paused":
        return None
    found: dict[str, Any] | None = session.scalar(REFUSED, {"id": row.id})
    return found


def facts(shown: Shown) -> dict[str, Any]:
    """Return what programs read of an execution: the `.json` twin of its page."""
    return {name: getattr(shown.row, name) for name in FACTS} | {
        "started_by": shown.started_by,
        "duration_ms": shown.duration_ms,
        "event_seq": shown.seq,
        **calls.facts(shown.calls),
        "steps": [_step_facts(step) for step in shown.steps],
    }


def _step_facts(step: Step) -> dict[str, Any]:
    return {
        "path": step.path,
        "name": step.name,
        "type": step.type,
        "status": step.status,
        "duration_ms": step.duration_ms,
        "attempts": step.attempts,
    }


def events(session: Session, execution_id: UUID, after: int = 0) -> list[dict[str, Any]]:
    """Return the lines of the timeline after one of them, oldest first."""
    values = {"id": execution_id, "after": after, "most": SHOWN_EVENTS}
    return [dict(row) for row in session.execute(EVENTS, values).mappings()]


def audit_lines(session: Session, execution_id: UUID) -> list[dict[str, Any]]:
    """Return the execution's audit chain, oldest first."""
    rows = session.execute(AUDIT, {"id": str(execution_id)}).mappings()
    return [dict(row) for row in rows]


@dataclass(frozen=True)
class _Recorded:
    """What the rows say about steps, by path."""

    attempts: dict[str, list[Attempt]]
    types: dict[str, str]
    waits: dict[str, Any]

    def step(self, path: str, step_id: str, kind: str, written: dict[str, Any]) -> Step:
        """Return the timeline's row of a step."""
        name = written.get("name")
        wait = self.waits.get(path)
        return Step(
            path=path,
            id=step_id,
            name=name if isinstance(name, str) and name else step_id,
            type=kind,
            depth=path.count("/") - path.count(f"/{ON_ERROR}/"),
            written=written,
            attempts=self.attempts.get(path, []),
            waits_until=wait.wake_at if wait is not None else None,
            wait_kind=wait.kind if wait is not None else None,
            waits_for=wait.event if wait is not None else None,
        )


def _steps(session: Session, execution_id: UUID, document: dict[str, Any]) -> list[Step]:
    recorded = _Recorded(defaultdict(list), {}, {})
    for row in session.execute(ATTEMPTS, {"id": execution_id}):
        recorded.types[row.path] = row.type
        recorded.attempts[row.path].append(_attempt(row))
    for row in session.execute(WAITS, {"id": execution_id}):
        recorded.waits[row.path] = row
    return list(_rows(document, recorded))


def _attempt(row: Any) -> Attempt:
    return Attempt(
        number=row.attempt,
        status=row.status,
        effect=row.effect,
        key=row.key,
        input=blobs.shown(row.input),
        output=row.output,
        blob=row.blob,
        error=row.error,
        notes=row.notes or [],
        worker=row.worker,
        started_at=row.started_at,
        finished_at=row.finished_at,
        duration_ms=row.duration_ms,
    )


def _rows(document: dict[str, Any], recorded: _Recorded) -> Iterator[Step]:
    """Yield a row for each step of the document, below it what ran inside and is not written."""
    known = {recorded_path(node): node for node in outline(document)}
    unwritten: dict[str, list[str]] = defaultdict(list)
    begun = sorted(recorded.attempts, key=lambda one: recorded.attempts[one][0].started_at)
    for path in begun:
        if path not in known:
            unwritten[_owner(path, known)].append(path)
    for path, node in known.items():
        yield recorded.step(path, node.id, node.type, node.step)
        for inner in unwritten[path]:
            last = inner.rpartition("/")[2]
            yield recorded.step(inner, last, recorded.types[inner], {})


def _owner(path: str, known: dict[str, Node]) -> str:
    """Return the nearest written step around an unwritten one."""
    while path and path not in known:
        path = path.rpartition("/")[0]
    return path
