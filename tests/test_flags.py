"""Rules of switches: the narrowest wins, a share is stable, and what decided is kept."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from pilot import db, settings
from pilot.engine.agents import agents
from pilot.engine.life import preflight
from pilot.errors import InvalidError, NotFoundError
from pilot.settings import flags
from pilot.settings.flags import NewRule
from tests.engine import worker_process as wp

KEY = "pilot_enabled"
STEPS = [{"id": f"s{n}", "type": "delay", "for_s": 0.3} for n in range(3)]


@pytest.fixture
def agent(world):
    return wp.make_agent(world.operator.id, STEPS)


def ruled(**fields):
    return flags.set_rule(NewRule(**({"key": KEY, "value": True} | fields)), by=wp.BY)


def decided(agent_id, user_id, key=KEY):
    with db.reading(None) as session:
        found = flags.resolve(session, key, agent_id, user_id)
    return found.value, found.rule


@pytest.mark.capability(49)
def test_the_narrowest_rule_wins(agent, world):
    user = world.operator.id
    assert decided(agent, user) == (False, "global")
    settings.change(KEY, True, by=wp.BY)
    assert decided(agent, user) == (True, "global")
    ruled(scope="percentage", percent=100, value=False)
    assert decided(agent, user) == (False, "percentage")
    ruled(scope="user", user_id=user)
    assert decided(agent, user) == (True, "user")
    narrow = ruled(scope="agent", agent_id=agent, value=False)
    assert decided(agent, user) == (False, "agent")
    assert decided(uuid4(), world.admin.id) == (False, "percentage")
    flags.remove(narrow, by=wp.BY)
    assert decided(agent, user) == (True, "user")


@pytest.mark.capability(49)
def test_a_growing_share_only_adds(database, world):
    agents = [uuid4() for _ in range(300)]
    inside = set()
    for percent in (0, 10, 50, 100):
        ruled(scope="percentage", percent=percent)
        now = {one for one in agents if decided(one, None)[0]}
        assert inside <= now
        assert abs(len(now) - 3 * percent) < 40
        inside = now
    assert inside == set(agents)


def test_a_rule_ends_with_its_date(agent, superuser):
    ruled(scope="agent", agent_id=agent, expires_at=datetime.now(UTC) + timedelta(days=1))
    assert decided(agent, None) == (True, "agent")
    superuser.execute("UPDATE flag_rule SET expires_at = pilot_now() - interval '1 s'")
    assert decided(agent, None) == (False, "global")


@pytest.mark.parametrize(
    "fields",
    [
        {"scope": "agent", "agent_id": uuid4()},
        {"scope": "user"},
        {"scope": "percentage", "percent": 101},
        {"scope": "percentage"},
        {"scope": "percentage", "percent": 5, "key": "llm_timeout_s"},
        {"scope": "percentage", "percent": 5, "expires_at": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
)
def test_what_is_no_rule_is_refused(database, world, fields):
    with pytest.raises(InvalidError):
        ruled(**fields)


def test_removed_twice_the_second_is_told(database, world):
    rule = ruled(scope="percentage", percent=5)
    flags.remove(rule, by=wp.BY)
    with pytest.raises(NotFoundError):
        flags.remove(rule, by=wp.BY)


@pytest.mark.capability(3, 49)
def test_an_execution_keeps_what_a_rule_decided_and_runs_by_it(
    database, redis_url, tmp_path, agent, world, superuser
):
    rule = ruled(scope="agent", agent_id=agent)
    with wp.working(wp.config(database, redis_url, tmp_path)):
        execution = wp.start(agent, world.operator.id)
        assert wp.wait_for(database, execution)[0] == "completed"
        execution = wp.start(agent, world.operator.id)
        wp.wait_for(database, execution, {"running", "waiting"})
        flags.remove(rule, by=wp.BY)  # switched off, for this agent too
        assert wp.wait_for(database, execution, {"paused"})[3] == "pilot_disabled"
    kept = superuser.execute("SELECT settings, flags FROM execution ORDER BY id").fetchall()
    assert all(values[KEY] is True and by[KEY]["id"] == str(rule) for values, by in kept)


def test_the_preflight_and_a_start_ask_the_same_question(agent, world, tmp_path):
    user = world.operator
    ruled(scope="user", user_id=user.id)
    with db.reading(user.id) as session:
        from_rule = agents.load(session, agent)
        version = agents.newest(session, from_rule)
        asked = preflight.Asked(user.id)
        checked = preflight.examine(session, from_rule, version, asked, preflight.Setup(tmp_path))
    assert checked.choice.reason == "pilot_steps"
