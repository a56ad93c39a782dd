"""The worker: an RQ worker whose process hosts one resident loop that runs executions.

An RQ job is only the doorbell: it makes the loop look for queued rows and returns at once. The rows
are the truth, so the loop also looks by itself each second and works without the queue server.
"""

import logging
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from itertools import islice
from time import monotonic
from types import FrameType
from typing import Any, NoReturn, cast
from uuid import UUID, uuid4

import structlog
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import DeserializationError, NoSuchJobError, StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker_registration import WORKERS_BY_QUEUE_KEY
from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import audit, db, garbage, jobs, logs, progress
from pilot.config import Config
from pilot.engine.secrets import known_secrets
from pilot.engine.worker.liveness import Liveness
from pilot.engine.worker.resident import Resident
from pilot.errors import PilotError

log = structlog.get_logger()

RESTART_ME = 75
MOST_STRANGERS = 1_000  # of the registry that are looked at
BEAT_EVERY_S = 10.0
# RQ waits 15 s less than this for a ring. A signal that comes as a wait begins does not end it.
RING_WAIT_TTL_S = 20
TURN_S = 0.0005  # a thread that computes gives way to the loop after this


class Doorbell(Job):
    """A job that may only ring: other functions, callbacks and serializers are refused."""

    @classmethod
    def fetch(cls, id: str, *arguments: Any, **more: Any) -> Job:  # noqa: A002 - RQ's name
        """Ring, and return the job: to read what it is takes longer than to look for nothing.

        One that cannot be read counts as gone: it must not stop the worker.
        """
        wake()
        try:
            job = cast("Doorbell", super().fetch(id, *arguments, **more))
            if job.is_ring:
                log.debug("rung", execution=id)
        except (ValueError, TypeError, DeserializationError) as error:
            log.warning("job_refused", reason=type(error).__name__)
            record_anomaly("unreadable")
            raise NoSuchJobError from error
        return job

    def perform(self) -> Any:
        """Do nothing more for a ring, or drop and audit what is none."""
        if not self.is_ring:
            log.warning("job_refused", job=str(self.id)[:80])
            record_anomaly(str(self.func_name)[:200])

    @property
    def is_ring(self) -> bool:
        """Whether it may be done."""
        return bool(self.func_name == jobs.WAKE and not self.args)

    @property
    def success_callback(self) -> None:
        """No callbacks: they would name code to import."""

    @property
    def failure_callback(self) -> None:
        """No callbacks: they would name code to import."""

    @property
    def stopped_callback(self) -> None:
        """No callbacks: they would name code to import."""


class Listener(SimpleWorker):
    """RQ's worker, which also minds a signal that came before it listened to signals."""

    def __init__(self, connection: Redis, stop: threading.Event, worker_id: UUID) -> None:
        """Listen to the queue of doorbells; `stop` is set by a signal of before.

        Its name in the queue's registry begins with the worker's row; RQ takes none twice.
        """
        queue = Queue(jobs.QUEUE, connection=connection, serializer=JSONSerializer)
        super().__init__(
            [queue],
            connection=connection,
            job_class=Doorbell,
            serializer=JSONSerializer,
            log_job_description=False,
            name=f"{worker_id}.{uuid4().hex}",
            worker_ttl=RING_WAIT_TTL_S,
        )
        self._stop = stop
        self._beat_at = 0.0  # monotonic

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Take a ring, which was heard when it was fetched, off the queue; perform anything else.

        What RQ notes of a job takes longer than the steps that it rang for, and competes with them.
        """
        if not (isinstance(job, Doorbell) and job.is_ring):
            super().execute_job(job, queue)
            return
        with self.connection.pipeline() as pipeline:
            pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
            pipeline.delete(job.key)
            pipeline.execute()

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Tell RQ that it lives, not four times for each ring; RQ gives it minutes."""
        if pipeline is not None or monotonic() >= self._beat_at:
            super().heartbeat(timeout, pipeline)
            self._beat_at = monotonic() + BEAT_EVERY_S

    def set_state(self, state: str, pipeline: Pipeline | None = None) -> None:
        """Tell RQ what it does, if that is something else than before."""
        if state != self.get_state():
            super().set_state(state, pipeline)

    def _install_signal_handlers(self) -> None:
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]
        self._stop_requested = self._stop.is_set()

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop at the first signal only, whoever took it: an exception would break the draining."""
        if not self._stop.is_set():
            super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def request_force_stop(self, _signum: int, _frame: FrameType | None) -> None:
        """Let more signals change nothing: what the first one asked for ends in its own time."""

    def _shutdown(self) -> None:
        """Stop by what is no `Exception`: the queue server's client lets those fall here and there.

        The signal may come amid its code, and a worker that forgot it would never stop.
        """
        try:
            super()._shutdown()  # type: ignore[no-untyped-call]
        except StopRequested:
            raise SystemExit from None


def record_anomaly(function: str) -> None:
    """Audit a job that was not made by Pilot."""
    with db.transaction("job.refuse", None) as session:
        _record(session, "job", {"function": function})


def _record(session: Session, kind: str, details: dict[str, str]) -> None:
    event = audit.Event.SECURITY_ANOMALY_DETECTED
    audit.record(session, event, actor="worker", about=(kind, "refused"), details=details)


def drop_strangers(connection: Redis) -> None:
    """Take out of the registry of our queue who is no worker of ours, and audit each.

    Nothing here believes the registry: workers are rows of the database.
    """
    key = WORKERS_BY_QUEUE_KEY % jobs.QUEUE
    members = islice(connection.sscan_iter(key, count=MOST_STRANGERS), MOST_STRANGERS)
    names = {member: member.decode(errors="replace") for member in members}
    with db.transaction("worker.drop_strangers", None) as session:
        known = set(session.scalars(text("SELECT 'rq:worker:' || id FROM worker")))
        for member, name in names.items():
            if name.partition(".")[0] not in known:
                connection.srem(key, member)
                _record(session, "worker", {"name": name[:200]})


class _Process:
    resident: Resident | None = None


def wake() -> None:
    """Make the resident loop look; the job of this name is only the bell."""
    if _Process.resident is not None:
        _Process.resident.poke()


def main(config: Config) -> NoReturn:
    """Run a worker until SIGTERM or SIGINT, then end the process with code 0."""
    stop = threading.Event()
    _on_signals(stop)  # first of all: a signal is never missed
    sys.setswitchinterval(TURN_S)
    logs.configure()
    logging.getLogger("rq").setLevel(logging.WARNING)
    db.configure(config.database_url)
    jobs.configure(config.redis_url)
    progress.configure(config.redis_url)
    known_secrets.keep_up(config)
    garbage.seldom()
    liveness = Liveness(config.database_url, socket.gethostname(), os.getpid())
    worker_id = liveness.register()
    resident = Resident(config, worker_id, liveness.lease)
    _Process.resident = resident
    resident.start()
    dead = liveness.start(resident, on_death=lambda: os._exit(RESTART_ME))
    _listen(config, stop, worker_id)
    liveness.drain()
    resident.drain(config.drain_s)
    liveness.stop()
    dead.join(timeout=2)
    _leave()


def _leave() -> NoReturn:
    """End now: all is stored, and Python itself would wait for threads of steps that hang."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _on_signals(stop: threading.Event) -> None:
    def ask(*_: Any) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)


def _listen(config: Config, stop: threading.Event, worker_id: UUID) -> None:
    """Take doorbell jobs until asked to stop; without the queue server, try again."""
    rung: Listener | None = None
    while not stop.is_set():
        try:
            connection = jobs.connect(config.redis_url, timeout_s=30)
            drop_strangers(connection)
            rung = Listener(connection, stop, worker_id)
            with suppress(SystemExit):
                rung.work(logging_level="WARNING")
            stop.set()  # RQ returns from SIGTERM and SIGINT only
        except (RedisError, OSError, PilotError) as error:
            log.warning("queue_away", error=type(error).__name__)
            if rung is not None and rung._shutdown_requested_date is not None:  # noqa: SLF001
                return  # RQ took the signal just before its connection broke
            _on_signals(stop)
            stop.wait(1.0)
