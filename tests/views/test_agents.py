"""The list of agents: what each did lately, filters in the URL, twins."""

import csv
import io

import pytest

from pilot.engine import agents
from tests.engine import worker_process as wp

STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


@pytest.fixture
def agent(world):
    wp.switch_on()
    return wp.make_agent(world.operator.id, STEPS)


def test_an_empty_list_leads_to_the_goal_box(operator, browse, world):
    assert 'href="/agents/new"' in operator.get("/agents").text
    assert 'href="/agents/new"' not in browse(world.viewer).get("/agents").text


def test_a_row_tells_how_its_executions_went(operator, agent, world, superuser):
    ids = [wp.start(agent, world.operator.id) for _ in range(12)]
    superuser.execute(
        "UPDATE execution SET status = 'completed', started_at = now(), "
        "finished_at = now() + interval '2 s'"
    )
    superuser.execute("UPDATE execution SET status = 'failed' WHERE id = %s", [ids[-1]])
    (row,) = operator.get("/agents.json").json["items"]
    assert (row["runs"], row["succeeded"], row["ended"], row["median_ms"]) == (12, 11, 12, 2000)
    assert [one["id"] for one in row["strip"]] == [str(one) for one in ids[2:]]
    assert row["strip"][-1]["status"] == "failed"
    assert "11 of 12, too few to rate" in operator.get("/agents").text


def test_filters_find_by_name_goal_and_state(operator, agent, world):
    agents.set_active(agent, False, by=world.operator.actor, user_id=world.operator.id)
    for query, total in (("q=TES", 1), ("q=%25", 0), ("state=off", 1), ("state=on", 0)):
        assert operator.get(f"/agents.json?{query}").json["total"] == total
    assert "Ignored filter" in operator.get("/agents?state=odd").text
    assert "Nothing matches" in operator.get("/agents?state=on").text


def test_the_csv_twin_has_the_rows(operator, agent):
    (row,) = csv.DictReader(io.StringIO(operator.get("/agents.csv").text))
    assert row["id"] == str(agent)


@pytest.mark.capability(279)
def test_only_own_agents_are_listed_for_all_but_administrators(browse, world, agent):
    assert browse(world.stranger).get("/agents.json").json["total"] == 0
    assert browse(world.admin).get("/agents.json").json["total"] == 1
