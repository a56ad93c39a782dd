"""The state of one execution while a worker holds it; behaviour is in runner and its parts."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from pilot.engine.acting.blobs import Blob
from pilot.engine.acting.history import Held
from pilot.engine.acting.outcomes import Resources, Simulated
from pilot.engine.acting.recorded import Replay
from pilot.engine.expressions import Scope
from pilot.engine.language.step_fields import StepFields
from pilot.engine.providers import budgets
from pilot.engine.providers.ledger import Booking
from pilot.engine.providers.model_catalogue import Chain
from pilot.engine.running.checkpoints import Checkpoint, Flags
from pilot.engine.running.plan import Plan
from pilot.engine.running.waking import Waking
from pilot.engine.running.writer import MAX_TOGETHER, Writer
from pilot.engine.status import StepStatus
from pilot.errors import BudgetError, ErrorClass, FencedError, StepError
from pilot.failpoints import failpoint

BOOK_WITHIN_S = 90
# Checkpoints of an execution on their way before its next step waits: as many as two commits
# take, so that steps go on while one is written.
MAX_SOON = 2 * MAX_TOGETHER
SLICE_S = 0.005  # of computing, before the other executions of the worker have their turn
DONE = frozenset({StepStatus.COMPLETED, StepStatus.SKIPPED})


@dataclass(frozen=True)
class Result:
    """How a step stands for now."""

    status: StepStatus
    output: Any = None
    tolerated: bool = False  # it failed, or something inside it did, and that is no failure
    error: dict[str, Any] | None = None

    @property
    def terminal(self) -> bool:
        """Whether steps that depend on it may run."""
        return self.status in DONE or (self.status is StepStatus.FAILED and self.tolerated)


def worst(results: Iterable[Result]) -> Result | None:
    """Return the result that keeps a list of steps from being finished, the gravest first."""
    found = list(results)
    for status in (StepStatus.FAILED, StepStatus.UNKNOWN, StepStatus.WAITING, StepStatus.PENDING):
        for one in found:
            if one.status is status and not one.tolerated:
                return one
    return None


def last_output(results: Iterable[Result]) -> Any:
    """Return what the last of the steps gave that gave something, or None."""
    done = [one.output for one in results if one.status is StepStatus.COMPLETED or one.tolerated]
    return done[-1] if done else None


def failure(child: Result, where: str = "") -> StepError:
    """Return the failure of a container, which is that of a step inside it."""
    error = child.error or {}
    return StepError(ErrorClass(error.get("class", "internal")), f"{where}{error.get('message')}")


@dataclass(eq=False)
class Frame:
    """One list of steps at work: where its paths begin and what its expressions see."""

    prefix: str
    scope: Scope
    slots: asyncio.Semaphore  # of steps that run at the same time
    outer: "Frame | None" = None
    container: str = ""  # path of the step that it stands in
    catches: bool = False  # a failure in it is answered by that step
    failed: bool = False  # nothing new starts in it
    tolerates: bool = False  # of what is recorded in it, failures count as tolerated

    def inner(self, container: str, segment: str = "", *, catches: bool = False) -> "Frame":
        """Return the frame of a list within one of its steps."""
        return Frame(f"{container}/{segment}", self.scope, self.slots, self, container, catches)

    def round(self, container: str, scope: Scope) -> "Frame":
        """Return the frame of one round of a repeated list; its failures stay in it."""
        return Frame(f"{container}/", scope, self.slots, self, container, catches=True)

    def around(self) -> Iterator["Frame"]:
        """Yield the frame and those around it, the innermost first."""
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.outer

    def fail(self) -> None:
        """Start nothing more here, nor around it up to the step that answers for it."""
        for frame in self.around():
            frame.failed = True
            if frame.catches:
                return

    @property
    def stopped(self) -> bool:
        """Whether a failure here or around it keeps new steps from starting."""
        return any(frame.failed for frame in self.around())


@dataclass(frozen=True)
class Spread:
    """Items of a scatter that any worker may claim."""

    frame: Frame
    ranges: list[tuple[int, int]]  # first and last
    at_once: int  # items, over all batches
    may_fail: int


RunBody = Callable[["Run", Sequence[StepFields], Frame], Awaitable[list[Result]]]


@dataclass(frozen=True)
class Ports:
    """What a worker lends to a run."""

    writer: Writer
    bulk: Writer  # of what comes with blobs: nobody waits behind megabytes
    pool: Executor
    resources: Resources
    may_act: Callable[[], bool]  # whether its lease is long enough to start an effect
    workers: Callable[[], int]  # how many live, this one too


class Run:
    """One execution, held by this worker."""

    def __init__(self, held: Held, plan: Plan, ports: Ports) -> None:
        """Take over what was read at claim."""
        self.held = held
        self.plan = plan
        self.ports = ports
        self.history = held.history
        self.results: dict[str, Result] = {}  # by path, without those inside finished containers
        self._inside: dict[str, list[str]] = defaultdict(list)  # their paths, by container
        self.stop: str | None = None  # cancel, stop, pause, late, pilot_disabled, budget or drain
        self.refused: dict[str, Any] = {}  # the call that the budget had not enough for
        self.compensating = False  # finished steps are undone: nothing but a drain stops that
        self.stopped = asyncio.Event()
        self.bookings: dict[str, Booking] = {}  # calls to models of the attempt at a path
        self.has_blobs = False  # whether a step gave a large output
        self.last_value: tuple[str, Any] | None = None  # of a blob, by its hash
        self.links: list[dict[str, Any]] = []  # addresses that the next commit stores
        self.loop = asyncio.get_running_loop()
        settings = held.facts["settings"]
        limit = plan.workflow.policies.max_parallel or settings["pilot_max_parallel_steps"]
        self.at_once: int = limit  # steps, unless a container says otherwise
        self.ended: dict[str, Any] | None = None  # what a stop step said
        self.on_limit = budgets.on_limit(plan.workflow.policies.budget, settings)
        self._soon: list[asyncio.Future[Flags | None]] = []  # what is being written meanwhile
        self._under_way = 0  # of these
        self._room = asyncio.Event()  # for more of them
        self._room.set()
        self._lost = False  # whether one of them could not be written
        self.acting = 0  # steps at work that hold no others
        self.spread: dict[str, Spread] = {}  # what is to go out in batches, by path
        self.failed = held.batch.failed if held.batch else 0  # items of its batch
        self._base = self._yielded = time.monotonic()
        self.simulated: Simulated | None = None
        self.waking = Waking(self.history)
        self.renew()

    def renew(self) -> None:
        """Look at the document from its begin again; what is recorded is known."""
        self.results.clear()
        self.spread.clear()
        self._inside.clear()
        self.scope = self._scope()
        self.top = Frame("", self.scope, asyncio.Semaphore(self.at_once))

    def _scope(self) -> Scope:
        facts = self.held.facts
        zone = ZoneInfo(self.plan.workflow.defaults.zone or facts["zone"])
        execution = {
            "id": str(self.held.id),
            "mode": facts["mode"],
            "started_at": facts["started_at"],
            "date": self.clock().astimezone(zone).date().isoformat(),
            "zone": zone.key,
            "agent": facts["agent_name"],
            "trigger": facts["trigger"],
            "cost_usd": 0,  # by now, as the next: see `unpacking`
            "unpriced_calls": 0,
        }
        if self.replay is not None:
            execution |= self.replay.about
        roots = {"inputs": facts["inputs"], "steps": {}, "execution": execution}
        return Scope(roots=roots, now=self.clock(), zone=zone)

    @property
    def replay(self) -> Replay | None:
        """The past execution that it follows."""
        return self.simulated.replay if self.simulated is not None else None

    def clock(self, path: str = "") -> datetime:
        """Return the time that a step reads: in a replay that at which it began in the past."""
        if self.replay is None:
            return self.now()
        known = self.replay.steps.get(path)
        return self.replay.started_at if known is None else known.started_at

    def begins(self, scope: Scope) -> datetime:
        """Return when an attempt begins: at the time that it reads, unless that is past."""
        return scope.now if self.replay is None else self.now()

    def now(self) -> datetime:
        """Return the database's clock, carried on by this machine's monotonic one."""
        return self.held.moment + timedelta(seconds=time.monotonic() - self._base)

    def ms_since(self, moment: datetime) -> int:
        """Return the milliseconds that passed since a moment."""
        return round((self.now() - moment).total_seconds() * 1000)

    def skip_to(self, moment: datetime) -> None:
        """Let the clock of a simulated execution stand at a later moment."""
        self._base -= max((moment - self.now()).total_seconds(), 0)

    def ask_to_stop(self, why: str) -> None:
        """Start nothing more. A cancel outranks every other reason."""
        if self.compensating and why != "drain":
            return
        if self.stop is None or why == "cancel":
            self.stop = why
        self.stopped.set()

    def compensate(self) -> str | None:
        """Go on in order to undo what was finished; returns why it was to stop."""
        asked, self.stop, self.compensating = self.stop, None, True
        self.stopped.clear()
        return asked

    def end(self, said: dict[str, Any]) -> None:
        """End the execution as a stop step said: nothing more starts."""
        self.ended = said
        self.ask_to_stop("stop")

    def note(self, step: StepFields, frame: Frame, result: Result) -> None:
        """Keep a step's result where expressions and the status function find it."""
        path = frame.prefix + step.id
        self.results[path] = result
        for one in frame.around():
            if one.container:
                self._inside[one.container].append(path)
        seen: dict[str, Any] = {"status": str(result.status)}
        if result.status is StepStatus.COMPLETED or result.tolerated:
            seen["output"] = result.output
            self.has_blobs = self.has_blobs or isinstance(result.output, Blob)
        if result.error is not None:
            seen["error"] = result.error
        steps = frame.scope.roots["steps"]
        address = steps.get(step.id, {}).get("resume_url")  # it stays readable
        steps[step.id] = seen if address is None else seen | {"resume_url": address}

    def within(self, path: str) -> list[tuple[str, Result]]:
        """Return the results of the steps inside one that is not closed yet, by path."""
        inside = dict.fromkeys(self._inside.get(path, ()))
        return [(one, self.results[one]) for one in inside if one in self.results]

    def awaits(self, path: str, kind: str) -> None:
        """Take note of a wait: who comes by again waits on, until the database says it came."""
        if self.simulated is None:
            self.history.wait(path, kind, self.now())

    def closed(self, path: str, result: Result) -> Result:
        """Return the result of a finished step, which from now on answers for what is inside it."""
        inside = [self.results.pop(one, None) for one in self._inside.pop(path, ())]
        mended = any(one is not None and one.tolerated for one in inside)
        return replace(result, tolerated=True) if mended and not result.tolerated else result

    async def write(self, checkpoint: Checkpoint) -> Flags:
        """Commit a checkpoint, with all that was to be written before it; heed the row's flags."""
        if checkpoint.contents or self._lost:
            await self.settle_writes()
        flags = await self.writer_of(checkpoint).put(checkpoint)
        await self.settle_writes()
        self._heed(flags)
        return flags

    def writer_of(self, checkpoint: Checkpoint) -> Writer:
        """Return which writer takes a checkpoint."""
        return self.ports.bulk if checkpoint.contents else self.ports.writer

    async def write_soon(self, checkpoint: Checkpoint) -> None:
        """Let a checkpoint ride on the next commit and go on.

        Only for what costs nothing to make again and has no effect: a crash may lose it. It is
        durable before anything that is written later, so before any effect and before the end.
        """
        if checkpoint.contents:
            await self.write(checkpoint)
            return
        while not self._room.is_set():
            await self._room.wait()
        self._under_way += 1
        if self._under_way >= MAX_SOON:
            self._room.clear()
        future = self.ports.writer.submit(checkpoint)
        future.add_done_callback(partial(self._written, checkpoint))
        self._soon.append(future)
        if time.monotonic() - self._yielded > SLICE_S:  # others of this worker have their turn
            await asyncio.sleep(0)
            self._yielded = time.monotonic()

    async def park(self, checkpoint: Checkpoint) -> bool:
        """Commit a checkpoint that parks or pauses; False: something came in between."""
        await self.settle_writes()
        return await self.ports.writer.try_park(checkpoint)

    def _written(self, checkpoint: Checkpoint, future: "asyncio.Future[Flags | None]") -> None:
        self._under_way -= 1
        if self._under_way <= MAX_TOGETHER:
            self._room.set()
        lost = future.cancelled() or future.exception() is not None
        flags = None if lost else future.result()
        if flags is None:
            self._lost = True  # whoever writes next is told why
            self.ask_to_stop("drain")
            return
        failpoint(f"{checkpoint.name}.after_commit")
        self._heed(flags)

    async def settle_writes(self) -> None:
        """Wait until all that was to be written soon is durable.

        Raises:
            FencedError: another worker owns the execution now.
        """
        soon, self._soon = self._soon, []
        for future in soon:
            if await future is None:
                raise FencedError(f"Execution {self.held.id} has another owner.")
        self._yielded = time.monotonic()

    def _heed(self, flags: Flags) -> None:
        if flags.cancel:
            self.ask_to_stop("cancel")
        elif flags.late:
            self.ask_to_stop("late")
        elif flags.pause:
            self.ask_to_stop("pause")

    def booking(self, path: str, chain: Chain) -> Booking:
        """Return where the attempt at a path books its calls to the models of a chain."""
        if path not in self.bookings:
            latest = self.history.latest(path)
            self.bookings[path] = Booking(
                path, latest.attempt if latest else 1, self._book, self._await_room
            )
        self.bookings[path].chain = chain
        return self.bookings[path]

    def _book(self, calls: list[dict[str, Any]]) -> None:
        """Commit rows of the ledger; called from the thread that asks the model."""
        checkpoint = self.checkpoint("call")
        checkpoint.calls += calls
        asyncio.run_coroutine_threadsafe(self.write(checkpoint), self.loop).result(BOOK_WITHIN_S)

    def _await_room(self, error: BudgetError) -> bool:
        """Wait until a call may fit into its budget; False: it is to stop instead."""
        budgets.await_room(error, self.held.id, self.held.owner_id, lambda: self.stop is not None)
        return self.stop is None

    def waited_s(self, path: str) -> float:
        """Return how long the attempt at a path waited for a budget: no time of its own."""
        booking = self.bookings.get(path)
        return booking.waited_s if booking is not None else 0.0

    def calls_of(self, path: str) -> list[dict[str, Any]]:
        """Return the rows of the ledger that belong into the commit which ends an attempt."""
        booking = self.bookings.pop(path, None)
        return booking.end() if booking is not None else []

    def checkpoint(self, name: str) -> Checkpoint:
        """Start a checkpoint of this execution; `name` names its crash points."""
        links, self.links = self.links, []
        made = Checkpoint(self.held.id, self.held.fence, name, waits=links)
        if self.held.batch is not None:
            made.batch, made.about_batches = self.held.batch.id, {"failed": self.failed}
        return made
