"""How a worker hears a ring, and what it tells RQ meanwhile."""

import signal
import threading
from uuid import uuid4

import pytest
import redis
from rq.exceptions import NoSuchJobError

from pilot import worker
from pilot.worker import Doorbell, Listener


class Bell:
    """Stands for the resident loop."""

    def __init__(self):
        self.rung = 0

    def poke(self):
        self.rung += 1


@pytest.fixture
def queue_server(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


def test_a_ring_is_heard_before_it_is_read(queue_server, monkeypatch):
    bell = Bell()
    monkeypatch.setattr(worker._Process, "resident", bell)
    with pytest.raises(NoSuchJobError):
        Doorbell.fetch("gone", connection=queue_server)
    assert bell.rung == 1


def test_a_listener_tells_that_it_lives_now_and_then(queue_server, monkeypatch):
    moments = iter([100.0, 100.0, 100.1, 100.2, 115.0, 115.0])
    monkeypatch.setattr(worker, "monotonic", lambda: next(moments))
    listener = Listener(queue_server, threading.Event(), uuid4())
    beats = []
    for _ in range(4):
        listener.heartbeat()
        beats.append(queue_server.hget(listener.key, "last_heartbeat"))
        queue_server.delete(listener.key)
    assert [beat is not None for beat in beats] == [True, False, False, True]


def test_who_was_asked_to_stop_before_it_listens_ends_in_its_own_time(queue_server):
    stop = threading.Event()
    listener = Listener(queue_server, stop, uuid4())
    stop.set()
    for take in (listener.request_stop, listener.request_force_stop):
        take(signal.SIGTERM, None)  # nothing is raised amid the draining
    listener._stop.clear()
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit):
            listener.request_stop(signal.SIGTERM, None)
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
