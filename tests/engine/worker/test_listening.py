"""How a worker stops listening for rings."""

import os
import signal
import threading
import time
from contextlib import suppress
from uuid import UUID

import pytest

from pilot import worker
from tests.engine import worker_process as wp


@pytest.fixture
def handlers():
    """Put back what this process does at signals."""
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.fixture
def listen(database, redis_url, tmp_path, handlers):
    """Give a function that listens until it is stopped."""

    def listen():
        stop = threading.Event()
        worker._listen(wp.config(database, redis_url, tmp_path), stop, UUID(int=1))
        assert stop.is_set()

    return listen


def test_a_stop_counts_where_the_client_of_the_queue_server_drops_exceptions(listen, monkeypatch):
    def amid(_):
        with suppress(Exception):
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(5)

    monkeypatch.setattr(worker.Listener, "run_maintenance_tasks", amid)
    listen()


def test_a_stop_that_does_not_end_the_wait_for_a_ring_counts_soon(listen):
    def stop():
        time.sleep(1)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)  # the main thread waits on

    thread = threading.Thread(target=stop)
    begun = time.monotonic()
    thread.start()
    listen()
    thread.join()
    assert time.monotonic() - begun < 60  # RQ by itself waits minutes
