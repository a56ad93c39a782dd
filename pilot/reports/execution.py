"""One execution: its document, every step with every attempt, waits, events, audit."""

from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine import steps as types
from pilot.engine.language import concurrency
from pilot.engine.life import executions
from pilot.engine.life.kept import KEPT
from pilot.engine.status import FINAL
from pilot.models.agent import WorkflowVersion
from pilot.models.execution import Execution
from pilot.models.worker import WORKER_LIVES
from pilot.reports import calls, questions, standstill
from pilot.reports import execution_steps as steps
from pilot.reports.calls import Calls
from pilot.reports.execution_steps import Step
from pilot.reports.standstill import Held, Standstill

SHOWN_EVENTS = 500


@dataclass(frozen=True, kw_only=True)
class Shown(Standstill):
    """Everything the page of an execution shows."""

    document: dict[str, Any]
    started_by: str
    newest_version: int | None  # of the agent; None: the agent is gone
    question: tuple[str, str] | None  # what people are asked now: words and address
    calls: Calls  # to models
    reused: Any  # from where it was forked: {steps, ms, usd, unpriced, whole}; None: it is no fork
    forks: list[UUID]
    seq: int = field(default=0)

    @property
    def final(self) -> bool:
        """Whether nothing will happen any more by itself."""
        return self.row.status in FINAL

    @property
    def done(self) -> int:
        """How many steps need nothing more."""
        over = {"completed", "skipped"}
        return sum(one.passed_by or one.status in over for one in self.steps if one.written)

    @property
    def planned(self) -> int:
        """How many steps its workflow has."""
        return sum(bool(one.written) for one in self.steps)

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
        return sum(one.working_ms for one in self.steps if one.type not in WAITING_TYPES)

    @property
    def is_older(self) -> bool:
        """Whether its agent has a newer version of the workflow that it runs."""
        number, newest = self.row.version_number, self.newest_version
        runs_it = number is not None and self.row.document is None
        return runs_it and newest is not None and newest > (number or 0)

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


RUNS = {
    "pilot_steps": "its pilot steps",
    "inline": "steps of its parent's workflow",
    "no_pilot_steps": "one model step: the agent has no pilot steps",
    "override": "one model step: it was started so",
    "pilot_disabled": "one model step: pilot steps were switched off",
}
CONTAINERS = [
    name
    for name in types.names()
    if hasattr(types.load(name), "BODIES") or hasattr(types.load(name), "TURNS")
]
CENT = Decimal("0.01")
FACTS = [
    "id",
    "session_id",
    "agent_id",
    "agent_name",
    "forked_from",
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
HELD_BY = text("""
SELECT w.path, c.id FROM wait w JOIN execution c ON c.id = (w.asked ->> 'execution_id')::uuid
 WHERE w.execution_id = :id AND w.kind = 'child' AND w.consumed_at IS NULL
   AND c.finished_at IS NULL
 ORDER BY c.status NOT IN ('paused', 'budget_paused', 'needs_attention'), c.id LIMIT 1
""")
QUESTION = text(
    "SELECT id, kind FROM approval WHERE execution_id = :id AND decided_at IS NULL "
    "ORDER BY requested_at LIMIT 1"
)
BATCHES = text("""
SELECT count(DISTINCT worker_id) AS workers,
       count(*) FILTER (WHERE worker_id IS NULL) AS waiting
  FROM batch WHERE execution_id = :id AND finished_at IS NULL
""")
WORKER = text("SELECT host || ':' || pid FROM worker WHERE id = :id")
EVENTS = text("""
SELECT seq, at, kind, path, data FROM event
 WHERE execution_id = :id AND seq > :after ORDER BY seq LIMIT :most
""")
AROUND = text(f"""
SELECT {WORKER_LIVES} AS workers,
       (SELECT name FROM app_user WHERE id = :person) AS started_by,
       (SELECT version_number FROM agent WHERE id = :agent AND deleted_at IS NULL) AS newest,
       ARRAY(SELECT id FROM execution WHERE forked_from = :id ORDER BY id LIMIT 20) AS forks
""")  # noqa: S608 -- a query of ours
# Of containers only what is inside counts as time. `whole`: no call of those executions is deleted.
REUSED = text(f"""{KEPT}
SELECT count(*) AS steps, coalesce(sum(usd), 0) AS usd, coalesce(sum(unpriced), 0) AS unpriced,
       coalesce(sum(ms) FILTER (WHERE type <> ALL (cast(:containers AS text[]))), 0)::int8 AS ms,
       (SELECT coalesce(bool_and(
                 o.cost_usd <= there.usd AND o.unpriced_calls <= there.unpriced), true)
          FROM execution o, LATERAL (
            SELECT coalesce(sum(c.cost), 0) AS usd,
                   count(*) FILTER (WHERE c.cost IS NULL) AS unpriced
              FROM call c WHERE c.execution_id = o.id) AS there
         WHERE o.id IN (SELECT reused_from FROM kept)) AS whole
  FROM kept WHERE reused_from IS NOT NULL AND status NOT IN ('superseded', 'replaced')
""")  # noqa: S608 -- of constants
REFUSED = text("""
SELECT data FROM event WHERE execution_id = :id AND kind = 'execution'
   AND data ->> 'status' = 'budget_paused' ORDER BY seq DESC LIMIT 1
""")


def shown(session: Session, execution_id: UUID, path: str | None = None) -> Shown:
    """Return an execution with its steps; of rounds the failed, the open and the one at `path`.

    Raises:
        NotFoundError: absent, or somebody else's.
    """
    row = executions.find(session, execution_id)
    version = session.get(WorkflowVersion, row.version_id) if row.version_id else None
    document = row.document or (version.document if version is not None else None) or {}
    ids = {"id": row.id, "person": row.started_by, "agent": row.agent_id}
    around = session.execute(AROUND, ids).one()
    return Shown(
        row=row,
        document=document,
        started_by=around.started_by or "somebody who is gone",
        newest_version=around.newest,
        steps=steps.recorded(session, row.id, document, path, is_over=row.status == "completed"),
        question=_question(session, row.id),
        worker=_worker(session, row),
        calls=calls.of_execution(session, row),
        refused=_refused(session, row),
        held_by=_held_by(session, row),
        questions=questions.of_execution(session, row.id),
        queue=standstill.queue(session, row),
        workers=around.workers,
        silence=standstill.silence(session, row),
        turn_after=ahead.id if (ahead := concurrency.awaited(session, row)) else None,
        reused=_reused(session, row),
        forks=around.forks,
        seq=row.event_seq,
    )


def _worker(session: Session, row: Execution) -> str | None:
    """Return who holds an execution: a worker, or several that hold batches of its items."""
    if row.worker_id is not None:
        found: str | None = session.scalar(WORKER, {"id": row.worker_id})
        return found
    if row.status not in {"running", "cancelling"}:
        return None
    held = session.execute(BATCHES, {"id": row.id}).one()
    if not held.workers:
        return None
    more = f", {held.waiting} more wait" if held.waiting else ""
    return f"{held.workers} at batches of its items{more}"


def _question(session: Session, execution_id: UUID) -> tuple[str, str] | None:
    found = session.execute(QUESTION, {"id": execution_id}).one_or_none()
    if found is None:
        return None
    is_form = found.kind == "form"
    return ("Fill in", f"/forms/{found.id}") if is_form else ("Decide", f"/approvals/{found.id}")


def _held_by(session: Session, row: Execution) -> Held | None:
    """Return what the execution of a step waits for itself; of several one that rests."""
    if row.status != "waiting":
        return None
    found = session.execute(HELD_BY, {"id": row.id}).one_or_none()
    if found is None:
        return None
    child = shown(session, found.id)
    if child.held_by is not None:
        return Held(found.path, child.held_by.id, child.held_by.words)
    status = child.row.status.replace("_", " ")
    words = f"execution {child.row.id} of {child.row.agent_name}, {status} {child.waiting_words}"
    return Held(found.path, child.row.id, words.rstrip())


def _reused(session: Session, row: Execution) -> Any:
    if row.forked_from is None:
        return None
    return session.execute(REUSED, {"id": row.id, "containers": CONTAINERS}).one()


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
        "cost_with_children_usd": shown.row.spent_usd,
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
        "rounds": step.rounds.counts if step.rounds is not None else None,
    }


def events(session: Session, execution_id: UUID, after: int = 0) -> list[dict[str, Any]]:
    """Return the lines of the timeline after one of them, oldest first."""
    values = {"id": execution_id, "after": after, "most": SHOWN_EVENTS}
    return [dict(row) for row in session.execute(EVENTS, values).mappings()]
