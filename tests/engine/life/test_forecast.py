"""What an execution will take, said before it runs: from its own runs, else from what is usual."""

from decimal import Decimal

import pytest
from cryptography.fernet import Fernet

from pilot import db, settings, vault
from pilot.engine.agents import agents
from pilot.engine.life import preflight
from pilot.engine.life.forecast import ENOUGH_RUNS, forecast
from pilot.engine.providers import own_models
from tests.engine import worker_process as wp
from tests.engine.generation.asked import set_up
from tests.reports.ledger_rows import book

ASK = {"id": "sum", "type": "ai_processing", "prompt": "Sum it up.", "intent": "extract"}
SET = {"id": "set", "type": "transform", "operation": "set", "config": {"value": 1}}
APPROVAL = {"id": "ok", "type": "human_approval", "title": "Go on?", "approvers": ["owner"]}
DELAY = {"id": "rest", "type": "delay", "for_s": 86_400}


@pytest.fixture
def models(peer, database, world):
    vault.configure([Fernet.generate_key().decode()])
    set_up(peer)
    yield
    vault.configure([])


def said(user, *steps, agent=None, **document):
    with db.reading(user.id) as session:
        return forecast(session, {"format": 1, "steps": list(steps)} | document, agent)


@pytest.mark.capability(262)
def test_without_a_model_it_costs_nothing_and_people_are_not_counted_in_the_time(models, world):
    found = said(world.operator, SET, APPROVAL, DELAY)
    assert (found.asks, found.likely_usd, found.rarely_usd) == (0, 0, 0)
    assert (found.people, found.timers) == (1, 1)
    assert found.seconds < 60


@pytest.mark.capability(262)
def test_an_unknown_step_costs_what_is_usual_for_its_intent_at_todays_price(models, world):
    found = said(world.operator, ASK)
    # 333 tokens of an answer and 667 sent, beside the prompt, at $0.50 and $0.10 per million
    assert Decimal("0.000233") < found.likely_usd < Decimal("0.00024")
    assert found.rarely_usd == pytest.approx(found.likely_usd * Decimal("2.5"))
    assert (found.asks, found.model_id, found.measured) == (1, "cheap", 0)
    assert said(world.operator, ASK, ASK | {"id": "again"}).likely_usd == 2 * found.likely_usd


def test_of_branches_the_dearest_counts_and_the_branch_for_errors_does_not(models, world):
    either = {"id": "if", "type": "conditional", "condition": "1 == 1"}
    either |= {"then": [SET], "else": [ASK, ASK | {"id": "more"}]}
    error = SET | {"id": "x", "on_error": {"branch": [ASK | {"id": "mend"}]}}
    assert said(world.operator, either, error).asks == 2


@pytest.mark.capability(262)
def test_a_step_that_ran_often_is_judged_by_its_own_runs(models, world, superuser):
    user = world.operator
    agent = wp.make_agent(user.id, [ASK, SET])
    for run in range(ENOUGH_RUNS):
        execution = wp.start(agent, user.id)
        superuser.execute(
            "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status,"
            " fence, started_at, finished_at, duration_ms)"
            " VALUES (%s, 'sum', 1, %s, 'ai_processing', 'completed', 1, now(), now(), 5000)",
            [execution, user.id],
        )
        cost = Decimal("0.01") if run % 2 else Decimal("0.03")
        book(superuser, user.id, execution_id=execution, path="sum", attempt=1, cost=cost)
    found = said(user, ASK, SET, agent=agent)
    assert (found.likely_usd, found.measured, found.asks) == (Decimal("0.02"), 1, 1)
    # mean + 1.645 x the standard deviation of ten values 0.01 off the mean
    assert found.rarely_usd == pytest.approx(Decimal("0.03734"), abs=Decimal("0.00001"))
    assert found.seconds == pytest.approx(5, abs=0.1)


def test_what_nobody_knows_the_price_of_is_said_so(models, world):
    own_models.add_model(
        own_models.NewModel("new", "peer-cheap", "new", "New", "fast", 9_000, 900), by=wp.BY
    )
    settings.change("orchestrator_primary_model", "new", by=wp.BY)
    found = said(world.operator, ASK)
    assert (found.model_id, found.unpriced, found.likely_usd) == ("new", 1, 0)


def test_a_budget_that_may_be_too_small_is_seen(models, world):
    small = {"policies": {"budget": {"cost_usd": "0.0005"}}}
    assert said(world.operator, ASK, **small).may_exceed
    assert not said(world.operator, ASK).may_exceed


def test_a_budget_that_may_be_too_small_is_told_before_the_start(models, world, tmp_path):
    user = world.operator
    wp.switch_on()
    small = {"budget": {"cost_usd": "0.0005"}}
    agent_id = wp.make_agent(user.id, [ASK, SET], policies=small)
    with db.reading(user.id) as session:
        agent = agents.load(session, agent_id)
        asked, setup = preflight.Asked(user.id), preflight.Setup(tmp_path)
        version = agents.newest(session, agent)
        items = preflight.examine(session, agent, version, asked, setup).items
    (found,) = [one for one in items if one.where == "budget"]
    assert "its budget is $0.0005" in found.problem
    assert not found.blocks


def test_of_a_draft_that_cannot_be_read_nothing_is_said(database, world):
    assert said(world.operator, {"id": "x", "type": "nothing"}) is None
    with db.reading(world.operator.id) as session:
        assert forecast(session, None) is None
