"""The list of executions: filters in the URL over all rows, pages that miss none, twins."""

import csv
import io
from decimal import Decimal

import pytest

from tests.engine import worker_process as wp
from tests.reports.ledger_rows import FAILED, RECORDED, UNPRICED, book

STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]


@pytest.fixture
def agent(world):
    wp.switch_on()
    return wp.make_agent(world.operator.id, STEPS)


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


@pytest.fixture
def many(world, agent, superuser):
    """Give 120 completed executions and one failed one in their middle."""
    ids = [wp.start(agent, world.operator.id) for _ in range(3)]
    superuser.execute("UPDATE execution SET status = 'completed'")
    columns = """owner_id, agent_id, agent_name, version_id, version_number, runs, runs_reason,
      mode, started_by, inputs, settings, settings_version, zone, deadline_at"""
    superuser.execute(
        f"INSERT INTO execution ({columns}, status) "  # noqa: S608 - constants
        f"SELECT {columns}, 'completed' FROM execution, generate_series(1, 39)"
    )
    superuser.execute(
        'UPDATE execution SET status = \'failed\', error = \'{"step": "one", "message": '
        '"The mail server is away"}\' WHERE id = %s',
        [ids[1]],
    )
    return ids


def test_the_one_failed_row_is_found_among_all(operator, many):
    twin = operator.get("/executions.json?status=failed").json
    assert [one["id"] for one in twin["items"]] == [str(many[1])]
    assert twin["total"] == 1
    assert operator.get("/executions.json?q=server+is").json["total"] == 1
    assert operator.get(f"/executions.json?q={many[2]}").json["total"] == 1
    assert operator.get("/executions.json?q=%25").json["total"] == 0


@pytest.mark.parametrize(
    "sort", ["-started", "started", "agent", "-status", "duration", "-cost", "tokens"]
)
def test_pages_show_each_row_once(operator, many, sort):
    url, seen = f"/executions.json?sort={sort}&size=25", []
    while url:
        twin = operator.get(url).json
        seen += [one["id"] for one in twin["items"]]
        url = twin["next"]
    assert len(seen) == len(set(seen)) == 120


def test_a_cursor_of_other_filters_is_ignored_and_said(operator, many):
    following = operator.get("/executions.json?size=25").json["next"]
    cursor = following.partition("after=")[2]
    page = operator.get(f"/executions?status=failed&after={cursor}")
    assert "Ignored filter" in page.text
    assert operator.get("/executions?after=rubbish").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "status=odd",
        "since=yesterday",
        "agent=7",
        "sort=weight",
        "size=7",
        "mode=x",
        "money=x",
        "cost_min=-1",
    ],
)
def test_a_filter_that_means_nothing_is_ignored_and_said(operator, many, query):
    page = operator.get(f"/executions?{query}").text
    assert "Ignored filter" in page
    assert "Nothing matches" not in page


@pytest.mark.capability(169)
def test_cost_and_tokens_are_sums_of_its_calls(operator, many, world, superuser):
    me, (dear, cheap, none) = world.operator.id, many
    for cost in ("0.4", "0.000000000001"):
        book(superuser, me, execution_id=dear, cost=Decimal(cost))
    book(superuser, me, execution_id=cheap, cost=Decimal("0.1"))
    book(superuser, me, execution_id=cheap, **UNPRICED)
    book(superuser, me, execution_id=none, **RECORDED)
    first, second = operator.get("/executions.json?sort=-cost").json["items"][:2]
    assert (first["id"], first["cost_usd"]["amount"]) == (str(dear), "0.400000000001")
    assert (first["tokens"], second["id"]) == (2_200, str(cheap))
    page = operator.get("/executions?sort=-cost").text
    assert "&gt;= $0.10 + 1 unpriced" in page
    assert '<span class="tag ">recorded</span>' in operator.get("/executions?money=recorded").text


def test_filters_of_money_find_what_they_say(operator, many, world, superuser):
    me, (dear, cheap, none) = world.operator.id, many
    book(superuser, me, execution_id=dear, cost=Decimal("0.5"))
    book(superuser, me, execution_id=cheap, **(UNPRICED | FAILED))
    book(superuser, me, execution_id=none, **RECORDED)
    found = {
        query: [one["id"] for one in operator.get(f"/executions.json?{query}").json["items"]]
        for query in ("money=paid", "money=unpriced", "money=wasted", "money=recorded")
    }
    assert list(found.values()) == [[str(dear)], [str(cheap)], [str(cheap)], [str(none)]]
    assert operator.get("/executions.json?money=none").json["total"] == 117
    assert operator.get("/executions.json?cost_min=0.5").json["total"] == 1
    assert operator.get("/executions.json?within=24h").json["total"] == 120


def test_no_match_names_the_filters(operator, many):
    page = operator.get("/executions?status=waiting").text
    assert "Nothing matches" in page
    assert "Clear filters" in page


def test_the_csv_twin_has_the_same_rows(operator, many):
    answer = operator.get("/executions.csv?status=failed")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["id"] == str(many[1])
    assert answer.mimetype == "text/csv"


def test_the_list_is_empty_for_a_stranger(browse, world, many):
    assert browse(world.stranger).get("/executions.json").json["total"] == 0
    assert "Nothing was started yet" in browse(world.stranger).get("/executions").text
    assert browse(world.admin).get("/executions.json").json["total"] == 120


def test_what_is_under_way_says_at_which_step(
    world, operator, superuser, redis_url, database, config
):
    ask = {"id": "ask", "type": "human_approval", "title": "Pay?", "approvers": ["owner"]}
    wp.switch_on()
    asking = wp.make_agent(
        world.operator.id, [wp.put("first", 1), ask | {"dependencies": ["first"]}]
    )
    waiting = wp.start(asking, world.operator.id)
    with wp.working(wp.config(database, redis_url, config.data)):
        wp.wait_for(database, waiting, {"waiting"})
    page = operator.get("/executions").text
    assert 'Waiting</span> <span class="detail">at ask, for a decision</span>' in page
    superuser.execute("UPDATE wait SET consumed_at = now()")
    superuser.execute("UPDATE execution SET status = 'running'")
    assert 'Running</span> <span class="detail">at ask</span>' in operator.get("/executions").text
    superuser.execute("UPDATE execution SET status = 'completed'")
    assert 'class="detail">at' not in operator.get("/executions").text


@pytest.mark.parametrize(("zone", "found"), [("Asia/Kolkata", 1), ("America/New_York", 0)])
def test_days_begin_in_the_zone_of_the_reader(world, agent, operator, superuser, zone, found):
    wp.start(agent, world.operator.id)
    superuser.execute("UPDATE execution SET created_at = '2026-03-01 20:00+00'")
    operator.post("/account/zone", {"zone": zone})
    page = operator.get("/executions?since=2026-03-02&until=2026-03-02")
    assert f"From ({zone} day)" in page.text
    assert f'name="zone" value="{zone}"' in page.text
    days = "since=2026-03-02&until=2026-03-02"
    assert operator.get(f"/executions.json?{days}").json["total"] == found
    assert operator.get(f"/executions.json?{days}&zone=UTC").json["total"] == 0
    assert operator.get(f"/executions.json?{days}&zone=Asia/Kolkata").json["total"] == 1
    assert operator.get(f"/executions.json?{days}&zone=no/such").json["total"] == found
    assert operator.get("/executions.json?since=0001-01-01&until=9999-12-31").json["total"] == 1
    asked = operator.get(f"/executions/bulk/preview?action=cancel&{days}").text
    assert ("Days in" in asked, f'name="zone" value="{zone}"' in asked) == (True, bool(found))


def test_a_replay_that_asked_a_model_is_listed_with_what_costs_money(
    operator, world, superuser, database
):
    agent = wp.make_agent(world.operator.id, [wp.put("a", 1)])
    paid, free = (wp.start(agent, world.operator.id) for _ in range(2))
    superuser.execute("UPDATE execution SET mode = 'simulate'")
    book(superuser, world.operator.id, execution_id=paid, cost=Decimal("0.2"))
    for url in ("/executions.json", "/executions.json?money=paid"):
        assert [one["id"] for one in operator.get(url).json["items"]] == [str(paid)]
    every = operator.get("/executions.json?mode=simulate").json["items"]
    assert {one["id"] for one in every} == {str(paid), str(free)}
