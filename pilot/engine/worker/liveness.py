"""A worker's heartbeat, and the sweep that takes over from dead ones and fires what is due."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from pilot import db, jobs
from pilot.failpoints import failpoint

log = structlog.get_logger()

LOCK = 0x50494C54  # "PILT", the class of the workers' advisory locks
BEAT_EVERY_S = 0.2
SWEEP_EVERY_S = 1.0
STUCK_S = 10.0  # a loop that has not turned for so long counts as dead
VERSION = "0.1.0"
BEAT = """
UPDATE worker SET heartbeat_at = pilot_now(), lease_until = pilot_now() + interval '15 s'
 WHERE id = %s AND stopped_at IS NULL
RETURNING (SELECT count(*) FROM worker
            WHERE stopped_at IS NULL AND NOT draining AND lease_until > pilot_now())
"""
LOOK = """
SELECT 'dead', id, NULL FROM dead_workers() AS id
UNION ALL SELECT 'stop', id, why FROM asked_to_stop(%(me)s)
UNION ALL SELECT 'batch', NULL, NULL WHERE batch_waits(%(me)s)
"""


class Lease:
    """For how long this worker may still start effects: others take over when it runs out."""

    def __init__(self) -> None:
        """Begin with a full one."""
        self._renewed_at = time.monotonic()
        self.workers = 1  # that live, as far as is known

    def renew(self, asked_at: float) -> None:
        """It was renewed by a beat that was sent at this monotonic time."""
        self._renewed_at = asked_at

    def holds(self) -> bool:
        """Whether the last renewal is recent enough; the clock runs on in a stopped process."""
        return time.monotonic() - self._renewed_at < STUCK_S


class Loop(Protocol):
    """What the heartbeat needs of the resident loop."""

    def poke(self) -> None:
        """Look for queued executions now."""

    def stop_run(self, execution_id: UUID, why: str) -> None:
        """Ask one run to stop."""

    def seconds_since_turn(self) -> float:
        """Return how long the loop has not turned."""


class Liveness:
    """One worker row, one advisory lock and one thread that beats, looks and sweeps."""

    def __init__(self, url: str, host: str, pid: int) -> None:
        """Describe this process."""
        self._url = url
        self._host = host
        self._pid = pid
        self._ended = threading.Event()
        self._connection: psycopg.Connection[Any] | None = None
        self._worker_id: UUID | None = None
        self._number = 0
        self.lease = Lease()

    def register(self) -> UUID:
        """Insert the worker's row, take its lock, and return its id."""
        connection = self._connected()
        row = connection.execute(
            "INSERT INTO worker (host, pid, version, lease_until) "
            "VALUES (%s, %s, %s, pilot_now() + interval '15 s') RETURNING id, number",
            (self._host, self._pid, VERSION),
        ).fetchone()
        assert row is not None
        self._worker_id, self._number = row
        self._lock(connection)
        return row[0] if isinstance(row[0], UUID) else UUID(str(row[0]))

    def start(self, loop: Loop, *, on_death: Callable[[], None]) -> threading.Thread:
        """Beat in a thread; `on_death` is called when this worker is declared dead."""
        thread = threading.Thread(
            target=self._main, args=(loop, on_death), name="heartbeat", daemon=True
        )
        thread.start()
        return thread

    def drain(self) -> None:
        """Say that this worker claims nothing more."""
        with contextlib.suppress(SQLAlchemyError):
            self._pooled("UPDATE worker SET draining = true WHERE id = %s", (self._worker_id,))

    def stop(self) -> None:
        """Stop beating, mark the worker as stopped and release what it still holds."""
        self._ended.set()
        with contextlib.suppress(SQLAlchemyError):
            me = self._worker_id
            for (execution_id,) in self._pooled("SELECT stop_worker(%s)", (me,)):
                self._pooled("SELECT take_away(%s, %s, 'released')", (execution_id, me))
                jobs.ring_now(execution_id)

    def _pooled(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Execute over the pool: the thread that beats may be amid a statement of its own."""
        with db.engine().begin() as connection:
            cursor = connection.exec_driver_sql(statement, values)
            return [tuple(row) for row in cursor] if cursor.returns_rows else []

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                db.dsn(self._url),
                autocommit=True,
                options=db.SESSION_LIMITS,
                connect_timeout=5,
                **db.KEEPALIVE,
            )
            if self._number:
                self._lock(self._connection)
        return self._connection

    def _lock(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute("SELECT pg_advisory_lock(%s, %s)", (LOCK, self._number))

    def _main(self, loop: Loop, on_death: Callable[[], None]) -> None:
        try:
            self._live(loop, on_death)
        finally:
            if self._connection is not None:
                self._connection.close()  # with it goes the lock

    def _live(self, loop: Loop, on_death: Callable[[], None]) -> None:
        swept_at = pause_s = 0.0  # the first look is at once: who died may have been restarted
        while not self._ended.wait(pause_s):
            pause_s = BEAT_EVERY_S
            try:
                if loop.seconds_since_turn() > STUCK_S or not self._beat():
                    log.error("declared_dead", worker=str(self._worker_id))
                    on_death()
                    return
                self._look(loop)
                if time.monotonic() - swept_at >= SWEEP_EVERY_S:
                    swept_at = time.monotonic()
                    self._sweep(loop)
            except psycopg.Error as error:
                log.warning("heartbeat_failed", error=type(error).__name__)
                if not self.lease.holds():
                    on_death()  # cut off: the lease is about to pass to others
                    return

    def _beat(self) -> bool:
        """Renew the lease; False: this worker was declared dead."""
        asked_at = time.monotonic()
        try:
            alive = self._renew()
        except psycopg.OperationalError:  # a cut connection: its lock, which others see, went too
            alive = self._renew()
        if alive:
            self.lease.renew(asked_at)
        return alive

    def _renew(self) -> bool:
        cursor = self._connected().execute(BEAT, (self._worker_id,))
        row = cursor.fetchone()
        if row is not None:
            self.lease.workers = row[0]
        return row is not None

    def _look(self, loop: Loop) -> None:
        """Take over from dead workers, and pass on what people asked of our executions."""
        found = self._connected().execute(LOOK, {"me": self._worker_id}).fetchall()
        for kind, one, why in found:
            if kind == "stop":
                loop.stop_run(one, why)
            elif kind == "batch":
                loop.poke()
            elif one != self._worker_id:
                self._take_over(one, loop)

    def _take_over(self, dead: UUID, loop: Loop) -> None:
        connection = self._connected()
        log.warning("worker_dead", worker=str(dead))
        for (execution_id,) in connection.execute("SELECT stop_worker(%s)", (dead,)).fetchall():
            connection.execute("SELECT take_away(%s, %s, 'worker_died')", (execution_id, dead))
            failpoint("sweep.between_items")
        loop.poke()

    def _sweep(self, loop: Loop) -> None:
        """Handle what is due, each item in a transaction of its own."""
        for kind, item, worker in self._due():
            try:
                self._handle(kind, item, worker)
            except psycopg.Error as error:
                log.warning("sweep_item_failed", kind=kind, item=str(item), error=str(error))
        loop.poke()

    def _due(self) -> list[tuple[str, UUID, UUID | None]]:
        """Return the due items, unless another worker is sweeping right now."""
        with self._connected().transaction():
            connection = self._connected()
            mine = connection.execute("SELECT pg_try_advisory_xact_lock(%s, 0)", (LOCK,)).fetchone()
            if mine is None or not mine[0]:
                return []
            return connection.execute("SELECT kind, id, worker_id FROM due(500)").fetchall()

    def _handle(self, kind: str, item: UUID, worker: UUID | None) -> None:
        connection = self._connected()
        if kind == "wait":
            connection.execute("SELECT fire_wait(%s)", (item,))
        elif kind == "approval":
            connection.execute("SELECT expire_approval(%s)", (item,))
        elif kind == "overdue":
            connection.execute("SELECT take_away(%s, %s, 'grace_over')", (item, worker))
        elif kind == "lost":
            connection.execute("SELECT take_away(%s, %s, 'worker_died')", (item, worker))
        elif kind == "ring":
            jobs.ring_now(item)
        elif kind == "turn":
            connection.execute("SELECT take_turn(%s)", (item,))
        else:
            connection.execute("SELECT wake(%s)", (item,))
        failpoint("sweep.between_items")
