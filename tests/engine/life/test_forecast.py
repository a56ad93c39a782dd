"""What an execution will take, said before it runs: from its own runs, else from what is usual."""

import json
from decimal import Decimal

import pytest
from cryptography.fernet import Fernet

from pilot import db, settings, vault
from pilot.engine.agents import agents
from pilot.engine.agents.nesting import MAX_DEPTH
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


FREE = {"type": "object", "additionalProperties": True}


def each(kind, items, *steps, **fields):
    return {"id": "each", "type": kind, "items": items, "steps": list(steps)} | fields


def within(*steps, **fields):
    return {"id": "sub", "type": "sub_workflow", "steps": list(steps)} | fields


def ran(superuser, execution, owner, path, kind="ai_processing", cost=None, **given):
    """Record a step as it was run, with what its call cost."""
    superuser.execute(
        "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, fence,"
        " started_at, finished_at, duration_ms, input)"
        " VALUES (%s, %s, 1, %s, %s, 'completed', 1, now(), now(), 1000, %s)",
        [execution, path, owner.id, kind, json.dumps(given)],
    )
    if cost is not None:
        book(superuser, owner.id, execution_id=execution, path=path, attempt=1, cost=Decimal(cost))


@pytest.mark.capability(247)
def test_what_stands_in_executions_within_counts(models, world):
    user, once = world.operator, said(world.operator, ASK)
    child = wp.make_agent(user.id, [ASK, APPROVAL])
    inline = said(user, within(within(ASK, id="deep")))
    named = said(user, {"id": "sub", "type": "sub_workflow", "agent": str(child)})
    for found in (inline, named):
        assert (found.asks, found.likely_usd, found.rarely_usd) == (
            1,
            once.likely_usd,
            once.rarely_usd,
        )
    assert (inline.people, named.people) == (0, 1)
    alone = said(user, within(ASK, wait=False))
    assert alone.likely_usd == once.likely_usd
    assert alone.seconds < 1


@pytest.mark.capability(247)
def test_executions_within_are_judged_by_their_own_runs(models, world, superuser):
    user = world.operator
    child = wp.make_agent(user.id, [ASK])
    steps = [within(ASK), {"id": "other", "type": "sub_workflow", "agent": str(child)}]
    agent = wp.make_agent(user.id, steps)
    for _ in range(ENOUGH_RUNS):
        ran(superuser, wp.start(child, user.id), user, "sum", cost="0.01")
        parent, inner = wp.start(agent, user.id), wp.start(agent, user.id)
        superuser.execute(
            "UPDATE execution SET parent_id = %s, parent_path = 'sub', parent_key = %s,"
            " runs_reason = 'inline' WHERE id = %s",
            [parent, inner, inner],
        )
        ran(superuser, inner, user, "sum", cost="0.5")
    found = said(user, *steps, agent=agent)
    assert (found.likely_usd, found.rarely_usd) == (Decimal("0.51"), Decimal("0.51"))
    assert (found.asks, found.measured) == (2, 2)


def test_agents_that_run_each_other_without_end_are_looked_into_as_deep_as_they_run(models, world):
    user = world.operator
    own = {"id": "self", "type": "sub_workflow", "agent": "Test"}
    wp.make_agent(user.id, [ASK, own, own | {"id": "twice"}])
    found = said(user, own)
    assert found.asks == 2**MAX_DEPTH - 1


@pytest.mark.capability(247)
@pytest.mark.parametrize("kind", ["loop", "scatter_gather"])
def test_what_stands_in_a_loop_counts_for_each_item(models, world, kind):
    user, once = world.operator, said(world.operator, ASK)
    ten = said(user, each(kind, list(range(10)), ASK))
    assert (ten.likely_usd, ten.at_most, ten.asks) == (10 * once.likely_usd, 0, 1)
    assert ten.seconds == pytest.approx(once.seconds * (10 if kind == "loop" else 4))
    given = agents_inputs(user, each(kind, "inputs.rows", ASK), rows=[1, 2, 3])
    assert (given.likely_usd, given.at_most) == (3 * once.likely_usd, 0)
    inside = within(each(kind, "inputs.all", ASK), inputs={"all": "{{inputs.rows}}"})
    assert agents_inputs(user, inside, rows=[1, 2]).likely_usd == 2 * once.likely_usd


def agents_inputs(user, *steps, **inputs):
    document = {"format": 1, "steps": list(steps), "inputs": FREE}
    with db.reading(user.id) as session:
        return forecast(session, document, None, inputs)


@pytest.mark.capability(247)
def test_items_that_nothing_tells_are_as_many_as_there_were_else_may_be(models, world, superuser):
    user, once = world.operator, said(world.operator, ASK)
    loop = each("loop", "steps.set.output", ASK, max_iterations=30, dependencies=["set"])
    unknown = said(user, SET, loop)
    assert (unknown.likely_usd, unknown.at_most) == (30 * once.likely_usd, 1)
    agent = wp.make_agent(user.id, [SET, loop])
    for total in (2, 4):
        execution = wp.start(agent, user.id)
        ran(superuser, execution, user, "each", "loop", total=total)
        for number in range(total):
            ran(superuser, execution, user, f"each[{number}]/sum", cost="0.01")
    found = said(user, SET, loop, agent=agent)
    assert (found.likely_usd, found.at_most) == (3 * once.likely_usd, 0)
    for number in range(ENOUGH_RUNS):
        ran(superuser, execution, user, f"each[{20 + number}]/sum", cost="0.01")
    found = said(user, SET, loop, agent=agent)
    assert (found.likely_usd, found.measured) == (Decimal("0.03"), 1)
    # two of two and four items: one standard deviation is 1.41 of them
    assert found.rarely_usd == pytest.approx(Decimal("0.05326"), abs=Decimal("0.00001"))


def test_branches_side_by_side_cost_all_and_take_as_long_as_the_longest(models, world):
    group = {"id": "both", "type": "parallel_group"}
    group["branches"] = {"a": [ASK], "b": [ASK | {"id": "b"}]}
    once, found = said(world.operator, ASK), said(world.operator, group)
    assert (found.likely_usd, found.asks) == (2 * once.likely_usd, 2)
    assert found.seconds == once.seconds
