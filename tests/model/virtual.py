"""Workers that advance one transaction or one effect at a time, under a clock that tests move.

A virtual worker is the real resident loop, runner, writer and heartbeat. Each of its commits,
effects and other work in threads stands at a gate until somebody opens it; dropping the worker
there is a crash, opening the gate later is a zombie.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import psycopg

from pilot.engine.running.writer import Writer
from pilot.engine.worker.liveness import STUCK_S, Liveness
from pilot.engine.worker.resident import Resident

VIRTUAL = """
CREATE TABLE virtual_clock (ahead interval NOT NULL);
GRANT SELECT ON virtual_clock TO PUBLIC;
INSERT INTO virtual_clock VALUES ('1 h');
CREATE OR REPLACE FUNCTION pilot_now() RETURNS timestamptz LANGUAGE sql VOLATILE
  SET search_path = pg_catalog, public
  AS 'SELECT clock_timestamp() + (SELECT ahead FROM virtual_clock)';
"""
MOST_TURNS = 200
FAULTS = {"cut": "before the statement arrived", "deaf": "after it was committed"}


class Clock:
    """The time of the database and of all virtual workers: it passes when a test says so."""

    def __init__(self, superuser):
        self._superuser = superuser
        self.seconds = 3_600.0
        superuser.execute(VIRTUAL)

    def advance(self, seconds):
        self.seconds += seconds
        passed = f"{seconds} s"
        self._superuser.execute("UPDATE virtual_clock SET ahead = ahead + %s::interval", [passed])

    def time(self):
        return self.seconds


@dataclass
class Gate:
    """Where a worker stands: before a commit, or before what a thread does."""

    kind: str  # commit or work
    go: Callable[[str | None], None]


class Line:
    """A connection as the engine uses it; each statement waits at a gate if it has one."""

    closed = False

    def __init__(self, worker, connection, *, gated):
        self._worker, self._connection, self._gated = worker, connection, gated

    async def execute(self, statement, given=(), *, prepare=None):
        fault = await self._worker.stand("commit") if self._gated else None
        if self._worker.dropped:
            raise asyncio.CancelledError
        if fault == "cut":
            raise psycopg.OperationalError(FAULTS[fault])
        cursor = self._connection.execute(statement, given, prepare=prepare)
        rows = cursor.fetchall() if cursor.description else []
        if fault == "deaf":
            raise psycopg.OperationalError(FAULTS[fault])
        return _Rows(rows)

    @asynccontextmanager
    async def transaction(self):
        with self._connection.transaction():
            yield

    async def close(self):
        """It is shared: every statement is a transaction of its own."""


class _Rows:
    """What a statement gave."""

    def __init__(self, rows):
        self._rows = iter(rows)

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return next(self._rows)
        except StopIteration:
            raise StopAsyncIteration from None

    async def fetchone(self):
        return next(self._rows, None)

    async def fetchall(self):
        return list(self._rows)


class _GatedWriter(Writer):
    """The writer of a virtual worker."""

    def __init__(self, worker, line):
        super().__init__(worker.config.database_url, worker.id, lambda _told: None)
        self._connection = line

    async def _connected(self):
        return self._connection


class _GatedThreads(Executor):
    """Threads whose work begins when its gate is opened, in the thread of the test."""

    def __init__(self, worker):
        self._worker = worker

    def submit(self, function, /, *arguments):
        future = Future()

        def go(_fault):
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function(*arguments))
            except Exception as error:  # noqa: BLE001 -- as an executor does
                future.set_exception(error)

        self._worker.gates.append(Gate("work", go))
        return future


class _Lease:
    """The lease on virtual time."""

    def __init__(self, clock):
        self._clock = clock
        self.renew(0)

    def renew(self, _asked_at):
        self._renewed_at = self._clock.time()

    def holds(self):
        return self._clock.time() - self._renewed_at < STUCK_S


class _Loop(Resident):
    """The resident loop, turned by hand."""

    def __init__(self, worker, lease, clock, connection):
        super().__init__(worker.config, worker.id, lease)
        self._loop.time = clock.time
        self._worker, self._clock = worker, clock
        self._loop.call_soon_threadsafe = self._called
        self._reader = Line(worker, connection, gated=False)
        self._ports = replace(
            self._ports,
            writer=_GatedWriter(worker, Line(worker, connection, gated=True)),
            bulk=_GatedWriter(worker, Line(worker, connection, gated=True)),
            pool=_GatedThreads(worker),
        )

    async def _reading(self):
        return self._reader

    def claim(self):
        """Look once for queued executions, and for what is held without running."""
        self._loop.create_task(self._claim())
        self.turn()

    def recount(self):
        self._recount_at = 0.0
        self._loop.create_task(self._recount())
        self.turn()

    def leave(self):
        """Claim nothing more; what runs stops where it can."""
        self._draining = True
        for run in self._runs.values():
            run.ask_to_stop("drain")
        self.turn()

    def turn(self):
        """Let the loop do all it can without passing a gate."""
        self._loop.call_soon(self._loop.stop)
        self._loop.run_forever()
        while self._loop._ready:
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()

    def _called(self, callback, *arguments, context=None):
        """Call back at once; what it begins goes on until it is done.

        A thread that asks a model waits until its row of the ledger is committed. Here it is the
        thread of the test, so what stands before that commit is let through.
        """
        before = asyncio.all_tasks(self._loop)
        callback(*arguments)
        begun = asyncio.all_tasks(self._loop) - before
        for _ in range(MOST_TURNS):
            if all(task.done() for task in begun):
                return
            self.turn()
            if not self._worker.open("commit"):
                self._clock.advance(0.5)  # the writer rests after a fault
        raise AssertionError(f"it does not end: {begun}")

    def future(self):
        return self._loop.create_future()

    @property
    def held(self):
        return set(self._begun)

    def drop(self):
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self.turn()
        self._loop.close()


class Worker:
    """A worker process that a test holds by the hand."""

    def __init__(self, config, clock, number, connection):
        self.config, self.gates, self.dropped, self.stopped = config, [], False, False
        self.liveness = Liveness(config.database_url, "virtual", number)
        self.liveness.lease = lease = _Lease(clock)
        self.id = self.liveness.register()
        self.loop = _Loop(self, lease, clock, connection)

    async def stand(self, kind):
        """Wait at a gate; returns the fault to commit, or None."""
        future = self.loop.future()
        self.gates.append(Gate(kind, lambda fault: future.done() or future.set_result(fault)))
        return await future

    def advance(self, which=0, fault=None):
        """Open one gate and go on to the next ones; False: it stands at none."""
        if self.dropped:
            return False
        if not self.gates:
            self.loop.turn()
            return False
        self.gates.pop(which % len(self.gates)).go(fault)
        self.loop.turn()
        return True

    def open(self, kind):
        """Open the first gate of a kind, if there is one."""
        found = [gate for gate in self.gates if gate.kind == kind][:1]
        for gate in found:
            self.gates.remove(gate)
            gate.go(None)
        return bool(found)

    def beat(self):
        """Renew the lease; False: it was declared dead, and ends."""
        if self.liveness._beat():
            return True
        self.drop()
        return False

    def look(self):
        self.liveness._look(self.loop)
        self.loop.turn()

    def sweep(self):
        self.liveness._sweep(self.loop)
        self.loop.turn()

    def drop(self):
        """Let it die as it stands: its connections close, its locks go."""
        self.dropped = True
        self.loop.drop()
        if self.liveness._connection is not None:
            self.liveness._connection.close()

    def end(self):
        """Leave in peace: release what is still held."""
        self.liveness.stop()
        self.drop()
