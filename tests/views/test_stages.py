"""How a goal becomes a workflow: stages with counts, cost and the models of the settings."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

import pilot
from pilot import settings
from pilot.engine.providers import model_catalogue
from pilot.engine.providers.model_catalogue import NewPrice
from tests.pages import check_looks
from tests.reports.ledger_rows import FAILED, RECORDED, generate
from tests.views.test_workflow_pilot import CLASSIC
from tests.views.test_workflow_pilot import URL as CONFIG

URL = "/costs/generation"
WRONG = {"reason": "schema", "cost": Decimal("0.002")} | FAILED
MENDED = {"role": "repair", "cost": Decimal("0.003")}
STRONG = {"model_asked": "strong", "model_billed": "strong-9", "cost": Decimal("0.05")}
FALLBACK = STRONG | {"role": "fallback"}
TEMPLATE = Path(pilot.__file__).parent / "templates" / "costs" / "stages.html"
MODELS = ("GPT-6 Luna", "Claude Haiku 5.5")


@pytest.fixture
def log(world, superuser):
    """Give generations that end at each stage: how many of each, and how many were accepted."""
    me, strong = world.operator.id, {"generator": "strong", "fallback_reason": "schema"}
    for number in range(4):
        outcome = "accepted" if number else "offered"
        generate(superuser, me, generator="planner", outcome=outcome)
        generate(superuser, me, {}, generator="cheap", outcome=outcome)
    generate(superuser, me, generator="cache", outcome="accepted")
    generate(superuser, me, WRONG, MENDED, generator="cheap")
    generate(superuser, me, WRONG, FALLBACK, outcome="accepted", **strong)
    generate(superuser, me, WRONG, STRONG | {"role": "draft"}, **strong)  # after a takeover
    generate(
        superuser, me, WRONG, FALLBACK, outcome="accepted", **(strong | {"generator": "edited"})
    )
    generate(superuser, me, WRONG, STRONG | WRONG, failure="No model gave a draft.")
    generate(superuser, me, RECORDED, generator="planner")
    generate(superuser, me, generator="planner", outcome="failed")
    generate(superuser, me, {}, generator="cheap", ago="31 days")


def stages(browser):
    told = browser.get(f"{URL}.json").json["stages_30_days"]
    return {one["stage"]: one for one in told["stages"]}, told


@pytest.mark.capability(99)
def test_each_stage_has_its_drafts_calls_and_cost(browse, world, log, superuser):
    found, told = stages(browse(world.operator))
    drafts = {name: (one["drafts"], one["accepted"]) for name, one in found.items()}
    assert drafts == {
        "cache": (1, 1),
        "nearest": (0, 0),
        "planner": (5, 3),
        "primary": (4, 3),
        "repair": (1, 0),
        "fallback": (3, 2),
        "none": (2, 0),
    }
    cost = {name: Decimal(one["cost_usd"]["amount"]) for name, one in found.items()}
    primary, repair, fallback = Decimal("0.014"), Decimal("0.003"), Decimal("0.152")
    assert (cost["primary"], cost["repair"], cost["fallback"]) == (primary, repair, fallback)
    rows = superuser.execute(
        "SELECT count(*), (SELECT count(*) FROM call WHERE provider <> 'scripted'"
        " AND at > pilot_now() - interval '30 days'), (SELECT sum(cost) FROM call"
        " WHERE at > pilot_now() - interval '30 days')"
        " FROM generation WHERE created_at > pilot_now() - interval '30 days'"
    ).fetchone()
    calls = sum(one["calls"] for one in found.values())
    assert (told["generations"], calls, sum(cost.values())) == rows


@pytest.mark.capability(99)
def test_the_labels_and_the_saving_follow_the_settings(browse, world, log):
    operator, admin = browse(world.operator), browse(world.admin)
    old, new = MODELS
    first = operator.get(URL).text
    assert (f'Primary model: <span dir="auto">{old}' in first, new in first) == (True, False)
    settings.change("orchestrator_primary_model", "claude-haiku-5-5", by=world.admin.actor)
    settings.change("orchestrator_enable_fallback", False, by=world.admin.actor)
    page = operator.get(URL).text
    assert f'Primary model: <span dir="auto">{new}' in page
    assert old not in page
    assert "switched off" in page
    told = stages(admin)[1]
    compared = admin.get(f"{CONFIG}.json").json["comparison"]["rows"][-1]
    assert told["saved_month_usd"] == compared["saved_month_usd"]
    assert told["formula"] == compared["formula"]


@pytest.mark.capability(103)
def test_the_twin_has_the_same_comparison(browse, world):
    admin = browse(world.admin)
    for model_id, (given, output) in CLASSIC.items():
        price = NewPrice({"input": given, "output": output}, "an example")
        model_catalogue.add_price(model_id, price, by=world.admin.actor)
    told = admin.get(f"{CONFIG}.json?volume=10000&rate=5").json
    found = told["comparison"]
    assert (found["generations_a_month"], found["fallback_rate_assumed"]) == (10_000, True)
    assert [Decimal(one["month_usd"]["amount"]) for one in found["rows"]] == [300, 10, 25, 25]
    assert Decimal(found["rows"][2]["saved_year_usd"]["amount"]) == 3_300
    assert {one["group"] for one in told["settings"]} == {"Workflow Pilot"}
    assert admin.get("/system-config/switches.json").json.keys() == {"version", "settings"}
    assert admin.get("/system-config/nothing.json").status_code == 404


def test_the_template_names_no_model_and_no_figure():
    text = TEMPLATE.read_text()
    assert not any(word in text.lower() for word in ("gpt", "claude", "luna", "sonnet", "$"))


def test_a_saving_that_rests_on_assumptions_says_so(browse, world, superuser):
    operator = browse(world.operator)
    assert "rate are assumed" in operator.get(URL).text
    for _ in range(20):
        generate(superuser, world.operator.id, {})
    assert "rate are assumed" not in operator.get(URL).text


def test_counts_are_those_one_may_see(browse, world, log):
    assert Counter(one["drafts"] for one in stages(browse(world.stranger))[0].values()) == {0: 7}


@pytest.mark.browser
def test_axe_finds_nothing_and_nothing_overflows(window, world, log):
    for person in (world.operator, world.stranger):
        page = window(person, bypass_csp=True)
        page.goto(URL)
        check_looks(page)
