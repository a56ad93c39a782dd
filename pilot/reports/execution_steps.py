"""The steps of one execution as its rows tell them: attempts, waits, rounds."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine.acting import blobs
from pilot.engine.workflow.outline import AFTER, UNDO, Node, outline, recorded_path
from pilot.reports import rounds
from pilot.reports.rounds import INSIDE, Rounds

WAITED_FOR = {"approval": "a decision", "form": "a form", "child": "an execution"}
ROUND = re.compile(r"\[\d+\]")
PART = re.compile(r"(call|again|row)\[(\d+)\]")
PARTS = {"call": "Call {}", "again": "Call {}, asked again", "row": "Row {}"}  # of a batch
# A simulated wait is over sooner than it says.
ENDED = "greatest(s.finished_at, s.started_at + make_interval(secs => s.duration_ms / 1000.0))"
ATTEMPTS = text(f"""
SELECT s.path, s.attempt, s.type, s.status, s.effect, s.key, s.input, s.output, s.error, s.notes,
       encode(s.output_blob, 'hex') AS blob,
       s.started_at, {ENDED} AS finished_at, s.duration_ms, s.reused_from, s.cached,
       w.host || ':' || w.pid AS worker
  FROM step_execution s LEFT JOIN worker w ON w.id = s.worker_id
 WHERE s.execution_id = :id AND (NOT {INSIDE} OR s.path = ANY (cast(:named AS text[])))
 ORDER BY s.path, s.attempt
""")  # noqa: S608 -- constants
WAITS = text(
    "SELECT path, kind, wake_at, wake_at <= pilot_now() AS due, "
    "coalesce(event, asked ->> 'label') AS event FROM wait "
    "WHERE execution_id = :id AND consumed_at IS NULL"
)


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
    working_ms: int | None  # without its waits
    reused_from: UUID | None  # the execution in which it ran, if not this one
    cached: dict[str, Any] | None = None  # of an output that was found: whence, what that saved

    @property
    def duration_ms(self) -> int | None:
        """How long it took, its waits too; None: it goes on, or it ran in another execution."""
        if self.reused_from is not None or self.finished_at is None:
            return None
        return round((self.finished_at - self.started_at) / timedelta(milliseconds=1))


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
    due: bool = False  # that time is past: only a worker is missing
    waits_for: str | None = None  # the name of the event, the label of the connection
    rounds: Rounds | None = None  # of a step that runs once for each item
    repeatable: bool = True  # by itself: it stands in the document, maybe in a round
    passed_by: bool = False  # what it stands in is over without it, as a branch that was not taken

    @property
    def status(self) -> str:
        """Where the step stands: as its newest attempt, or waiting for the next."""
        if self.rounds is not None:
            return self.rounds.status
        if not self.attempts:
            return "pending"
        newest = self.attempts[-1].status
        if self.wait_kind == "retry":
            return "retrying"
        if self.wait_kind in {"turn", "reconnect"}:
            return "waiting"
        return "pending" if newest in {"superseded", "replaced", "interrupted"} else newest

    @property
    def word(self) -> str:
        """How its status is named: what another execution did is reused."""
        if self.passed_by:
            return "not_run"
        newest = self.attempts[-1] if self.attempts else None
        reused = newest is not None and (newest.reused_from or newest.cached) is not None
        return "reused" if reused and self.status == "completed" else self.status

    @property
    def awaited(self) -> str:
        """What it waits for, in words; what people are asked is told elsewhere."""
        at, about = self.waits_until, self.waits_for
        if self.wait_kind == "reconnect":
            return f"reconnect {about}" + (f", until {at:%Y-%m-%d %H:%M} UTC" if at else "")
        if at is None or self.wait_kind in WAITED_FOR:
            return WAITED_FOR.get(self.wait_kind or "", "")
        second = f"{at:%Y-%m-%d %H:%M:%S} UTC"
        if self.wait_kind == "retry":
            return self._retry_words(second)
        timed = {
            "turn": f"its turn on {about}, at {second}",
            "event": f"the event {about}, until {at:%Y-%m-%d %H:%M} UTC",
        }
        return timed.get(self.wait_kind or "", f"{'due since' if self.due else 'until'} {second}")

    def _retry_words(self, at: str) -> str:
        """When it is tried again, and why the last attempt was not enough."""
        fault = self.attempts[-1].error if self.attempts else None
        if fault is None:
            return f"its next attempt at {at}"
        message = fault["message"].removesuffix(".")
        if fault.get("held"):  # it could not even begin
            return f"until {at}: {message}"
        return f"its next attempt at {at}, as the last one failed: {message}"

    @property
    def child(self) -> str | None:
        """The execution that it started, by its id."""
        if self.type != "sub_workflow" or not self.attempts:
            return None
        newest = self.attempts[-1]
        found = newest.output or newest.input
        return str(found["execution_id"]) if isinstance(found, dict) else None

    @property
    def duration_ms(self) -> int | None:
        """How long its attempts took together; of rounds, from the first begin to the last end."""
        if self.rounds is not None:
            return self.rounds.duration_ms
        known = [one.duration_ms for one in self.attempts if one.duration_ms is not None]
        return sum(known) if known else None

    @property
    def working_ms(self) -> int:
        """The same without waits: of rounds, that of all together."""
        if self.rounds is not None:
            return self.rounds.working_ms
        return sum(one.working_ms or 0 for one in self.attempts)


@dataclass(frozen=True)
class _Recorded:
    """What the rows say about steps, by path."""

    attempts: dict[str, list[Attempt]]
    types: dict[str, str]
    waits: dict[str, Any]
    rounds: dict[str, Rounds]  # without those of the turns of a model

    def step(
        self,
        path: str,
        step_id: str,
        name: str,
        kind: str,
        written: dict[str, Any],
        *,
        repeatable: bool = True,
    ) -> Step:
        """Return the timeline's row of a step."""
        wait = self.waits.get(path)
        return Step(
            path=path,
            id=step_id,
            name=name,
            type=kind,
            depth=path.count("/") - sum(path.count(f"/{one}/") for one in AFTER),
            written=written,
            attempts=self.attempts.get(path, []),
            waits_until=wait.wake_at if wait is not None else None,
            wait_kind=wait.kind if wait is not None else None,
            due=wait is not None and bool(wait.due),
            waits_for=wait.event if wait is not None else None,
            rounds=self.rounds.get(path),
            repeatable=repeatable,
        )


def recorded(
    session: Session,
    execution_id: UUID,
    document: dict[str, Any],
    path: str | None = None,
    *,
    is_over: bool = False,
) -> list[Step]:
    """Return a row for each step of a document, in its order, below it what ran inside.

    Of an execution that is over, what did not run has been passed by.
    Of rounds only the failed, the open and the one at `path` are rows; all of them are counted.
    """
    nodes = outline(document)
    repeats = rounds.repeats(nodes)
    known = _Recorded(defaultdict(list), {}, {}, rounds.counted(session, execution_id, repeats))
    named = [*rounds.named(session, execution_id, repeats, rounds.parts(nodes)), path or ""]
    values = {"id": execution_id, "repeats": repeats, "named": named}
    for row in session.execute(ATTEMPTS, values):
        known.types[row.path] = row.type
        known.attempts[row.path].append(_attempt(row))
    for row in session.execute(WAITS, {"id": execution_id}):
        known.waits[row.path] = row
    return list(_rows(nodes, known, is_over=is_over))


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
        working_ms=row.duration_ms,
        reused_from=row.reused_from,
        cached=row.cached,
    )


def _rows(nodes: list[Node], recorded: _Recorded, *, is_over: bool) -> Iterator[Step]:
    """Yield a row for each step of the document, below it what ran inside and is not written."""
    known = {recorded_path(node): node for node in nodes}
    unwritten: dict[str, list[str]] = defaultdict(list)
    begun = sorted(recorded.attempts, key=lambda one: recorded.attempts[one][0].started_at)
    for path in begun:
        if path not in known:
            unwritten[_owner(path, known)].append(path)
    over = {"": is_over}
    for path, node in known.items():
        step = recorded.step(path, node.id, node.name, node.type, node.step)
        around = _owner(path.rpartition("/")[0], known)
        left = over[around] and not step.attempts and step.rounds is None
        over[path] = left or step.status in {"completed", "skipped"}
        yield replace(step, passed_by=left)
        for inner in unwritten[path]:
            name, kind = _called(inner, known), recorded.types[inner]
            is_round = ROUND.sub("", inner) in known
            yield recorded.step(inner, inner, name, kind, {}, repeatable=is_round)


def _called(path: str, known: dict[str, Node]) -> str:
    """Return the name of a row: in a round of a written step, with the items it is about."""
    around, _, name = path.rpartition("/")
    written = known.get(ROUND.sub("", path))
    if written is not None:
        items = ", ".join(one[1:-1] for one in ROUND.findall(path))
        return f"{written.name}, item {items}" if items else written.name
    if name == UNDO and around:
        return f"Undo of {_called(around, known)}"
    about = PART.fullmatch(name)
    return PARTS[about[1]].format(about[2]) if about else name


def _owner(path: str, known: dict[str, Node]) -> str:
    """Return the nearest written step around an unwritten one, or the one that it is a round of."""
    while path and path not in known:
        written = ROUND.sub("", path)
        if written in known:
            return written
        path = path.rpartition("/")[0]
    return path
