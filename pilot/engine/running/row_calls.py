"""The calls of an AI step with a batch: each a step of its own, so none is paid for twice.

The first question about some rows stands at `classify/call[1]`, the one about those of them that
it lost at `classify/again[1]`. A row that is lost again has failed: it stands at `classify/row[7]`,
and a retry asks about it alone. Which rows a call has is in its input; the rest is cut when a call
is about to begin, by what the model and the budget have room for then.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeGuard

from pilot.engine.acting import repeating, room, rows
from pilot.engine.acting.outcomes import Enter
from pilot.engine.acting.rows import Ask
from pilot.engine.expressions import Scope
from pilot.engine.language.step_fields import StepFields
from pilot.engine.running import attempts, effects, guards, records, unpacking
from pilot.engine.running.run import Frame, Result, Run
from pilot.engine.status import StepStatus
from pilot.engine.steps import ai_processing
from pilot.errors import ErrorClass, ExpressionError, StepError

OPEN = (StepStatus.WAITING, StepStatus.PENDING)


def is_batched(step: StepFields) -> TypeGuard[ai_processing.Params]:
    """Whether a step asks about rows."""
    return getattr(step, "batch", None) is not None


async def perform(run: Run, step: ai_processing.Params, frame: Frame, scope: Scope) -> Result:
    """Bring a step with a batch as far as it goes now; its own fields are read in `scope`."""
    path = frame.prefix + step.id
    latest = run.history.latest(path)
    asked = latest.input if latest is not None else None
    if asked is None or latest is None or latest.status is not StepStatus.RUNNING:
        outcome = await attempts.decide(run, step, path, scope, asked)
        if not isinstance(outcome, Enter):
            return outcome
        asked = outcome.decided
    at = datetime.fromisoformat(asked["at"])  # a resume sees the same items
    try:
        return await _Calls(run, step, frame, Scope(scope.roots, at, scope.zone), asked).perform()
    except (ExpressionError, StepError) as error:
        return await records.fail(run, step, path, scope, error)


def failed_rows(run: Run, path: str) -> bool:
    """Whether rows of a step failed that was finished all the same."""
    inside = (f"{path}/call[", f"{path}/again[", f"{path}/row[")
    recorded = [one for one in run.history.attempts if one.startswith(inside)]
    return any(run.history.attempts[one][-1].status is StepStatus.FAILED for one in recorded)


class _Calls:
    """One step at work."""

    def __init__(
        self,
        run: Run,
        step: ai_processing.Params,
        frame: Frame,
        scope: Scope,
        asked: dict[str, Any],
    ) -> None:
        """Look at the items as of the moment at which the step was entered.

        Raises:
            ExpressionError: the items cannot be told any more.
            StepError: the same.
        """
        assert step.batch is not None
        self._run, self._step, self._frame = run, step, frame
        self._path = frame.prefix + step.id
        self._context = guards.context(run, self._path, scope)
        self._asked = {name: asked[name] for name in ("prompt", "input", "today")}
        self._items = items = ai_processing.items(step, self._context)
        self._answers: dict[int, Any] = {}
        self._errors: dict[int, dict[str, Any]] = {}
        self._again: set[int] = set()
        self._statuses: set[StepStatus] = set()  # of what is open
        self._may_fail = repeating.may_fail(step.batch.failure, len(items))
        self._begun = self._recorded()
        self._number = max(self._begun, default=0)  # of the newest call
        known = {row for found in self._begun.values() for row in found}
        self._fresh = [one for one in range(len(items)) if one not in known]
        self._turn = asyncio.Lock()

    def _recorded(self) -> dict[int, list[int]]:
        """Return the rows of each call that was begun."""
        found = {}
        prefix = f"{self._path}/call["
        for path in self._run.history.attempts:
            given = self._run.history.decided(path) if path.startswith(prefix) else None
            if given is not None:
                number = int(path.removeprefix(prefix).removesuffix("]"))
                found[number] = [one["row"] for one in given["rows"]]
        return found

    async def perform(self) -> Result:
        """Ask as far as it goes now, several calls at the same time, and write how it stands."""
        lanes = max(1, min(self._run.at_once, len(self._begun) + len(self._fresh)))
        await asyncio.gather(*(self._lane() for _ in range(lanes)))
        if self._failed:
            await self._close_waits()
            raise self._failure()
        for status in OPEN:
            if status in self._statuses:
                return Result(status)
        order = range(len(self._items))
        output = {
            "items": [self._answers.get(row) for row in order],
            "errors": [
                {"index": row, "class": self._errors[row]["class"]}
                | {"message": self._errors[row]["message"]}
                for row in order
                if row in self._errors
            ],
        }
        result = await records.complete_container(
            self._run, self._step, self._path, output, self._notes()
        )
        return Result(result.status, result.output, tolerated=bool(self._errors))

    def _notes(self) -> list[str]:
        """Return what became of the rows."""
        calls = f"{self._number} call{'s' * (self._number > 1)}"
        notes = [f"{len(self._items):,} rows in {calls}."]
        if self._again:
            notes.append(f"Asked once more about {rows.named(sorted(self._again))}.")
        if self._errors:
            notes.append(f"Failed: {rows.named(sorted(self._errors))}.")
        return notes

    @property
    def _failed(self) -> bool:
        return len(self._errors) > self._may_fail

    def _failure(self) -> StepError:
        row = min(self._errors)
        error, others = self._errors[row], len(self._errors) - 1
        more = f" {others} more failed." if others else ""
        return StepError(ErrorClass(error["class"]), f"Row {row}: {error['message']}{more}")

    async def _close_waits(self) -> None:
        """Wait no longer for what was to be asked again later."""
        waiting = [one for one in self._run.history.waits if one.startswith(f"{self._path}/")]
        if waiting:
            checkpoint = self._run.checkpoint("result")
            records.close_waits(self._run, checkpoint, waiting)
            await self._run.write(checkpoint)
            for one in waiting:
                self._run.history.waits.pop(one, None)

    async def _lane(self) -> None:
        """Make one call after the other until none is left or none may begin."""
        while not self._failed and (found := await self._next()):
            await self._call(*found)

    async def _next(self) -> tuple[int, list[int]] | None:
        """Return number and rows of the next call: of one that was begun, else of a new one."""
        async with self._turn:
            if self._begun:
                number = min(self._begun)
                return number, self._begun.pop(number)
            if not self._fresh:
                return None
            if self._stops():
                return None
            self._number += 1
            count = self._replayed() or await self._fitting()
            taken, self._fresh = self._fresh[:count], self._fresh[count:]
            return self._number, taken

    async def _fitting(self) -> int:
        """Return how many rows the next call has room for."""

        def look() -> int:
            found = self._of(self._fresh[: rows.MAX_ROWS])
            return room.of(self._step, self._asked, self._context, held.id).fitting(found)

        held = self._run.held
        return await self._run.loop.run_in_executor(self._run.ports.pool, look)

    def _replayed(self) -> int:
        """Return how many rows the call had in the execution that is replayed, 0 if it had none."""
        replay = self._run.replay
        known = replay.steps.get(f"{self._path}/call[{self._number}]") if replay else None
        return len(known.input["rows"]) if known is not None and known.input else 0

    def _stops(self) -> bool:
        """Whether nothing new may begin."""
        if self._run.stop or self._frame.stopped:
            self._statuses.add(StepStatus.PENDING)
            return True
        return False

    async def _call(self, number: int, taken: Sequence[int]) -> None:
        """Ask about rows, once more about those that were lost; what is lost again has failed."""
        lost = await self._ask(f"call[{number}]", taken, {})
        if lost:
            self._again |= lost.keys()
            lost = await self._ask(f"again[{number}]", list(lost), lost)
        for row, why in lost.items():
            await self._alone(row, why)

    async def _ask(self, name: str, taken: Sequence[int], wrong: dict[int, str]) -> dict[int, str]:
        """Keep the answers to rows; returns what was wrong with those that were lost."""
        result = await self._bring_on(name, Ask(self._asked, self._of(taken), wrong))
        if result.status is StepStatus.FAILED:
            self._errors |= dict.fromkeys(taken, result.error or {})
        if result.status is not StepStatus.COMPLETED:
            return {}
        found = await unpacking.value(self._run, result.output)
        self._answers |= {int(row): one for row, one in found["rows"].items()}
        return {int(row): why for row, why in found["lost"].items()}

    async def _alone(self, row: int, why: str) -> None:
        """Record that a row has no answer, or ask about it alone where a person asked for that."""
        path, ask = f"{self._path}/row[{row}]", Ask(self._asked, self._of([row]), {}, alone=True)
        replay = self._run.replay
        past = replay.steps.get(path) if replay is not None else None
        answered = past is not None and past.status is StepStatus.COMPLETED  # by a retry
        if answered or self._run.history.latest(path) is not None:
            await self._ask_alone(row, ask)
            return
        fault = StepError(ErrorClass.SCHEMA, f"Asked twice, and {why}.")
        result = await records.fail(self._run, self._step, path, self._context.scope, fault)
        self._errors[row] = result.error or {}

    async def _ask_alone(self, row: int, ask: Ask) -> None:
        result = await self._bring_on(f"row[{row}]", ask)
        if result.status is StepStatus.FAILED:
            self._errors[row] = result.error or {}
        elif result.status is StepStatus.COMPLETED:
            found = await unpacking.value(self._run, result.output)
            self._answers[row] = found["rows"][str(row)]

    def _of(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        return rows.numbered(self._items, numbers)

    async def _bring_on(self, name: str, ask: Ask) -> Result:
        """Reuse what is recorded of a question, or ask it; what is open is noted."""
        path, scope = f"{self._path}/{name}", self._context.scope
        result = attempts.recall(self._run, self._step, path, scope)
        if result is None:
            if self._stops():
                return Result(StepStatus.PENDING)
            scope = Scope(scope.roots, self._run.clock(path), scope.zone)
            result = await effects.perform(self._run, self._step, path, scope, ask)
        if result.status in OPEN:
            self._statuses.add(result.status)
        return result
