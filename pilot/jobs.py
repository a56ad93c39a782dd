"""The doorbell: after a commit it makes a worker look for queued executions.

A ring may be lost or repeated; the row is the truth and the sweep rings again.
"""

from uuid import UUID

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy.orm import Session

from pilot import db

log = structlog.get_logger()

QUEUE = "pilot"
WAKE = "pilot.worker.wake"  # by name, so that nothing here imports the worker
TIMEOUT_S = 0.2  # a dead queue delays a request by this much at most


class _Process:
    queue: Queue | None = None


def connect(url: str, *, timeout_s: float = TIMEOUT_S) -> Redis:
    """Return a client of the queue server that answers or fails within `timeout_s`."""
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1),
        driver_info=None,  # else each connection reads a package's metadata to tell its version
    )


def configure(url: str) -> None:
    """Name the queue server of this process."""
    _Process.queue = Queue(QUEUE, connection=connect(url), serializer=JSONSerializer)


def ring(session: Session, execution_id: UUID) -> None:
    """Ring for an execution once the caller's transaction has committed."""
    db.on_commit(session, lambda: ring_now(execution_id))


def ring_now(execution_id: UUID) -> None:
    """Ring for an execution; a dead queue is only logged.

    A ring that no worker has heard yet stands for this one too: it is heard after this commit.
    """
    if _Process.queue is None:
        return
    try:
        if _Process.queue.count:
            return
        _Process.queue.enqueue(
            WAKE,
            job_id=str(execution_id),
            result_ttl=0,
            failure_ttl=60,
            job_timeout=30,
        )
    except RedisError as error:
        log.warning("doorbell_failed", execution_id=str(execution_id), error=type(error).__name__)


def answers() -> bool:
    """Return whether this process' queue server answers."""
    try:
        return _Process.queue is not None and bool(_Process.queue.connection.ping())
    except RedisError:
        return False
