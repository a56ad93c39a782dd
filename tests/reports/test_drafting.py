"""The generation report on a golden log with known answers."""

from decimal import Decimal

import pytest

from pilot import db
from pilot.reports import drafting
from tests.reports.ledger_rows import FAILED, RECORDED, generate

CENT, DIME = Decimal("0.01"), Decimal("0.10")
GOOD = {"cost": CENT}
WRONG = {"cost": CENT, "reason": "schema"} | FAILED
SLOW = {"cost": CENT, "reason": "timeout"} | FAILED
MENDED = {"cost": CENT, "role": "repair"}
STRONG = {"cost": DIME, "role": "fallback", "model_asked": "strong", "model_billed": "strong-9"}
OLD = "8 days"


@pytest.fixture
def log(world, superuser):
    """Give 40 generations of the operator: 25 of this week called a model, 2 of them fell back."""
    me = world.operator.id
    for number in range(20):
        repairs = 1 if number < 4 else 0
        outcome = "accepted" if number < 10 else "offered"
        generate(superuser, me, GOOD, generator="cheap", repairs=repairs, outcome=outcome)
    for _ in range(3):
        generate(superuser, me, WRONG, MENDED, generator="cheap", outcome="accepted")
    for reason, bad in (("schema", WRONG), ("timeout", SLOW)):
        generate(superuser, me, bad, STRONG, generator="strong", fallback_reason=reason)
    for number in range(5):
        generate(superuser, me, outcome="accepted" if number else "offered")
    for _ in range(9):
        generate(superuser, me, WRONG, STRONG, ago=OLD, fallback_reason="schema")
    generate(superuser, me, RECORDED, fallback_reason="schema")


def report(person, **more):
    with db.reading(person.id, **more) as session:
        return drafting.report(session)


@pytest.mark.capability(96, 112)
def test_the_fallback_rate_counts_this_weeks_generations_that_called_a_model(world, log):
    found = report(world.operator).fallback
    assert (found.all, found.called, found.free) == (31, 25, 6)
    assert (found.fell_back, found.rate) == (2, Decimal("0.08"))
    assert found.reasons == {"schema": 1, "timeout": 1}


@pytest.mark.capability(114)
def test_validation_success_counts_the_first_draft_of_each_model(world, log):
    cheap, strong = report(world.operator).drafted
    assert (cheap.model, cheap.drafts, cheap.valid, cheap.unrepaired) == ("cheap-2026", 24, 20, 16)
    assert (cheap.offered, cheap.accepted, cheap.reaches_target) == (23, 13, False)
    assert (strong.model, strong.drafts, strong.valid) == ("strong-9", 2, 2)
    assert (strong.accepted, strong.reaches_target) == (0, None)


@pytest.mark.capability(97, 98, 113)
def test_cost_by_generator_is_the_sum_of_all_its_attempts(world, log):
    strong, cheap = report(world.operator).generators
    assert (strong.model, strong.generations, strong.spent.cost) == ("strong-9", 11, 11 * DIME)
    assert (cheap.generations, cheap.spent.calls) == (34, 37)
    assert (cheap.spent.cost, cheap.mean) == (37 * CENT, 37 * CENT / 34)
    assert (cheap.spent.wasted, cheap.spent.wasted_tokens) == (14 * CENT, 14 * 1_100)
    assert (cheap.accepted, cheap.per_accepted) == (13, 37 * CENT / 13)
    assert strong.per_accepted is None


@pytest.mark.capability(248)
def test_an_accepted_workflow_costs_what_all_generations_cost(world, log):
    found = report(world.operator)
    assert found.total.cost == 37 * CENT + 11 * DIME
    assert (found.accepted, found.free_accepted, found.free) == (17, 4, 6)
    assert found.per_accepted == (37 * CENT + 11 * DIME) / 17


def test_no_mean_hides_a_call_without_a_price(world, superuser):
    generate(superuser, world.operator.id, GOOD, GOOD | {"cost": None}, outcome="accepted")
    found = report(world.operator)
    assert (found.generators[0].mean, found.generators[0].spent.unpriced) == (None, 1)
    assert found.per_accepted is None


@pytest.mark.parametrize(
    ("called", "fell_back", "advice"),
    [
        (20, 3, "improve the prompt"),
        (20, 2, ""),
        (50, 1, ""),
        (51, 1, "consider switching the fallback off"),
        (20, 0, "consider switching the fallback off"),
        (19, 19, "Too few to tell: 19 of 20"),
    ],
)
def test_advice_follows_the_rate_and_waits_for_enough_generations(called, fell_back, advice):
    found = drafting.Fallback(called, called, fell_back, {}).advice
    assert advice in found
    assert bool(found) == bool(advice)


def test_each_owner_sees_their_own_and_an_administrator_all(world, log, superuser):
    generate(superuser, world.stranger.id, GOOD)
    assert report(world.stranger).fallback.called == 1
    assert report(world.operator).fallback.called == 25
    assert report(world.admin, sees_all=True).fallback.called == 26
