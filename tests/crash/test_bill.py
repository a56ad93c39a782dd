"""kill -9 of workers that wait for models: every line of the provider's bill has its row."""

import os
from decimal import Decimal

import pytest
from cryptography.fernet import Fernet
from hypothesis import settings

from pilot import jobs, progress, vault
from tests.crash import billed

pytestmark = pytest.mark.crash
NIGHTLY = settings.get_current_profile_name() == "nightly"
KILLS, CALLS = (4, 170) if NIGHTLY else (2, 80)


@pytest.fixture
def environment(database, redis_url, tmp_path):
    """What a worker needs."""
    jobs.configure(redis_url)
    progress.configure(redis_url)
    key = Fernet.generate_key().decode()
    vault.configure([key])
    yield {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "PILOT_DATA": str(tmp_path),
        "PILOT_SECRET_KEYS": key,
    }
    vault.configure([])


@pytest.mark.capability(302)
def test_the_ledger_is_the_bill_although_workers_are_killed(peer, world, environment, tmp_path):
    trial = billed.Trial(peer, world.operator.id, tmp_path, environment, seed=1)
    trial.script(2 * CALLS)
    with trial.working():
        for _ in range(KILLS):
            trial.start(executions=7)
            trial.kill()
        trial.finish()
    rows, lines = trial.rows(), billed.lines(peer)
    trial.close()
    assert billed.faults(rows, lines) == []
    assert billed.faults(rows, [*lines, lines[0] | {"question": "nobody's"}]) != []
    dearer = [one | {"cost": one["cost"] + Decimal("1e-9")} for one in lines]
    assert billed.faults(rows, dearer) != []
    assert len(lines) >= CALLS
    assert sum(trial.killed) >= KILLS
    assert {"settled", "lost"} == {one["state"] for one in rows}
    assert sum(one["cost"] for one in rows) >= peer.bill() > 0
