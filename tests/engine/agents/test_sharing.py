"""Shared agents: who sees what of them, who may press, whose the rows are."""

import pytest
from sqlalchemy import text

from pilot import db
from pilot.engine.agents import access, agents, sharing
from pilot.engine.life import executions, retrying, starts
from pilot.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from tests.engine import worker_process as wp
from tests.engine.people.test_users import recorded

STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]
ROWS = ("agent", "workflow_version", "execution", "event")


@pytest.fixture
def agent(world):
    wp.switch_on()
    return wp.make_agent(world.operator.id, STEPS)


@pytest.fixture
def execution(agent, world):
    return wp.start(agent, world.operator.id)


@pytest.fixture
def share(agent, world):
    """Give `share(person, level)`: the owner shares the agent."""

    def share(person, level):
        owner = world.operator
        sharing.share(agent, person.email, level, by=owner.actor, user_id=owner.id)

    return share


def unshare(agent, person, world):
    sharing.unshare(agent, person.id, by=world.operator.actor, user_id=world.operator.id)


def seen(person):
    """Return how many rows of each table a person sees."""
    with db.reading(person.id) as session:
        return {name: session.scalar(text(f"SELECT count(*) FROM {name}")) for name in ROWS}  # noqa: S608


@pytest.mark.capability(226)
def test_what_is_shared_is_seen_until_it_is_taken_back(world, agent, execution, share):
    other = wp.make_agent(world.operator.id, STEPS)
    wp.start(other, world.operator.id)
    assert set(seen(world.viewer).values()) == {0}
    share(world.viewer, "read")
    assert seen(world.viewer) == {"agent": 1, "workflow_version": 1, "execution": 1, "event": 1}
    assert set(seen(world.stranger).values()) == {0}
    with db.reading(world.viewer.id) as session:
        assert executions.find(session, execution).owner_id == world.operator.id
        with pytest.raises(NotFoundError):
            agents.load(session, other)
        told = sharing.people(session, agent)
    assert [(one.email, one.level) for one in told] == [(world.viewer.email, "read")]
    unshare(agent, world.viewer, world)
    assert set(seen(world.viewer).values()) == {0}
    with pytest.raises(ConflictError, match="any more"):
        unshare(agent, world.viewer, world)
    events = [event for event, _ in recorded()]
    assert events.count("AGENT_SHARED") == events.count("AGENT_UNSHARED") == 1


@pytest.mark.capability(226)
def test_who_may_run_presses_for_the_owner(world, agent, share, superuser):
    share(world.stranger, "run")
    who = {"by": world.stranger.actor, "user_id": world.stranger.id}
    execution = starts.start(agent, starts.Start(key="k"), **who)
    assert starts.start(agent, starts.Start(key="k"), **who) == execution
    executions.pause(execution, **who)
    executions.resume(execution, key="r", **who)
    executions.resume(execution, key="r", **who)
    executions.cancel(execution, **who)
    row = superuser.execute("SELECT owner_id, started_by, status FROM execution").fetchall()
    assert row == [(world.operator.id, world.stranger.id, "cancelled")]
    query = "SELECT record FROM audit WHERE chain = %s"
    records = [one for (one,) in superuser.execute(query, [str(execution)]).fetchall()]
    assert len(records) == 4
    assert all(f'"actor":"user:{world.stranger.id}"' in one for one in records)


def test_who_may_run_saves_inputs_of_their_own(world, agent, share):
    share(world.stranger, "run")
    agents.save_inputs(agent, {"n": 1}, user_id=world.stranger.id)
    query = text("SELECT user_id, owner_id FROM agent_configuration")
    for person, count in ((world.stranger, 1), (world.operator, 1), (world.viewer, 0)):
        with db.reading(person.id) as session:
            assert len(session.execute(query).all()) == count
    unshare(agent, world.stranger, world)
    with db.reading(world.stranger.id) as session:
        assert session.execute(query).all() == []


@pytest.mark.capability(226)
@pytest.mark.parametrize(
    "press", [executions.pause, executions.resume, executions.cancel, retrying.failed]
)
def test_who_may_look_presses_nothing(world, execution, share, press, superuser):
    share(world.stranger, "read")
    who = {"by": world.stranger.actor, "user_id": world.stranger.id}
    with pytest.raises(ForbiddenError, match="to look at"):
        press(execution, **who)
    query = "SELECT status, cancel_requested_at, pause_requested_at FROM execution"
    assert superuser.execute(query).fetchall() == [("queued", None, None)]


@pytest.mark.parametrize("level", ["read", "run"])
def test_only_the_owner_changes_and_shares(world, agent, share, level):
    share(world.stranger, level)
    who = {"by": world.stranger.actor, "user_id": world.stranger.id}
    for act in (
        lambda: agents.set_active(agent, False, **who),
        lambda: agents.restore(agent, 1, **who),
        lambda: sharing.share(agent, world.viewer.email, "read", **who),
        lambda: sharing.unshare(agent, world.stranger.id, **who),
    ):
        with pytest.raises(ForbiddenError, match="only its owner"):
            act()
    if level == "read":
        for act in (
            lambda: starts.start(agent, starts.Start(), **who),
            lambda: agents.save_inputs(agent, {}, user_id=world.stranger.id),
        ):
            with pytest.raises(ForbiddenError, match="to look at"):
                act()
    copy = agents.duplicate(agent, key=None, **who)
    with db.reading(world.stranger.id) as session:
        assert agents.load(session, copy).owner_id == world.stranger.id


def test_an_administrator_shares_for_the_owner(world, agent):
    who = {"by": world.admin.actor, "user_id": world.admin.id}
    with pytest.raises(NotFoundError):
        sharing.share(agent, world.viewer.email, "read", **who)
    sharing.share(agent, world.viewer.email, "read", sees_all=True, **who)
    assert seen(world.viewer)["agent"] == 1


def test_a_later_level_replaces_the_earlier(world, agent, share):
    for level in ("run", "read"):
        share(world.stranger, level)
        with db.reading(world.stranger.id) as session:
            assert access.level(session, agent, world.stranger.id) == level


@pytest.mark.parametrize(
    ("email", "level", "path"),
    [
        ("nobody@pilot.test", "read", "/email"),
        ("operator@pilot.test", "read", "/email"),
        ("viewer@pilot.test", "own", "/level"),
    ],
)
def test_what_cannot_be_shared_is_said(world, agent, email, level, path):
    with pytest.raises(InvalidError) as refused:
        sharing.share(agent, email, level, by=world.operator.actor, user_id=world.operator.id)
    assert [one.path for one in refused.value.issues] == [path]
