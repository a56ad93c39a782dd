"""Name, goal, prompt and tags: kept as given, each change told, what does not fit refused."""

import pytest

from pilot import db
from pilot.engine.agents import agent_details, agents
from pilot.engine.agents.agent_details import Details
from pilot.errors import InvalidError
from tests.engine import worker_process as wp

STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]


@pytest.fixture
def agent(world):
    return wp.make_agent(world.operator.id, STEPS)


def change(agent, world, **facts):
    details = Details(**({"name": "New", "goal": "g", "prompt": "p"} | facts))
    who = world.operator
    return agent_details.change(agent, details, by=who.actor, user_id=who.id)


def audited(superuser):
    query = "SELECT record::json -> 'details' FROM audit WHERE event = 'AGENT_UPDATED'"
    return [row[0] for row in superuser.execute(query).fetchall()]


@pytest.mark.capability(225)
def test_what_is_given_is_stored_and_told_once(agent, world, superuser):
    given = change(agent, world, tags=agent_details.tags_of("Mail,  sales  team , mail,,"))
    assert given.tags == ("mail", "sales team")
    with db.reading(world.operator.id) as session:
        assert agent_details.of(agents.load(session, agent)) == given
    change(agent, world, tags=given.tags)
    (told,) = audited(superuser)
    assert told["changed"]["name"] == {"before": "Test", "after": "New"}


@pytest.mark.parametrize(
    ("facts", "path"),
    [
        ({"name": " "}, "/name"),
        ({"name": "x" * 121}, "/name"),
        ({"goal": "x" * 8_001}, "/goal"),
        ({"prompt": "x" * 20_001}, "/prompt"),
        ({"tags": ("x" * 41,)}, "/tags"),
        ({"tags": tuple(map(str, range(21)))}, "/tags"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(agent, world, facts, path):
    with pytest.raises(InvalidError) as caught:
        change(agent, world, **facts)
    assert [one.path for one in caught.value.issues] == [path]
