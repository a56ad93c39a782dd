"""What tests of executions share: a worker in the test's own process."""

import pytest

from tests.engine import worker_process as wp


@pytest.fixture
def worker(database, redis_url, world, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident
