"""The resident loop of a worker: claims executions, runs them, and writes through one writer.

The rows are the truth: the loop looks when it is rung, and each second without a ring.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from pilot import db, older, progress
from pilot.config import Config
from pilot.egress import Egress
from pilot.engine.acting.history import Held, held
from pilot.engine.acting.outcomes import Resources
from pilot.engine.generation import claiming
from pilot.engine.language import catalogue
from pilot.engine.life import children
from pilot.engine.notices import outbox
from pilot.engine.notices.letters import Channels
from pilot.engine.running import runner, waking
from pilot.engine.running.plan import Plan
from pilot.engine.running.run import Ports, Run
from pilot.engine.running.writer import Writer
from pilot.engine.status import STATE_SCHEMA
from pilot.engine.worker import chores
from pilot.engine.worker.chores import Chore
from pilot.engine.worker.liveness import Lease
from pilot.engine.workflow.document import parse
from pilot.errors import FencedError, PilotError
from pilot.failpoints import failpoint

log = structlog.get_logger()
T = TypeVar("T")

CLAIM = (  # and load: one round trip, one transaction
    "SELECT id, moment, head, attempts, waits FROM load_executions(%s, p_known => %s, p_ids => "
    "ARRAY(SELECT id FROM claim(%s, %s, %s, (SELECT coalesce((SELECT (value #>> '{}')::int "
    "FROM setting WHERE key = 'pilot_max_running_per_owner'), 200))) "
    "UNION ALL SELECT claim_batch(%s, %s)))"
)
CLAIM_BATCH = 64
LOOK_EVERY_S = 1.0
CLOSE_S = 5.0  # for the flush under way, once steps had their time
TELL_AFTER_S = 0.02
MAX_GENERATIONS = 4  # at a time: they wait for models in threads
SENDERS = 8  # messages on their way at a time: they wait for receivers in threads
SENDERS_A_LANE = 2  # so one channel that hangs leaves the others theirs
RELAY_EVERY_S = 1.0
CHORE_THREADS = 20  # at most; one starts where none is idle
REFILL_S = 0.01
GOALS_AFTER_S = 0.2  # a ring: few are for goals, and asking takes seconds
RECOUNT_EVERY_S = 10.0
WAKE_EVERY_S = 0.5
PLANS_KEPT = 500


class Resident:
    """The resident loop: claims executions, runs them, and writes through one writer."""

    def __init__(self, config: Config, worker_id: UUID, lease: Lease) -> None:
        """Prepare; `start` starts it."""
        self._config = config
        self._worker_id = worker_id
        self._runs: dict[UUID, Run] = {}
        self._begun: dict[UUID, object] = {}  # what runs or is about to, by execution
        self._recount_at = 0.0  # when to look for what is ours by the rows only
        self._always: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads: set[asyncio.Future[Any]] = set()  # chores that hold connections
        self._plans: dict[UUID, Plan] = {}
        self._loop = asyncio.new_event_loop()
        self._rung = asyncio.Event()
        self._goals = asyncio.Event()  # some may wait for models
        self._refilling: asyncio.TimerHandle | None = None
        self._draining = False
        self._thread: threading.Thread | None = None
        self.turned_at = self._loop.time()
        self._signals: set[UUID] = set()
        self._changed = asyncio.Event()  # there are signals
        self._pool = ThreadPoolExecutor(config.threads, thread_name_prefix="step")
        # Apart from those of steps, which may all hang: mail goes out, schedules fire.
        self._chores = ThreadPoolExecutor(CHORE_THREADS, thread_name_prefix="chore")
        self._reader: psycopg.AsyncConnection[Any] | None = None
        egress = Egress(allow=config.egress_allow)
        resources = Resources(
            catalogue.load(), egress, config.data, children, config.script, config.url
        )
        self._ports = Ports(
            Writer(config.database_url, worker_id, self._signal),
            Writer(config.database_url, worker_id, self._signal),
            self._pool,
            resources,
            lease.holds,
            lambda: lease.workers,
        )

    def poke(self) -> None:
        """Look for queued executions now; callable from any thread."""
        self._soon(self._ring)

    def _ring(self) -> None:
        self._rung.set()
        self._goals.set()

    def stop_run(self, execution_id: UUID, why: str) -> None:
        """Ask one run to stop; callable from any thread."""

        def ask() -> None:
            run = self._runs.get(execution_id)
            if run is not None:
                run.ask_to_stop(why)

        self._soon(ask)

    def _soon(self, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended: nothing is left to do
            self._loop.call_soon_threadsafe(callback)

    def start(self) -> None:
        """Run the loop in a thread of its own."""
        self._thread = threading.Thread(target=self._main, name="resident", daemon=True)
        self._thread.start()

    def drain(self, seconds: float) -> None:
        """Claim nothing more, let running steps finish for so long, release the rest, end."""
        ended: Future[None] = asyncio.run_coroutine_threadsafe(self._drain(seconds), self._loop)
        try:
            ended.result(timeout=seconds + CLOSE_S)
        except TimeoutError:
            log.warning("not_closed")
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(timeout=5)
        for pool in (self._pool, self._chores):
            pool.shutdown(wait=False, cancel_futures=True)

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        regular = [self._look_after(chore) for chore in chores.chores(self._config)]
        always = (self._look(), self._wake(), self._tell(), self._generate(), self._relay())
        self._always = [self._loop.create_task(one) for one in (*always, *regular)]
        self._loop.run_forever()
        while left := asyncio.all_tasks(self._loop):  # steps and what they wait for too
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(self._close())  # what a chore opened again meanwhile
        self._loop.close()

    async def _drain(self, seconds: float) -> None:
        self._draining = True
        for run in self._runs.values():
            run.ask_to_stop("drain")
        if busy := {*self._tasks, *self._threads}:
            await asyncio.wait(busy, timeout=seconds)
        await self._close()

    async def _close(self) -> None:
        await self._ports.writer.close()
        await self._ports.bulk.close()
        if self._reader is not None:
            await self._reader.close()

    async def _look(self) -> None:
        """Claim while there are free slots; then wait for the bell, or a second."""
        while not self._draining:
            self.turned_at = self._loop.time()
            try:
                await self._recount()
                more = await self._claim()
            except psycopg.Error as error:
                log.warning("claim_failed", error=type(error).__name__)
                self._recount_at, more = 0.0, False
            if more:
                continue
            try:
                await asyncio.wait_for(self._rung.wait(), LOOK_EVERY_S)
            except TimeoutError:
                continue
            finally:
                self._rung.clear()

    async def _claim(self) -> bool:
        free = min(CLAIM_BATCH, self._config.slots - len(self._begun))
        if free <= 0:
            return False
        reader = await self._reading()
        failpoint("claim.before_commit")
        mine = self._worker_id
        cursor = await reader.execute(
            CLAIM, (mine, list(self._plans), mine, STATE_SCHEMA, free, mine, STATE_SCHEMA)
        )
        rows = await cursor.fetchall()
        if rows:
            failpoint("claim.after_commit")
        for row in rows:
            self._begin(row)
        return len(rows) >= free or any(row[2]["batch"] for row in rows)

    async def _wake(self) -> None:
        """Let runs that are busy know what came of what they wait for besides."""
        while True:
            await asyncio.sleep(WAKE_EVERY_S)
            with suppress(psycopg.Error):  # who claims next tells of it, and connects again
                if self._reader is not None and not self._reader.closed:
                    await waking.look(self._reader, self._worker_id, self._runs.values())

    async def _recount(self) -> None:
        """Give back what is ours by the rows but does not run: the answer to a claim was lost."""
        if self._loop.time() < self._recount_at:
            return
        reader = await self._reading()
        cursor = await reader.execute("SELECT held_by(%s)", (self._worker_id,))
        for (execution_id,) in await cursor.fetchall():
            if execution_id not in self._begun:
                log.warning("held_without_running", execution=str(execution_id))
                await self._take_away(execution_id, "released")
        self._recount_at = self._loop.time() + RECOUNT_EVERY_S

    async def _reading(self) -> psycopg.AsyncConnection[Any]:
        if self._reader is None or self._reader.closed:
            self._reader = await psycopg.AsyncConnection.connect(
                db.dsn(self._config.database_url),
                autocommit=True,
                # To plan a look takes longer than the look, mostly at nothing.
                options=f"{db.SESSION_LIMITS} -c plan_cache_mode=force_generic_plan",
                connect_timeout=5,
                **db.KEEPALIVE,
            )
        return self._reader

    def _begin(self, row: Any) -> None:
        self._begun[row[0]] = row
        task = self._loop.create_task(self._run(row[0], row))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _plan(self, found: Held) -> Plan:
        version = found.facts["version_id"]
        key = UUID(version) if version and found.facts["runs"] == "pilot_steps" else found.id
        if key not in self._plans:
            if len(self._plans) >= PLANS_KEPT:
                self._plans.pop(next(iter(self._plans)))
            self._plans[key] = Plan(parse(older.ours(found.facts["document"])))
        return self._plans[key]

    async def _run(self, execution_id: UUID, row: Any) -> None:
        """Run one execution to its next stop; what it cannot handle is given back, counted."""
        why: str | None = "crashed"
        run: Run | None = None
        try:
            found = held(row)
            run = Run(found, self._plan(found), self._ports)
            self._runs[execution_id] = run
            if self._draining:
                run.ask_to_stop("drain")
            settled = await runner.run(run)
            why = None if settled else "released"
        except FencedError:
            log.info("fenced", execution=str(execution_id))
            why = None
        except PilotError as error:
            log.warning("run_failed", execution=str(execution_id), error=error.message)
        except Exception:  # the seam of one job: the row says that it crashed
            log.exception("run_crashed", execution=str(execution_id))
        if why is not None:
            await self._give_back(execution_id, why)
        if self._begun.get(execution_id) is row:  # another claim of ours may run it by now
            del self._begun[execution_id]
        if self._runs.get(execution_id) is run:
            self._runs.pop(execution_id, None)
        if why is None:
            self._refill()
        else:
            self._rung.set()

    def _refill(self) -> None:
        """Look for queued executions soon: one look serves all the runs that end meanwhile."""
        if self._refilling is None:
            self._refilling = self._loop.call_later(REFILL_S, self._look_again)

    def _look_again(self) -> None:
        self._refilling = None
        self._rung.set()

    async def _give_back(self, execution_id: UUID, why: str) -> None:
        try:
            await self._take_away(execution_id, why)
        except psycopg.Error as error:
            log.warning("give_back_failed", execution=str(execution_id), error=str(error))
            self._recount_at = 0.0

    async def _take_away(self, execution_id: UUID, why: str) -> None:
        reader = await self._reading()
        await reader.execute("SELECT take_away(%s, %s, %s)", (execution_id, self._worker_id, why))

    def _signal(self, execution_ids: list[UUID]) -> None:
        self._signals.update(execution_ids)
        self._changed.set()

    async def _tell(self) -> None:
        """Publish which executions changed, at most fifty times a second."""
        while True:
            self.turned_at = self._loop.time()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_EVERY_S)
                await asyncio.sleep(TELL_AFTER_S)
                self._changed.clear()
                told, self._signals = list(self._signals), set()
                self._loop.run_in_executor(self._chores, progress.publish, told)

    async def _look_after(self, chore: Chore) -> None:
        """Look after one chore; the time of a look is never spent on the loop."""
        await asyncio.sleep(chore.after_s)
        while not self._draining:
            try:
                more = True
                while more and not self._draining:
                    more = bool(await self._in_thread(chore.look)) and chore.until_done
            except (PilotError, SQLAlchemyError, OSError) as error:
                log.warning("chore_failed", chore=chore.name, error=type(error).__name__)
            await asyncio.sleep(chore.every_s)

    async def _generate(self) -> None:
        """Ask models for goals that wait, each in a thread."""
        asked: set[asyncio.Future[None]] = set()
        while not self._draining:
            asked = {one for one in asked if not one.done()}
            free = MAX_GENERATIONS - len(asked)
            try:
                found = await self._in_thread(claiming.claim, self._worker_id, free) if free else []
            except (PilotError, SQLAlchemyError) as error:
                log.warning("goals_not_claimed", error=type(error).__name__)
                found = []
            for one in found:
                asked.add(asyncio.ensure_future(self._in_thread(self._ask, one)))
            self._goals.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._goals.wait(), LOOK_EVERY_S)
                await asyncio.sleep(GOALS_AFTER_S)

    def _ask(self, claim: claiming.Claim) -> None:
        # It loads all planners, and many a worker never asks.
        from pilot.engine.generation import asking  # noqa: PLC0415

        try:
            asking.run(claim, data=self._config.data)
        except FencedError:
            log.info("generation_fenced", generation=str(claim.id))
        except Exception:  # the seam of one goal: its row says that it failed
            log.exception("generation_failed", generation=str(claim.id))
            asking.abandon(claim)

    async def _relay(self) -> None:
        """Send what the outbox holds, several messages at a time."""
        channels = Channels.of(self._config)
        sending: dict[asyncio.Future[None], str] = {}
        await asyncio.sleep(RELAY_EVERY_S)  # what waits for a worker comes first
        while not self._draining:
            sending = {one: lane for one, lane in sending.items() if not one.done()}
            taken = await self._taken(sending.values()) if len(sending) < SENDERS else None
            if taken is not None:
                sending[self._in_thread(outbox.send, taken, channels)] = taken.lane
            elif sending:
                first = asyncio.FIRST_COMPLETED
                await asyncio.wait(sending, timeout=RELAY_EVERY_S, return_when=first)
            else:
                await asyncio.sleep(RELAY_EVERY_S)

    async def _taken(self, lanes: Collection[str]) -> Any | None:
        """Return a message for a lane that has a sender left."""
        full = [lane for lane, busy in Counter(lanes).items() if busy >= SENDERS_A_LANE]
        try:
            return await self._in_thread(outbox.take, full)
        except (PilotError, SQLAlchemyError) as error:
            log.warning("notices_not_taken", error=type(error).__name__)
            return None

    def _in_thread(self, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        future = self._loop.run_in_executor(self._chores, function, *arguments)
        self._threads.add(future)
        future.add_done_callback(self._threads.discard)
        return future

    def seconds_since_turn(self) -> float:
        """Return how long the loop has not turned."""
        return self._loop.time() - self.turned_at
