"""What is already recorded of an execution: read once, at claim."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from pilot.engine.acting.blobs import Blob
from pilot.engine.status import StepStatus

_ROUND = re.compile(r"\[(\d+)\](?=/)")


class Attempt(NamedTuple):
    """One recorded attempt at a step."""

    path: str
    attempt: int
    status: StepStatus
    effect: str | None = None
    key: UUID | None = None
    rerun: int = 0
    input: Any = None
    output: Any = None  # or its blob
    error: dict[str, Any] | None = None
    cache_key: str | None = None  # hex: by which its output may be found later


@dataclass(frozen=True)
class WaitRow:
    """A wait that was opened and not yet taken note of."""

    path: str
    kind: str
    opened_at: datetime
    resolved: bool
    resolution: Any


@dataclass
class History:
    """Attempts by path, oldest first, and the waits that are not consumed."""

    attempts: dict[str, list[Attempt]] = field(default_factory=dict)  # without replaced ones
    replaced: dict[str, list[Attempt]] = field(default_factory=dict)  # and those before them
    waits: dict[str, WaitRow] = field(default_factory=dict)

    def latest(self, path: str) -> Attempt | None:
        """Return the newest attempt at a path."""
        found = self.attempts.get(path)
        return found[-1] if found else None

    def recovered(self, path: str) -> bool:
        """Whether other steps took the place of a step that failed."""
        last = [one.status for one in self.attempts.get(path, [])[-2:]]
        return last == [StepStatus.FAILED, StepStatus.COMPLETED]

    def last_failure(self, path: str) -> Attempt | None:
        """Return the failed attempt that steps answered, or would."""
        known = reversed(self.attempts.get(path, ()))
        return next((one for one in known if one.status is StepStatus.FAILED), None)

    def next_number(self, path: str) -> int:
        """Return the number of the next attempt at a path, from 1."""
        known = self.attempts.get(path) or self.replaced.get(path)
        return known[-1].attempt + 1 if known else 1

    def reruns(self, path: str) -> int:
        """Count how often a step was to run again as if it had never run."""
        before = self.replaced.get(path)
        return sum(one.status is StepStatus.REPLACED for one in before) if before else 0

    def decided(self, path: str) -> Any:
        """Return what a container last decided, or None."""
        given = (one.input for one in reversed(self.attempts.get(path, [])))
        return next((one for one in given if one is not None), None)

    def failures(self, path: str) -> int:
        """Count failed attempts since the step was last run again on request."""
        count = 0
        for attempt in reversed(self.attempts.get(path, [])):
            if attempt.status is StepStatus.SUPERSEDED:
                break
            held = (attempt.error or {}).get("held")  # it waited through no fault of its own
            count += attempt.status is StepStatus.FAILED and not held
        return count

    def rounds(self, path: str) -> list[int]:
        """Return the numbers of the rounds of a step that were recorded at the last count."""
        return sorted(self._rounds.get(path, ()))

    def begun(self, path: str, index: int) -> bool:
        """Whether a round of a step was begun before the claim."""
        return index in self._rounds.get(path, ())

    def recount(self) -> None:
        """Let `rounds` tell of those too that were begun since the claim."""
        self.__dict__.pop("_rounds", None)

    @cached_property
    def _rounds(self) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for path in self.attempts:
            for one in _ROUND.finditer(path):
                found.setdefault(path[: one.start()], set()).add(int(one[1]))
        return found

    def read(self, attempts: list[Any], waits: list[Any]) -> None:
        """Take in attempts in order, and waits, as the database tells them."""
        for one in attempts:
            self.load(
                Attempt(
                    path=one["path"],
                    attempt=one["attempt"],
                    status=StepStatus(one["status"]),
                    effect=one["effect"],
                    key=UUID(one["key"]) if one["key"] else None,
                    rerun=one["rerun"],
                    input=one["input"],
                    output=Blob(one["blob"], one["output"]) if one["blob"] else one["output"],
                    error=one["error"],
                )
            )
        for one in waits:
            self.waits[one["path"]] = WaitRow(
                path=one["path"],
                kind=one["kind"],
                opened_at=datetime.fromisoformat(one["opened_at"]),
                resolved=one["resolved"],
                resolution=one["resolution"],
            )

    def wait(self, path: str, kind: str, opened_at: datetime) -> None:
        """Take note of a wait that was just written."""
        self.waits[path] = WaitRow(path, kind, opened_at, resolved=False, resolution=None)

    def load(self, attempt: Attempt) -> None:
        """Take in the next attempt that is recorded of a path: a replaced one ends what was."""
        rows = self.attempts.setdefault(attempt.path, [])
        rows.append(attempt)
        if attempt.status is StepStatus.REPLACED:
            self.replaced.setdefault(attempt.path, []).extend(self.attempts.pop(attempt.path))

    def add(self, attempt: Attempt) -> None:
        """Take note of an attempt that was just written; the same number replaces."""
        rows = self.attempts.setdefault(attempt.path, [])
        if rows and rows[-1].attempt == attempt.attempt:
            rows.pop()
        rows.append(attempt)


@dataclass(frozen=True)
class Batch:
    """Items of a scatter that this worker holds, and nothing else of their execution."""

    id: UUID
    path: str  # of the scatter
    first: int
    last: int
    lanes: int  # items at the same time
    may_fail: int  # items, over all batches of the scatter
    failed: int  # of this batch, as far as it was noted before


@dataclass(frozen=True)
class Held:
    """An execution that this worker holds: its row's facts and its history."""

    id: UUID
    owner_id: UUID
    fence: int
    moment: datetime  # the database's clock when it was read
    facts: Mapping[str, Any]
    history: History
    batch: Batch | None = None  # all that it holds of the execution, if not the whole


def held(row: tuple[UUID, datetime, dict[str, Any], Any, Any]) -> Held:
    """Make a held execution of one row of the database function `load_executions`."""
    held_id, moment, facts, attempts, waits = row
    batch = dict(facts["batch"] or {})
    execution_id = UUID(batch.pop("execution_id", str(held_id)))
    history = History()
    history.read(attempts or [], waits or [])
    return Held(
        execution_id,
        UUID(facts["owner_id"]),
        facts["fence"],
        moment,
        facts,
        history,
        Batch(**batch | {"id": held_id}) if batch else None,
    )
