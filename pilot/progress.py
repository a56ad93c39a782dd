"""The live signal: tells web processes which executions have new events. Carries no data.

Signals may be lost; readers also poll the database once a second.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar
from uuid import UUID

import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from pilot import db, jobs

log = structlog.get_logger()

CHANNEL = "pilot:progress"


RECONNECT_S = 1.0


class _Process:
    redis: Redis | None = None
    url: str = ""
    lock = threading.Lock()
    ears: ClassVar[defaultdict[str, set[threading.Event]]] = defaultdict(set)  # by execution id
    rung: ClassVar[dict[str, float]] = {}  # when those with ears were last signalled, monotonic
    listener: threading.Thread | None = None


def configure(url: str) -> None:
    """Name the signal server of this process."""
    _Process.redis = jobs.connect(url)
    _Process.url = url


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


@contextmanager
def listening(execution_id: UUID) -> Iterator[threading.Event]:
    """Give an event that is set whenever the execution is signalled; the reader clears it.

    All readers of a process share one subscription. A lost signal costs its reader only the time
    until it looks by itself.
    """
    ear, name = threading.Event(), str(execution_id)
    with _Process.lock:
        _Process.ears[name].add(ear)
        gone = _Process.listener is None or not _Process.listener.is_alive()
        if _Process.url and gone:
            _Process.listener = threading.Thread(target=_listen, name="progress", daemon=True)
            _Process.listener.start()
    try:
        yield ear
    finally:
        with _Process.lock:
            _Process.ears[name].discard(ear)
            if not _Process.ears[name]:
                del _Process.ears[name]
                _Process.rung.pop(name, None)


def rung_at(execution_id: UUID) -> float:
    """Return when an execution that is listened to was last signalled, monotonic seconds."""
    return _Process.rung.get(str(execution_id), 0.0)


def ring_here(execution_id: UUID) -> None:
    """Signal the readers of this process only: one of them has seen what others have not."""
    _tell({str(execution_id)})


def _listen() -> None:
    """Pass signals on until nobody listens any more."""
    pause = threading.Event()
    while _wanted():
        try:
            _pass_on()
        except RedisError as error:
            log.warning("signals_lost", error=type(error).__name__)
            pause.wait(RECONNECT_S)


def _wanted() -> bool:
    with _Process.lock:
        if not _Process.ears:
            _Process.listener = None
        return bool(_Process.ears)


def _pass_on() -> None:
    with jobs.connect(_Process.url, timeout_s=5) as client, client.pubsub() as channel:
        channel.subscribe(CHANNEL)
        _tell(set(_Process.ears))  # what was signalled before the subscription
        while _wanted():
            message = channel.get_message(ignore_subscribe_messages=True, timeout=1.0)
            if message is not None:
                _tell(set(message["data"].decode().split(",")))


def _tell(names: set[str]) -> None:
    with _Process.lock:
        for name in names & _Process.ears.keys():
            _Process.rung[name] = time.monotonic()
            for ear in _Process.ears[name]:
                ear.set()
