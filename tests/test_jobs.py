"""The doorbell."""

import importlib.metadata
from uuid import uuid4

import pytest
import redis

from pilot import jobs


def test_a_ring_that_nobody_heard_stands_for_the_next(redis_url):
    jobs.configure(redis_url)
    for _ in range(3):
        jobs.ring_now(uuid4())
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("rq:queue:pilot") == 1
        client.flushall()  # heard, or lost
        jobs.ring_now(uuid4())
        assert client.llen("rq:queue:pilot") == 1


def test_a_dead_queue_only_delays_the_ring():
    jobs.configure("unix:///nowhere/valkey.sock")
    jobs.ring_now(uuid4())
    assert not jobs.answers()


def test_a_connection_reads_no_metadata_of_a_package(redis_url, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda _: pytest.fail("it was read"))
    with jobs.connect(redis_url) as client:
        assert client.ping()
