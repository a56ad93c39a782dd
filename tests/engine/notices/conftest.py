"""An approval of which people are to be told."""

from contextlib import contextmanager

import pytest

from pilot.engine.notices import outbox
from tests.engine import worker_process as wp
from tests.engine.notices.relaying import ASK


@pytest.fixture
def at_work(database, redis_url, tmp_path, monkeypatch, set_clock):
    """Give a worker, as long as the block lasts, that sends nothing; the clock stands still."""

    @contextmanager
    def at_work():
        with monkeypatch.context() as patched, wp.working(wp.config(database, redis_url, tmp_path)):
            patched.setattr(outbox, "take", lambda _: None)
            yield

    return at_work


@pytest.fixture
def asked(request, at_work, database, world, superuser):
    """Give id and hash of an approval that two people are asked for; no worker runs."""
    wp.switch_on()
    step = ASK | getattr(request, "param", {})
    with at_work():
        execution = wp.start(wp.make_agent(world.operator.id, [step]), world.operator.id)
        wp.wait_for(database, execution, {"waiting"})
    superuser.execute(
        "UPDATE outbox SET due_at = pilot_now(), attempts = 0, error = NULL, sent_at = NULL"
        " WHERE kind = 'approval_requested'"
    )
    return superuser.execute("SELECT id, payload_hash FROM approval").fetchone()
