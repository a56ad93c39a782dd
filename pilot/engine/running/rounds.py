"""Runs the steps of a loop or a scatter once for each item, and counts what fails.

No row tells of a round as a whole: how it ended follows from the rows of the steps in it. A resume
reads those and goes on with what is open.
"""

import asyncio
import itertools
from collections import ChainMap
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pilot.engine import steps
from pilot.engine.acting.history import Batch
from pilot.engine.acting.outcomes import StepContext
from pilot.engine.acting.repeating import Round
from pilot.engine.expressions import Scope
from pilot.engine.language import references
from pilot.engine.language.step_fields import StepFields
from pilot.engine.running import guards, records, spreading, unpacking, waking
from pilot.engine.running.run import Frame, Result, Run, RunBody, failure, last_output, worst
from pilot.engine.status import StepStatus
from pilot.errors import ExpressionError, StepError

OPEN = (StepStatus.UNKNOWN, StepStatus.WAITING, StepStatus.PENDING)
ENDED = frozenset({StepStatus.COMPLETED, StepStatus.FAILED})


class Rounds:
    """One loop or scatter at work."""

    def __init__(
        self,
        run: Run,
        step: Any,
        inner: Frame,
        scope: Scope,
        decided: dict[str, Any],
        go: RunBody,
    ) -> None:
        """Look at the items as of the moment at which the step was entered.

        Raises:
            ExpressionError: the items cannot be told any more.
            StepError: the same.
        """
        self._run = run
        self._step = step
        self._inner = inner
        self._scope = scope
        self._go = go
        self._module = steps.load(step.type)
        self._path = inner.container
        self._context = guards.context(run, self._path, scope)
        self._items: list[Any] | None = self._module.items(step, self._context)
        self._total: int | None = decided["total"]
        self._rounds: dict[int, Round] = {}
        self._batch: Batch | None = None
        self._failed = 0
        self._allowed = step.may_fail(self._bound())
        self._at_once: int = step.at_once or run.at_once
        self._left: Iterator[int] = iter(())
        self._begun = 0  # of those left, which were begun before
        self._open = 0  # at work, or waiting
        self._working: set[int] = set()
        self._ended = False  # no further round starts
        self._finished = False  # because none is left, or the loop is broken
        self._cut = self._items is not None and (self._total or 0) > len(self._items)
        if step.at_once is not None:
            inner.slots = asyncio.Semaphore(step.at_once)

    def _bound(self) -> int:
        bound: int = self._step.max_iterations if self._items is None else len(self._items)
        return bound

    async def perform(self) -> Result:
        """Run the rounds as far as they go now, and write how the step stands then.

        Many items that are still to be begun may be left to batches, see `spreading`.

        Raises:
            ExpressionError: the condition of the loop cannot be evaluated.
            StepError: more items failed than may, or the loop goes on beyond its bound.
        """
        if self._items is None or self._step.at_once == 1:
            await self._work(itertools.count() if self._items is None else self._all())
            return await self._outcome()
        begun, fresh = self._apart(self._all())
        self._begun = len(begun)
        if spreading.pays(self._run, self._step, self._path, fresh):
            await self._work(begun)
            if not self._ended and await spreading.is_alone(self._run):
                may_fail = self._allowed - self._failed
                spreading.plan(self._run, self._inner, fresh, self._at_once, may_fail)
                return Result(StepStatus.PENDING)
            begun = []
        if not self._ended:
            await self._work([*begun, *fresh])
        return await self._outcome()

    async def perform_batch(self, batch: Batch) -> bool:
        """Run the items of a batch as far as they go now; returns False if it was cut short."""
        self._batch, self._at_once, self._allowed = batch, batch.lanes, batch.may_fail
        self._inner.slots = asyncio.Semaphore(batch.lanes)
        begun, fresh = self._apart(range(batch.first, batch.last + 1))
        await self._work([*begun, *fresh])
        return not self._ended

    def _all(self) -> range:
        return range(len(self._items or ()))

    def _apart(self, indexes: range) -> tuple[list[int], list[int]]:
        """Return those that were begun, whose failures count before another starts, and others."""
        known = set(self._run.history.rounds(self._path))
        begun = [one for one in indexes if one in known]
        return begun, [one for one in indexes if one not in known]

    async def _work(self, indexes: Iterable[int]) -> None:
        """Run these rounds, so many at the same time, until none is left or none may start."""
        self._left, self._finished = iter(indexes), False
        lanes = max(1, min(self._at_once, self._bound()))
        work = [self._lane() for _ in range(lanes)]
        await waking.side_by_side(self._run, work, self._woken)

    async def _lane(self) -> None:
        """Run one round after the other until none is left."""
        while not (self._ended or self._is_full()):
            index = next(self._left, None)
            if index is None or not self._goes_on(index):
                self._finished = True
                return
            self._begun -= 1
            self._open += 1
            await self._run_one(index)

    async def _run_one(self, index: int) -> None:
        self._working.add(index)
        found = await self._round(index)
        self._working.discard(index)
        self._open -= found.status in ENDED
        self._rounds[index] = found
        self._failed += found.status is StepStatus.FAILED
        if self._batch is not None and self._failed > self._run.failed:
            await self._tell_failed()
        if self._failed > self._allowed or self._stays(found):
            self._ended = True

    def _woken(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield what goes on with items that waited, and for which something came."""
        if self._ended or self._run.stop or self._inner.stopped:
            return
        came = self._run.waking.within(self._path) - {self._path}
        for index in sorted({int(one[len(self._path) + 1 :].partition("]")[0]) for one in came}):
            known = self._rounds.get(index)
            if known is None or known.status is not StepStatus.WAITING or index in self._working:
                continue
            if self._run.waking.take(f"{self._path}[{index}]"):
                yield self._again(index)

    async def _again(self, index: int) -> None:
        await self._run_one(index)
        await self._lane()

    def _is_full(self) -> bool:
        """Whether no other item may begin: of so many at once, those that wait are some."""
        if self._step.at_once is None or self._batch is not None:
            return False
        return self._begun <= 0 and self._open >= self._step.at_once

    async def _tell_failed(self) -> None:
        """Let the other batches know before the next item starts."""
        self._run.failed = self._failed
        await self._run.write(self._run.checkpoint("result"))

    def _stays(self, found: Round) -> bool:
        """Whether no further round may start because this one did not end."""
        if found.status in ENDED:
            return False
        stopping = bool(self._run.stop) or self._inner.stopped
        return self._step.at_once == 1 or stopping

    def _goes_on(self, index: int) -> bool:
        """Whether there is another round; of a begun one the condition was true."""
        if self._items is not None or self._run.history.begun(self._path, index):
            return True
        goes_on = self._module.goes_on(self._step, self._now(self._scope_of(index)), index)
        self._cut = goes_on is None
        return bool(goes_on)

    def _now(self, scope: Scope) -> StepContext:
        now = Scope(scope.roots, self._run.clock(), scope.zone)
        return guards.context(self._run, self._path, now)

    async def _round(self, index: int) -> Round:
        frame = self._inner.round(f"{self._path}[{index}]", self._scope_of(index))
        results = await self._go(self._run, self._step.steps, frame)
        gravest = worst(results)
        if gravest is not None:
            return Round(index, gravest.status, error=gravest.error)
        try:
            output = await self._output(frame, results)
            if await self._breaks(frame, index):
                self._ended, self._finished, self._cut = True, True, False
        except (ExpressionError, StepError) as error:
            return Round(index, StepStatus.FAILED, error=records.error_facts(error))
        closed = self._run.closed(frame.container, Result(StepStatus.COMPLETED))
        return Round(index, StepStatus.COMPLETED, output, mended=closed.tolerated)

    def _scope_of(self, index: int) -> Scope:
        """Return what the steps of a round see: their own results apart from those of others."""
        roots = self._scope.roots
        seen = named(self._step, self._items, index) | {"steps": ChainMap({}, roots["steps"])}
        if self._step.at_once == 1:
            seen["loop"] = self._about(index)
        return self._scope.child(**seen)

    def _about(self, index: int) -> dict[str, Any]:
        before = self._rounds.get(index - 1)
        count = None if self._items is None else len(self._items)
        return {
            "index": index,
            "first": index == 0,
            "last": None if count is None else index == count - 1,
            "count": count,
            "previous": before.output if before is not None else None,
        }

    async def _output(self, frame: Frame, results: Sequence[Result]) -> Any:
        """Return what a round gives: what the step says, or what its last step gave."""
        if self._step.output is None:
            return await unpacking.value(self._run, last_output(results))
        scope = await unpacking.scope_of(self._run, self._step, frame.scope)
        template = self._run.plan.compiled(
            self._step.id, "output", lambda: references.compile_template(self._step.output)
        )
        return template.evaluate(scope)

    async def _breaks(self, frame: Frame, index: int) -> bool:
        """Ask whether the loop is finished, unless a recorded round says that it went on."""
        if not getattr(self._step, "break_if", None):
            return False
        if self._run.history.begun(self._path, index + 1):
            return False
        scope = await unpacking.scope_of(self._run, self._step, frame.scope)
        breaks: bool = self._module.breaks(self._step, self._now(scope))
        return breaks

    async def _outcome(self) -> Result:
        run = self._run
        found = [self._rounds[index] for index in sorted(self._rounds)]
        statuses = {one.status for one in found}
        if StepStatus.UNKNOWN in statuses:  # a person is asked, whatever the others do
            return Result(StepStatus.UNKNOWN)
        if self._failed > self._allowed:
            await records.cancel_waits(run, self._path)
            first = next(one for one in found if one.status is StepStatus.FAILED)
            gravest = Result(StepStatus.FAILED, error=first.error)
            raise failure(gravest, f"Item {first.index}: ")
        for status in OPEN:
            if status in statuses:
                return Result(status)
        if not self._finished:
            return Result(StepStatus.PENDING)
        output = self._module.leave(self._step, found, self._total, self._context)
        output |= {"truncated": self._cut}
        result = await records.complete_container(run, self._step, self._path, output)
        mended = self._failed > 0 or any(one.mended for one in found)
        return replace(result, tolerated=result.tolerated or mended)


def named(step: Any, items: list[Any] | None, index: int) -> dict[str, Any]:
    """Return what the steps of a round call their item."""
    if items is None or index >= len(items):
        return {"index": index}
    return {"index": index, "item": items[index], step.item_name: items[index]}


def entered(run: Run, step: Any, inner: Frame) -> Iterator[tuple[Frame, Sequence[StepFields]]]:
    """Yield frame and steps of each round of a finished loop or scatter that is recorded."""
    roots = inner.scope.roots
    for index in run.history.rounds(inner.container):
        scope = inner.scope.child(steps=ChainMap({}, roots["steps"]))
        frame = inner.round(f"{inner.container}[{index}]", scope)
        frame.tolerates = True
        yield frame, step.steps
