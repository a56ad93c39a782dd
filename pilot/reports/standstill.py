"""Why an execution does not move: each cause has its one sentence."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import settings
from pilot.engine.status import FINAL, STATE_SCHEMA
from pilot.models.execution import Execution
from pilot.reports.execution_steps import Step
from pilot.reports.questions import Question

STOPPED = {
    "pause": "by a person",
    "pilot_disabled": "as pilot steps are switched off",
    "poisoned": "for a person: its workers died again and again",
    "restored": "for a person: it comes from a backup, and a step that must not be repeated may "
    "have happened since",
}
BEFORE = text("""
SELECT count(*) FROM execution WHERE owner_id = :owner AND status IN ('running', 'cancelling')
""")
# A worker beats many times in that long, and keeps its executions until its lease is over.
HEARD = "heartbeat_at > pilot_now() - interval '5 s'"
SILENT = text(f"""
SELECT extract(epoch FROM pilot_now() - max(heartbeat_at))::int AS seconds,
       EXISTS (SELECT FROM worker
                WHERE stopped_at IS NULL AND NOT draining AND {HEARD}) AS others
  FROM worker WHERE id IN (
    SELECT worker_id FROM execution WHERE id = :id
    UNION SELECT worker_id FROM batch WHERE execution_id = :id AND finished_at IS NULL)
HAVING NOT bool_or(stopped_at IS NULL AND {HEARD})
""")  # noqa: S608 -- a query of ours


@dataclass(frozen=True)
class Held:
    """The innermost execution that lets the others wait, and at which path of the outermost."""

    path: str
    id: UUID
    words: str


@dataclass(frozen=True)
class Queue:
    """What is before an execution that is queued."""

    running: int = 0  # executions of its owner, as far as the reader sees them
    most: int = 1  # that may run at once


@dataclass(frozen=True)
class Silence:
    """How long nobody has heard of the worker that holds an execution."""

    seconds: int
    others: bool  # whether another worker is there, which takes it over

    @property
    def words(self) -> str:
        """How long, and what comes next."""
        then = "another takes it over" if self.others else "none is there, start one"
        return f"its worker has not been heard of for {self.seconds} s: {then}"


@dataclass(frozen=True, kw_only=True)
class Standstill:
    """What tells why an execution does not move."""

    row: Execution
    steps: list[Step]
    worker: str | None  # or how many hold batches of it
    refused: dict[str, Any] | None  # the call that its budget had not enough for
    held_by: Held | None = None  # the execution within it that it waits for
    turn_after: UUID | None = None  # the execution of the same key whose end lets it run
    queue: Queue | None = None
    workers: bool = True  # whether any is there that takes what is due
    silence: Silence | None = None  # of the worker that holds it
    questions: list[Question] = field(default_factory=list)  # what people are asked

    @property
    def why(self) -> str:
        """Why it does not move, in words; of what people are asked in vain, what to do too."""
        if self.row.status == "waiting" and self.unmet:
            return f"{self.waiting_words}. {self.unmet[0].words}"
        return self.waiting_words or self._ended_words or "nothing holds it"

    @property
    def unmet(self) -> list[Question]:
        """What people are asked in vain."""
        return [one for one in self.questions if one.unmet]

    @property
    def payer(self) -> str | None:
        """The execution whose budget had not enough, if it is not its own."""
        found: str | None = (self.refused or {}).get("payer")
        return found

    @property
    def waiting_words(self) -> str:
        """What an execution that does not move waits for; empty for one that does."""
        row = self.row
        if row.status in {"budget_paused", "paused", "needs_attention"}:
            return self._stopped_words
        if row.status == "queued":
            return self._queued_words
        if self.silence is not None:
            return self.silence.words
        if row.status == "cancelling":
            undoes = row.compensation == "begun"
            return "until its finished steps are undone" if undoes else "until its steps have ended"
        if row.status == "running":
            return self._running_words
        return self._waiting_words if row.status == "waiting" else ""

    @property
    def _running_words(self) -> str:
        if self.row.pause_requested_at is not None:
            return "pauses at the next step"
        return "" if self.worker is not None else "for a worker that takes its items"

    @property
    def _waiting_words(self) -> str:
        waits = [step for step in self.steps if step.wait_kind]
        if not waits:
            return ""
        causes = {one.path: one.awaited for one in self.questions}
        causes |= {self.held_by.path: self.held_by.words} if self.held_by else {}
        first = [*(one.path for one in self.unmet), *([self.held_by.path] if self.held_by else [])]
        step = next((one for path in first for one in waits if one.path == path), waits[0])
        words = ": ".join(filter(None, [step.name, causes.get(step.path, step.awaited)]))
        return f"{words}; {self._worker_words}" if step.due else words

    @property
    def _worker_words(self) -> str:
        return "for a worker" if self.workers else "for a worker: none is there, start one"

    @property
    def _stopped_words(self) -> str:
        row = self.row
        if row.status == "budget_paused":
            whose = f"the budget of execution {self.payer}" if self.payer else "its budget"
            return f"until {whose} is raised"
        if row.held_by_parent:
            return f"as execution {row.parent_id} is, whose step started it"
        if row.status_reason == "unknown_outcome":
            return f"for an answer: did {self._unknown} happen?"
        return STOPPED.get(row.status_reason or "", row.status_reason or "")

    @property
    def _queued_words(self) -> str:
        row, queue = self.row, self.queue or Queue()
        if row.state_schema > STATE_SCHEMA:
            return "for a newer Pilot: another one wrote it"
        if self.turn_after is not None:
            key = f" of the same key {row.concurrency_key}" if row.concurrency_key else ""
            return f"for the end of execution {self.turn_after}{key}"
        if queue.running >= queue.most:
            return (
                f"for a place: its owner may have {queue.most} running at once "
                "(pilot_max_running_per_owner), and all are taken"
            )
        return self._worker_words

    @property
    def _ended_words(self) -> str:
        """What is left to say of one that has ended otherwise than it should; else empty."""
        row = self.row
        if row.status not in FINAL:
            return ""
        if row.status_reason == "unknown_outcome":
            return f"nobody said whether {self._unknown} happened"
        return str((row.error or {}).get("message") or "").removesuffix(".")

    @property
    def _unknown(self) -> str:
        """The steps of which nobody knows whether they happened."""
        return _both(one.name for one in self.steps if one.status == "unknown") or "the step"


def queue(session: Session, row: Execution) -> Queue | None:
    """Return what is before an execution, if it is queued."""
    if row.status != "queued":
        return None
    running = session.scalar(BEFORE, {"owner": row.owner_id}) or 0
    return Queue(running, int(str(settings.value(session, "pilot_max_running_per_owner"))))


def silence(session: Session, row: Execution) -> Silence | None:
    """Return how long the worker of an execution was silent, if that is longer than it may be."""
    if row.status not in {"running", "cancelling"}:
        return None
    found = session.execute(SILENT, {"id": row.id}).one_or_none()
    return Silence(found.seconds, found.others) if found is not None and found.seconds else None


def _both(names: Iterable[str]) -> str:
    """Return names as words, each once."""
    *first, last = dict.fromkeys(names) or [""]
    return f"{', '.join(first)} and {last}" if first else last
