"""What tests of executions share: a worker in the test's own process."""

import pytest

from tests.engine import worker_process as wp


@pytest.fixture
def worker(database, redis_url, world, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident


@pytest.fixture
def clock(superuser):
    """Give a function that moves the database's clock; it stands still otherwise."""
    seconds = 0.0

    def forward(by_s):
        nonlocal seconds
        seconds += by_s
        superuser.execute(
            "CREATE OR REPLACE FUNCTION pilot_now() RETURNS timestamptz LANGUAGE sql STABLE AS"
            f" $$ SELECT timestamptz '2026-11-21 12:00:00Z' + interval '{seconds} seconds' $$"
        )

    forward(0)
    return forward
