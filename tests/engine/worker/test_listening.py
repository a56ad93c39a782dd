"""How a worker stops listening for rings."""

import os
import signal
import threading
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


def test_a_stop_counts_where_the_client_of_the_queue_server_drops_exceptions(
    database, redis_url, tmp_path, monkeypatch, handlers
):
    def amid(_):
        with suppress(Exception):
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(5)

    monkeypatch.setattr(worker.Listener, "run_maintenance_tasks", amid)
    config = wp.config(database, redis_url, tmp_path)
    stop = threading.Event()
    worker._listen(config, stop, UUID(int=1))
    assert stop.is_set()
