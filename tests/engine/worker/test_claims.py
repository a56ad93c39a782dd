"""Which queued executions a worker takes: those of everybody in turn, none that are too new."""

import psycopg
import pytest

from pilot import db
from pilot.engine.status import STATE_SCHEMA
from pilot.reports import execution as report
from tests.engine import worker_process as wp

SMALL, HOG, AT_ONCE = 20, 500, 4
PEOPLE = """
INSERT INTO app_user (email, name, password_hash, roles)
SELECT 'small' || n || '@pilot.test', 'Small', '!', '{operator}' FROM generate_series(1, %s) n
RETURNING id
"""
QUEUED = """
INSERT INTO execution (owner_id, agent_id, agent_name, runs, runs_reason, mode, started_by, inputs,
  settings, settings_version, zone, status, deadline_at, wake_at)
SELECT o, e.agent_id, e.agent_name, e.runs, e.runs_reason, e.mode, o, e.inputs, e.settings,
  e.settings_version, e.zone, 'queued', e.deadline_at, pilot_now() - %s::interval
  FROM execution e, unnest(%s::uuid[]) o, generate_series(1, %s) WHERE e.id = %s
"""


@pytest.fixture
def claim(database):
    """Give `claim()`: the owners of what a worker claims now; what it held before is over."""
    role = "-c role=pilot_app"
    with psycopg.connect(db.dsn(database), autocommit=True, options=role) as connection:
        worker = wp.enrol(connection)

        def take():
            found = connection.execute(
                "SELECT owner_id FROM claim(%s, %s, %s, 200)",
                [worker, STATE_SCHEMA, AT_ONCE],
            )
            return [one for (one,) in found.fetchall()]

        yield take


def end_all(superuser):
    superuser.execute(
        "UPDATE execution SET status = 'completed', worker_id = NULL, finished_at = pilot_now() "
        "WHERE status = 'running'"
    )


def rounds_until_claimed(claim, superuser, owners):
    """Return after how many claims, each when the one before is over, each owner had its turn."""
    waited = {}
    number = 0
    while waited.keys() < set(owners):
        number += 1
        for owner in claim():
            if owner in owners:
                waited.setdefault(owner, number)
        end_all(superuser)
        assert number < HOG
    return sorted(waited.values())


@pytest.mark.capability(223)
def test_one_who_queues_hundreds_lets_the_others_wait_no_longer(claim, world, superuser):
    wp.switch_on()
    first = wp.start(wp.make_agent(world.operator.id, [wp.put("a", 1)]), world.operator.id)
    owners = {one for (one,) in superuser.execute(PEOPLE, [SMALL])}
    superuser.execute(QUEUED, ["0 s", list(owners), 1, first])
    claim()
    end_all(superuser)  # the first one is out of the way
    superuser.execute("DELETE FROM execution WHERE owner_id = ANY (%s)", [list(owners)])

    p95 = {}
    for name, hog in (("idle", 0), ("busy", HOG)):
        superuser.execute(QUEUED, ["1 hour", [world.operator.id], hog, first])
        superuser.execute(QUEUED, ["0 s", list(owners), 1, first])
        waited = rounds_until_claimed(claim, superuser, owners)
        p95[name] = waited[len(waited) * 95 // 100 - 1]
    assert p95["busy"] <= 2 * p95["idle"], p95


@pytest.mark.capability(223)
def test_what_is_urgent_comes_before_what_came_first(claim, world, superuser):
    wp.switch_on()
    first = wp.start(wp.make_agent(world.operator.id, [wp.put("a", 1)]), world.operator.id)
    agent = wp.make_agent(world.admin.id, [wp.put("a", 1)], policies={"priority": 0})
    superuser.execute(QUEUED, ["1 hour", [world.operator.id], 2 * AT_ONCE, first])
    for _ in range(AT_ONCE - 1):
        wp.start(agent, world.admin.id)
    assert sorted(claim()) == sorted([world.admin.id] * (AT_ONCE - 1) + [world.operator.id])


@pytest.mark.capability(243)
def test_what_a_newer_pilot_wrote_stays_queued_and_says_so(database, claim, world, superuser):
    wp.switch_on()
    user = world.operator
    execution = wp.start(wp.make_agent(user.id, [wp.put("a", 1)]), user.id)
    newer = STATE_SCHEMA + 1
    superuser.execute("UPDATE execution SET state_schema = %s WHERE id = %s", [newer, execution])
    assert claim() == []
    assert wp.row(database, execution)[0] == "queued"
    with db.reading(user.id) as session:
        assert report.shown(session, execution).why == "for a newer Pilot: another one wrote it"
    superuser.execute("UPDATE execution SET state_schema = 1 WHERE id = %s", [execution])
    assert claim() == [user.id]
