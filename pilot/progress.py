"""The live signal: tells web processes which executions have new events. Carries no data.

Signals may be lost; readers also poll the database once a second.
"""

from collections.abc import Iterable
from uuid import UUID

import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from pilot import db, jobs

log = structlog.get_logger()

CHANNEL = "pilot:progress"


class _Process:
    redis: Redis | None = None


def configure(url: str) -> None:
    """Name the signal server of this process."""
    _Process.redis = jobs.connect(url)


def signal(session: Session, execution_id: UUID) -> None:
    """Signal an execution once the caller's transaction has committed."""
    db.on_commit(session, lambda: publish([execution_id]))


def publish(execution_ids: Iterable[UUID]) -> None:
    """Signal executions now; a dead server is only logged."""
    if _Process.redis is None:
        return
    try:
        _Process.redis.publish(CHANNEL, ",".join(str(each) for each in execution_ids))
    except RedisError as error:
        log.warning("signal_failed", error=type(error).__name__)
