"""A worker that starts looks at once for what a dead one left behind."""

import psycopg
import pytest

from pilot import db
from pilot.engine.status import STATE_SCHEMA
from pilot.engine.worker import liveness
from tests.engine import worker_process as wp


@pytest.fixture
def left_behind(database, world):
    """Give an execution that a worker claimed which is dead since."""
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, [wp.put("done", 1)])
    execution = wp.start(agent, world.operator.id)
    role = "-c role=pilot_app"
    with psycopg.connect(db.dsn(database), autocommit=True, options=role) as connection:
        dead = wp.enrol(connection, lease_until="-infinity")
        claimed = connection.execute("SELECT id FROM claim(%s, %s, 1, 200)", [dead, STATE_SCHEMA])
        assert claimed.fetchall() == [(execution,)]
    return execution


def test_it_is_taken_over_before_the_first_beat(
    left_behind, database, redis_url, tmp_path, monkeypatch
):
    monkeypatch.setattr(liveness, "BEAT_EVERY_S", 600.0)
    with wp.working(wp.config(database, redis_url, tmp_path)):
        wp.wait_for(database, left_behind, {"completed"})
