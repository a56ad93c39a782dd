"""When a worker looks after its chores."""

import time

import pytest

from pilot.engine.worker import chores
from tests.engine import worker_process as wp


@pytest.fixture
def looks(database, redis_url, tmp_path, monkeypatch):
    """Give a function that starts a worker with one chore; returns when it was looked at."""

    def looks(**fields):
        seen, begun = [], time.monotonic()
        chore = chores.Chore("it", lambda: seen.append(time.monotonic() - begun), **fields)
        monkeypatch.setattr(chores, "chores", lambda _: [chore])
        with wp.working(wp.config(database, redis_url, tmp_path)):
            wp.until(lambda: len(seen) >= 2)
        return seen

    return looks


def test_a_start_comes_a_second_before_its_chores(looks):
    first, second, *_ = looks(every_s=0.3)
    assert first >= 1.0
    assert second - first >= 0.3


def test_a_chore_may_say_how_soon_it_is_looked_at(looks):
    assert looks(every_s=0.3, after_s=0.0)[0] < looks(every_s=0.3, after_s=1.5)[0]
