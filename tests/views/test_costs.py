"""Costs: every figure is an exact sum of ledger rows, what has no price never counts as $0."""

import csv
import io
import random
from decimal import Decimal

import pytest

from tests.engine import worker_process as wp
from tests.pages import check_looks
from tests.reports.ledger_rows import FAILED, RECORDED, UNPRICED, book, generate

STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]
GROUPS = ("day", "model", "agent", "user", "role", "intent", "step_type", "outcome")
NAMES = ("calls", "tokens", "cost_usd", "wasted_usd", "unpriced_calls", "counterfactual_usd")


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


@pytest.fixture
def many(world, superuser):
    """Give 300 calls of two people over 20 days: odd digits, some wasted, unpriced, recorded."""
    agent = wp.make_agent(world.operator.id, STEPS)
    steps = asked_steps(superuser, agent, world.operator.id)
    with superuser.pipeline():
        _book_many(superuser, world, agent, steps)


def _book_many(superuser, world, agent, steps):
    dice = random.Random(7)  # the same rows in each run
    for number in range(300):
        owner = world.operator.id if number % 3 else world.stranger.id
        facts = {
            "cost": Decimal(dice.randrange(1, 10**10)) / 10**12,
            "input_tokens": dice.randrange(5_000),
            "cache_read_tokens": dice.randrange(900),
            "cache_write_long_tokens": dice.randrange(9),
            "reasoning_tokens": dice.randrange(300),
            "tokens_saved": dice.randrange(50),
            "baseline_input": Decimal(dice.randrange(10**12)) / 10**12,
            "role": dice.choice(["step", "draft", "fallback"]),
            "intent": dice.choice([None, "extract", "summarize"]),
            "agent_id": agent if number % 3 == 1 else None,
            "model_billed": dice.choice(["cheap-2026", "strong", None]),
        }
        if number % 3 and number % 2:
            facts |= steps[number % len(steps)]
        facts |= {} if number % 5 else FAILED | {"reason": "timeout"}
        facts |= {} if number % 11 else UNPRICED
        facts |= {} if number % 13 else RECORDED
        book(superuser, owner, ago=f"{dice.randrange(20 * 24)} hours", **facts)


def asked_steps(superuser, agent, owner):
    """Insert an execution with steps of two types, one tried twice; return where calls belong."""
    wp.switch_on()
    made = wp.start(agent, owner)
    steps = ("read", 1, "ai_processing"), ("read", 2, "ai_processing"), ("judge", 1, "llm_decision")
    for path, attempt, kind in steps:
        superuser.execute(
            "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status,"
            " fence, started_at) VALUES (%s, %s, %s, %s, %s, 'failed', 1, pilot_now())",
            [made, path, attempt, owner, kind],
        )
    places = [{"path": path, "attempt": attempt} for path, attempt, _ in steps]
    return [{"execution_id": made} | one for one in (*places, {"path": "gone", "attempt": 1})]


def twin(browser, query=""):
    return browser.get(f"/costs.json?{query}").json


def number(value):
    if value is None:  # nothing of it has a price
        return Decimal(0)
    return Decimal(value["amount"] if isinstance(value, dict) else value)


def numbers(line):
    return [number(line[name]) for name in NAMES]


TOTAL = """SELECT count(*),
  sum(input_tokens + cache_read_tokens + cache_write_tokens + cache_write_long_tokens
    + output_tokens + reasoning_tokens),
  sum(cost), sum(cost) FILTER (WHERE wasted), count(*) FILTER (WHERE cost IS NULL),
  sum(((input_tokens + tokens_saved) * baseline_input + cache_read_tokens * baseline_cache_read
    + cache_write_tokens * baseline_cache_write
    + cache_write_long_tokens * baseline_cache_write_long
    + (output_tokens + reasoning_tokens) * baseline_output) * 0.000001)
    FILTER (WHERE cost IS NOT NULL AND NOT wasted)
 FROM call WHERE provider <> 'scripted' AND (%(owner)s::uuid IS NULL OR owner_id = %(owner)s)"""


@pytest.mark.capability(169, 292)
def test_totals_equal_the_ledger_to_the_last_digit(browse, world, many, superuser):
    for person, owner in ((world.operator, world.operator.id), (world.admin, None)):
        expected = list(superuser.execute(TOTAL, {"owner": owner}).fetchone())
        browser = browse(person)
        for group in GROUPS:
            answer = twin(browser, f"group={group}")
            assert numbers(answer["total"]) == expected, group
            lines = [numbers(line) for line in answer["items"]]
            assert [sum(column) for column in zip(*lines, strict=True)] == expected, group


KEYS = {
    "day": "(at AT TIME ZONE 'UTC')::date::text",
    "model": "coalesce(model_billed, model_asked)",
    "agent": "coalesce(agent_id::text, 'none')",
    "user": "owner_id::text",
    "role": "role",
    "intent": "coalesce(intent, 'none')",
    "outcome": "coalesce(reason, outcome)",
}
STEP_TYPES = """SELECT coalesce(s.type, 'none') AS name, call.* FROM call
  LEFT JOIN step_execution s USING (execution_id, path, attempt)"""


@pytest.mark.capability(292)
def test_each_group_equals_its_rows_of_the_ledger(operator, world, many, superuser):
    for group in GROUPS:
        rows = STEP_TYPES if group == "step_type" else f"SELECT {KEYS[group]} AS name, * FROM call"  # noqa: S608
        grouped = (
            "SELECT name, count(*), sum(cost), count(*) FILTER (WHERE cost IS NULL),"  # noqa: S608
            f" sum(cost) FILTER (WHERE wasted) FROM ({rows}) one"
            " WHERE provider <> 'scripted' AND one.owner_id = %s GROUP BY name"
        )
        found = superuser.execute(grouped, [world.operator.id])
        _same(
            twin(operator, f"group={group}&zone=UTC")["items"], {row[0]: row[1:] for row in found}
        )


def _same(items, expected):
    assert {one["key"] for one in items} == set(expected)
    for one in items:
        calls, cost, unpriced, wasted = expected[one["key"]]
        assert (one["calls"], one["unpriced_calls"]) == (calls, unpriced)
        assert number(one["cost_usd"]) == (cost or 0)
        assert number(one["wasted_usd"]) == (wasted or 0)
        if cost is None:
            assert one["cost_usd"] is None


@pytest.mark.capability(292)
def test_the_sheet_streams_the_same_lines(operator, many):
    for group in GROUPS:
        sheet = operator.client.get(f"/costs.csv?group={group}")
        assert sheet.is_streamed
        rows = list(csv.DictReader(io.StringIO(sheet.text)))
        items = twin(operator, f"group={group}")["items"]
        assert [row[group] for row in rows] == [item["key"] for item in items]
        amounts = [(item["cost_usd"] or {"amount": ""})["amount"] for item in items]
        assert [row["cost_usd"] for row in rows] == amounts
        assert {"wasted_usd", "unpriced_calls", "saved_usd"} <= set(rows[0])


def test_what_has_no_price_stands_beside_the_sum(operator, world, superuser):
    book(superuser, world.operator.id, cost=Decimal("1.24"))
    for _ in range(3):
        book(superuser, world.operator.id, **UNPRICED)
    page = operator.get("/costs?group=model").text
    assert "&gt;= $1.24 + 3 unpriced" in page
    assert "&gt;= $0 + 3 unpriced" in page
    assert number(twin(operator)["total"]["cost_usd"]) == Decimal("1.24")


@pytest.mark.capability(115)
def test_saved_is_counted_against_the_baseline_with_its_formula(operator, world, superuser):
    book(superuser, world.operator.id, cost=Decimal("0.0005"))
    book(superuser, world.operator.id, cost=Decimal("0.0003"), **FAILED)
    book(superuser, world.operator.id, cost=Decimal(9), baseline_input=None)
    total = twin(operator)["total"]
    # 1,000 x $2 + 100 x $10 a million tokens = $0.003, of the used call only
    assert number(total["counterfactual_usd"]) == Decimal("0.003")
    assert number(total["saved_usd"]) == Decimal("0.0022")
    assert total["saved_percent"] == 73.3
    (agent,) = twin(operator, "group=agent")["items"]
    assert agent["saved_usd"] == total["saved_usd"]
    page = operator.get("/costs").text
    assert "Counterfactual" in page
    assert "saved / (used + saved) = $0.0022 / ($0.0008 + $0.0022) = 73.3 %" in page


def test_recorded_answers_and_open_calls_stand_outside(operator, world, superuser):
    book(superuser, world.operator.id, **RECORDED)
    book(superuser, world.operator.id, state="reserved", cost=None, outcome=None)
    answer = twin(operator)
    assert (answer["items"], answer["total"]["calls"]) == ([], 0)
    assert (answer["recorded_calls"], answer["calls_under_way"]) == (1, 1)
    page = operator.get("/costs").text
    assert "1 recorded answer stands outside" in page
    assert "No call to a model in these days" in page


def test_a_call_lost_with_its_worker_counts_at_its_worst(operator, world, superuser):
    lost = FAILED | {"state": "lost", "cost": Decimal("0.5")}
    book(superuser, world.operator.id, **lost)
    (item,) = twin(operator, "group=outcome")["items"]
    assert (item["key"], number(item["wasted_usd"])) == ("lost", Decimal("0.5"))


def test_a_day_begins_at_midnight_of_the_zone(operator, world, superuser):
    book(superuser, world.operator.id)
    superuser.execute("UPDATE call SET at = '2026-03-14 23:30+00'")
    days = "since=2026-03-15&until=2026-03-15"
    assert twin(operator, f"{days}&zone=UTC")["items"] == []
    (item,) = twin(operator, f"{days}&zone=Europe/Berlin")["items"]
    assert item["key"] == "2026-03-15"


def test_a_name_leads_to_the_calls_behind_it(operator, world, many):
    for group in GROUPS[1:]:
        for item in twin(operator, f"group={group}")["items"]:
            narrowed = twin(operator, f"group=day&{group}={item['key']}")
            assert narrowed["total"]["cost_usd"] == item["cost_usd"]
            assert narrowed["total"]["calls"] == item["calls"]


@pytest.mark.parametrize(
    "query",
    [
        "since=soon",
        "until=0001-01-01",
        "zone=Mars/Base",
        "group=colour",
        "since=2026-03-02&until=2026-03-01",
        "since=2001-01-01",
    ],
)
def test_a_value_that_means_nothing_is_ignored_and_said(operator, many, query):
    answer = operator.get(f"/costs?{query}")
    assert answer.status_code == 200
    assert "Ignored filter" in answer.text


def test_hostile_narrowing_is_text_and_matches_nothing(operator, many):
    page = operator.get("/costs?model=%3Cscript%3E%27--&group=agent")
    assert page.status_code == 200
    assert "<script>'" not in page.text
    assert "Nothing matches" in page.text


def test_the_chart_draws_every_day_and_the_table_totals(operator, many):
    page = operator.get("/costs").text
    assert page.count("<g><title>") == 30
    assert 'class="total"' in page


def test_a_filter_gets_the_rows_alone(operator, many):
    part = operator.fragment("/costs?group=model").text
    assert 'id="costs"' in part
    assert "<h1" not in part


def test_a_stranger_sees_no_cost_of_others(browse, world, superuser):
    book(superuser, world.operator.id)
    assert twin(browse(world.stranger))["total"]["calls"] == 0
    assert twin(browse(world.admin))["total"]["calls"] == 1


@pytest.mark.browser
def test_axe_finds_nothing_and_nothing_overflows(window, world, many):
    page = window(world.operator, bypass_csp=True)
    for url in ("/costs", "/costs?group=agent", "/costs?since=2020-01-01&until=2020-01-02"):
        page.goto(url)
        check_looks(page)


@pytest.mark.capability(112, 113, 114)
def test_the_page_of_generations_shows_rates_costs_and_rows(browse, world, superuser):
    failed = FAILED | {"reason": "schema", "cost": Decimal("0.01")}
    strong = {"role": "fallback", "model_billed": "strong", "cost": Decimal("0.09")}
    made = generate(
        superuser,
        world.operator.id,
        failed,
        strong,
        outcome="accepted",
        fallback_reason="schema",
        goal="<script>alert(1)</script>",
    )
    page = browse(world.operator).get("/costs/generation").text
    assert "1 of 1, too few to rate" in page
    assert "$0.10 for 1 accepted" in page
    assert f'href="/generations/{made}"' in page
    assert "<script>alert" not in page
    assert f'href="/generations/{made}"' not in browse(world.admin).get("/costs/generation").text
    facts = browse(world.operator).get("/costs/generation.json").json
    assert facts["fallback_7_days"]["reasons"] == {"schema": 1}
    assert number(facts["cost_per_accepted_usd"]) == Decimal("0.1")
    assert facts["wasted_tokens_30_days"] == 1_100


def test_without_generations_the_page_says_what_it_will_show(operator):
    page = operator.get("/costs/generation").text
    assert "Nothing was drafted in 30 days" in page


@pytest.mark.browser
def test_axe_finds_nothing_on_the_page_of_generations(window, world, superuser):
    calls = {"cost": None}, FAILED | {"reason": "timeout"}
    generate(superuser, world.operator.id, *calls, fallback_reason="timeout")
    page = window(world.operator, bypass_csp=True)
    page.goto("/costs/generation")
    check_looks(page)
