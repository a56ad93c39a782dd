"""Runs the branches of a parallel group until enough of them are finished."""

from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pilot.engine.language.step_fields import StepFields
from pilot.engine.running import records, unpacking, waking
from pilot.engine.running.run import Frame, Result, Run, RunBody, failure, last_output, worst
from pilot.engine.status import StepStatus
from pilot.errors import ErrorClass, StepError

GOING_ON = frozenset({StepStatus.WAITING, StepStatus.PENDING})


class Branches:
    """The branches of one group at work."""

    def __init__(self, run: Run, step: Any, inner: Frame, go: RunBody) -> None:
        """Prepare a frame for each branch."""
        self._run = run
        self._step = step
        self._inner = inner
        self._go = go
        self._frames = dict(_frames(step, inner))
        self._found: dict[str, list[Result]] = {}
        self._at_once: int = step.max_concurrency or len(self._frames)
        self._begun = {name for name in self._frames if self._was_begun(name)}
        self._left: list[str] = []  # to be begun, or to go on with
        self._working: set[str] = set()
        self._open = 0  # at work, or waiting

    async def perform(self) -> Result:
        """Run the branches as far as they go now, and write how the group stands then.

        Raises:
            StepError: too few of them can finish.
        """
        await self._recall()
        if not (self._is_decided() and self._step.rest == "cancel"):
            self._left = sorted(self._frames, key=lambda name: name not in self._begun)
            lanes = [self._lane() for _ in range(self._at_once)]
            await waking.side_by_side(self._run, lanes, self._woken)
        return await self._outcome()

    def _was_begun(self, name: str) -> bool:
        history, prefix = self._run.history, self._inner.prefix
        return any(history.latest(prefix + step.id) for step in self._step.branches[name])

    async def _recall(self) -> None:
        """Look what is recorded first: enough may be finished already, then nothing more starts."""
        for name, frame in _frames(self._step, self._inner):
            frame.failed = True
            self._found[name] = await self._go(self._run, self._step.branches[name], frame)

    async def _lane(self) -> None:
        """Run one branch after the other; of those at the same time, those that wait are some."""
        while self._left and (self._left[0] in self._begun or self._open < self._at_once):
            self._open += 1
            await self._branch(self._left.pop(0))

    def _woken(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield what goes on with branches that waited, and for which something came."""
        for name in self._having(StepStatus.WAITING):
            frame, branch = self._frames[name], self._step.branches[name]
            if self._run.stop or frame.stopped or name in self._working or name in self._left:
                continue
            came = [self._run.waking.take(frame.prefix + one.id) for one in branch]
            if any(came):
                yield self._again(name)

    async def _again(self, name: str) -> None:
        await self._branch(name)
        await self._lane()

    async def _branch(self, name: str) -> None:
        frame = self._frames[name]
        self._working.add(name)
        self._found[name] = await self._go(self._run, self._step.branches[name], frame)
        self._working.discard(name)
        self._open -= self._status(name) not in GOING_ON
        if self._is_decided() and self._step.rest == "cancel":
            for other in self._frames.values():
                other.failed = True

    def _status(self, name: str) -> StepStatus:
        """Return how a branch stands: as its gravest step; skipped if all of its steps were."""
        found = self._found.get(name, [Result(StepStatus.PENDING)])
        gravest = worst(found)
        if gravest is not None:
            return gravest.status
        ran = any(one.status is not StepStatus.SKIPPED for one in found)
        return StepStatus.COMPLETED if ran else StepStatus.SKIPPED

    def _having(self, status: StepStatus) -> list[str]:
        return [name for name in self._step.branches if self._status(name) is status]

    def _needed(self) -> int:
        """Return how many branches must be completed: a skipped one is none of `all`."""
        needed: int = self._step.needed
        skipped = self._having(StepStatus.SKIPPED) if self._step.join == "all" else []
        return needed - len(skipped)

    def _is_met(self) -> bool:
        return len(self._having(StepStatus.COMPLETED)) >= self._needed()

    def _is_decided(self) -> bool:
        """Whether enough branches are completed, or too many failed or were skipped for that."""
        lost = self._having(StepStatus.FAILED) + self._having(StepStatus.SKIPPED)
        return self._is_met() or len(self._step.branches) - len(lost) < self._needed()

    async def _outcome(self) -> Result:
        run, path = self._run, self._inner.container
        if unknown := self._having(StepStatus.UNKNOWN):  # a person is asked, whatever the others do
            return Result(StepStatus.UNKNOWN, error=self._gravest(unknown[0]).error)
        waits = any(self._status(name) in GOING_ON for name in self._frames)
        if waits and not (self._is_decided() and self._step.rest == "cancel"):
            waiting = self._having(StepStatus.WAITING)
            return Result(StepStatus.WAITING if waiting else StepStatus.PENDING)
        await records.cancel_waits(run, path)
        if not self._is_met():
            raise self._unmet()
        done = self._having(StepStatus.COMPLETED)
        output = {name: await unpacking.value(run, last_output(self._found[name])) for name in done}
        result = await records.complete_container(run, self._step, path, output)
        failed = bool(self._having(StepStatus.FAILED))
        return replace(result, tolerated=failed or result.tolerated)

    def _unmet(self) -> StepError:
        """Return why too few branches are completed: the first failure, else what was skipped."""
        failed, skipped = self._having(StepStatus.FAILED), self._having(StepStatus.SKIPPED)
        if failed:
            return failure(self._gravest(failed[0]), f"Branch {failed[0]}: ")
        text = f"Too few branches ran: {self._needed()} must be completed, but all steps were "
        return StepError(ErrorClass.INPUT, f"{text}skipped in {', '.join(skipped)}.")

    def _gravest(self, name: str) -> Result:
        return worst(self._found[name]) or Result(StepStatus.PENDING)


def _frames(step: Any, inner: Frame) -> Iterator[tuple[str, Frame]]:
    """Yield a frame for each branch: a failure in it stays in it, its results are seen outside."""
    for name in step.branches:
        yield name, Frame(inner.prefix, inner.scope, inner.slots, inner, catches=True)


def entered(step: Any, inner: Frame) -> Iterator[tuple[Frame, Sequence[StepFields]]]:
    """Yield frame and steps of each branch of a finished group."""
    for name, frame in _frames(step, inner):
        frame.tolerates = True
        yield frame, step.branches[name]


async def perform(run: Run, step: Any, inner: Frame, go: RunBody) -> Result:
    """Run the branches of a group.

    Raises:
        StepError: too few of them can finish.
    """
    return await Branches(run, step, inner, go).perform()
