"""The list of agents: what each did lately, filters in the URL, twins."""

import csv
import io
import time
from decimal import Decimal

import pytest

from pilot.engine.agents import agents
from tests.api.conftest import program
from tests.engine import worker_process as wp
from tests.reports.ledger_rows import book

__all__ = ["program"]

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
    assert 'action="/demo"' not in operator.get("/agents").text
    assert 'action="/demo"' in browse(world.admin).get("/agents").text


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


def test_what_executions_within_cost_is_told_with_those_that_pay(
    operator, agent, world, superuser, program
):
    parent, child = (wp.start(agent, world.operator.id) for _ in range(2))
    superuser.execute("UPDATE execution SET parent_id = %s WHERE id = %s", [parent, child])
    book(superuser, world.operator.id, execution_id=child, cost=Decimal("0.2"))
    superuser.execute("UPDATE execution SET status = 'completed', finished_at = now()")
    (row,) = operator.get("/agents.json").json["items"]
    assert row["median_cost_usd"]["amount"] == "0.200000000000"
    items = operator.get("/executions.json").json["items"]
    (listed,) = [one for one in items if one["id"] == str(parent)]
    api = program(world.operator)
    whole, result = (api.get(f"/executions/{parent}{one}").json for one in ("", "/result"))
    for told in (listed, whole, result):
        assert Decimal(told["cost_usd"]["amount"]) == 0
        assert Decimal(told["cost_with_children_usd"]["amount"]) == Decimal("0.2")
    assert "$0.20 with those within" in operator.get("/executions").text


def test_the_median_cost_counts_ended_executions_with_a_price(operator, agent, world, superuser):
    ids = [wp.start(agent, world.operator.id) for _ in range(5)]
    costs = ("0.3", "0.000000000001", "0.2", None, "9")
    for execution, cost in zip(ids, costs, strict=True):
        price = None if cost is None else Decimal(cost)
        book(superuser, world.operator.id, execution_id=execution, cost=price)
    superuser.execute(
        "UPDATE execution SET status = 'completed', finished_at = now() WHERE id <> %s", [ids[4]]
    )
    for sort in ("cost", "-cost", "name"):
        (row,) = operator.get(f"/agents.json?sort={sort}").json["items"]
        assert row["median_cost_usd"]["amount"] == "0.200000000000"
        assert row["unpriced_executions"] == 1
    assert "1 unpriced" in operator.get("/agents").text


@pytest.mark.capability(225)
def test_filters_find_by_name_goal_and_state(operator, agent, world):
    agents.set_active(agent, False, by=world.operator.actor, user_id=world.operator.id)
    for query, total in (("q=TES", 1), ("q=%25", 0), ("state=off", 1), ("state=on", 0)):
        assert operator.get(f"/agents.json?{query}").json["total"] == total
    assert "Ignored filter" in operator.get("/agents?state=odd").text
    assert "Nothing matches" in operator.get("/agents?state=on").text


def test_the_csv_twin_has_the_rows(operator, agent):
    (row,) = csv.DictReader(io.StringIO(operator.get("/agents.csv").text))
    assert row["id"] == str(agent)


def test_only_own_agents_are_listed_for_all_but_administrators(browse, world, agent):
    assert browse(world.stranger).get("/agents.json").json["total"] == 0
    assert browse(world.admin).get("/agents.json").json["total"] == 1


@pytest.mark.capability(225)
def test_every_order_holds_over_pages(operator, world):
    for _ in range(60):
        wp.make_agent(world.operator.id, STEPS)
    for sort in ("name", "-changed", "completed", "-median", "used"):
        first = operator.get(f"/agents.json?sort={sort}&size=25").json
        second = operator.get(first["next"].replace("/agents?", "/agents.json?")).json
        ids = [one["id"] for one in first["items"] + second["items"]]
        assert (len(set(ids)), first["total"]) == (50, 60), sort


def test_an_agent_used_long_ago_is_called_unused_and_says_when(operator, agent, world, superuser):
    wp.start(agent, world.operator.id)
    assert "unused 30 days" not in operator.get("/agents").text
    superuser.execute("UPDATE execution SET created_at = created_at - interval '40 days'")
    superuser.execute("UPDATE agent SET created_at = created_at - interval '50 days'")
    (row,) = operator.get("/agents.json").json["items"]
    assert row["unused"]
    assert row["last_at"]
    assert (row["runs"], row["median_ms"]) == (0, None)
    assert "unused 30 days" in operator.get("/agents").text


def test_the_list_stays_quick_over_many_executions(operator, agent, world, superuser):
    for _ in range(49):
        wp.make_agent(world.operator.id, STEPS)
    wp.start(agent, world.operator.id)
    names = "agent_id, owner_id, agent_name, version_id, version_number, runs, runs_reason, mode, "
    names += "trigger, started_by, inputs, settings, settings_version, zone, status, deadline_at"
    superuser.execute(
        f"INSERT INTO execution (session_id, {names}) "  # noqa: S608 -- constants of this test
        f"SELECT uuidv7(), {names} FROM execution, generate_series(1, 20000)"
    )
    superuser.execute("ANALYZE execution")
    list_s, page_s = (
        min(seconds(operator, path) for _ in range(4)) for path in ("/agents", "/account")
    )
    assert list_s < 5 * page_s


def seconds(browser, path):
    start = time.perf_counter()
    assert browser.get(path).status_code == 200
    return time.perf_counter() - start
