"""The first 24 hours: figures equal the rows, and each leads to them."""

import re
from decimal import Decimal

import pytest

from tests.engine import worker_process as wp
from tests.pages import check_looks
from tests.reports.ledger_rows import FAILED, RECORDED, UNPRICED, book, generate

STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]
HOURS = (100, 99, 99, 90, 77, 76, 75, 1)  # the 24 hours end 76 hours ago
COUNTS = """
WITH day AS (SELECT min(created_at) AS since FROM execution)
SELECT (SELECT count(*) FROM execution WHERE created_at < since + interval '24 h'),
  (SELECT count(*) FROM execution WHERE status = 'failed' AND created_at < since + interval '24 h'),
  (SELECT sum(cost) FROM call WHERE at >= since AND at < since + interval '24 h'),
  (SELECT count(*) FROM call WHERE at >= since AND at < since + interval '24 h' AND cost IS NULL),
  (SELECT count(*) FROM generation WHERE created_at >= since
      AND created_at < since + interval '24 h')
  FROM day"""


@pytest.fixture
def log(world, superuser):
    """Give 8 executions, calls and drafts in, before and after the first 24 hours."""
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, STEPS)
    for number, hours in enumerate(HOURS):
        made = wp.start(agent, world.operator.id)
        status = ("completed", "failed", "completed_with_errors")[number % 3]
        superuser.execute(
            "UPDATE execution SET status = %s, finished_at = pilot_now(),"
            " created_at = pilot_now() - %s * interval '1 hour' WHERE id = %s",
            [status, hours, made],
        )
        facts = {"execution_id": made, "cost": Decimal(number + 1) / 1000}
        book(superuser, world.operator.id, ago=f"{hours} hours -1 s", **facts)
    book(superuser, world.operator.id, ago="80 hours", **UNPRICED)
    book(superuser, world.operator.id, ago="80 hours", **RECORDED)
    for ago in ("101 hours", "99 hours", "90 hours", "70 hours"):
        calls = ({"reason": "schema"} | FAILED, {"role": "fallback"})
        generate(superuser, world.operator.id, *calls, ago=ago, fallback_reason="schema")
        generate(superuser, world.operator.id, ago=ago)


@pytest.mark.capability(50)
def test_the_figures_equal_the_rows(browse, world, log, superuser):
    told = browse(world.operator).get("/first-day.json").json
    runs, failed, cost, unpriced, drafts = superuser.execute(COUNTS).fetchone()
    assert (runs, failed, drafts) == (5, 2, 4)
    assert (told["executions"], told["failed"], told["drafts"]) == (runs, failed, drafts)
    assert (Decimal(told["cost_usd"]["amount"]), told["unpriced_calls"]) == (cost, unpriced)
    assert (told["drafts_that_called_a_model"], told["fell_back"]) == (2, 2)
    assert told["over"] is True


@pytest.mark.capability(50)
def test_each_number_leads_to_its_rows(browse, world, log):
    operator = browse(world.operator)
    page = operator.get("/first-day").text
    tiles = re.findall(
        r'<a href="([^"]+)">([^<]+)</a></p>\s*<p class="tile-value[^>]*>(.*?)</p>', page
    )
    links = {name: (url.replace("&amp;", "&"), value) for url, name, value in tiles}
    for name in ("Executions", "Failed"):
        url, value = links[name]
        path, _, query = url.partition("?")
        total = operator.get(f"{path}.json?{query}").json["total"]
        assert value.startswith(str(total))
    for name in ("Cost", "Fallback rate", "Drafts"):
        assert f'id="{links[name][0][1:]}"' in page
    drafts = page.split('id="drafts"')[1]
    assert drafts.count('href="/generations/') == 4


def test_without_an_execution_the_day_begins_with_the_first_person(browse, world, superuser):
    superuser.execute("UPDATE app_user SET created_at = pilot_now() - interval '30 hours'")
    generate(superuser, world.operator.id, ago="20 hours")
    generate(superuser, world.operator.id, ago="2 hours")
    operator = browse(world.operator)
    told = operator.get("/first-day.json").json
    assert (told["executions"], told["drafts"], told["over"]) == (0, 1, True)
    assert "Nothing has run yet" in operator.get("/first-day").text


def test_a_stranger_sees_nothing_of_it(browse, world, log):
    told = browse(world.stranger).get("/first-day.json").json
    assert (told["executions"], told["calls"], told["drafts"]) == (0, 0, 0)


@pytest.mark.browser
def test_axe_finds_nothing_and_nothing_overflows(window, world, log):
    for person in (world.operator, world.stranger):
        page = window(person, bypass_csp=True)
        page.goto("/first-day")
        check_looks(page)
