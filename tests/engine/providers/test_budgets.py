"""Budgets of executions on a real worker and a real provider's protocol: never overshot."""

from decimal import Decimal
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from pilot import db, settings, vault
from pilot.engine.language.policies import Budget
from pilot.engine.life import children, executions, starts
from pilot.engine.providers import budgets, own_models
from pilot.engine.providers.budgets import Limits
from pilot.errors import ConflictError, InvalidError, NotFoundError
from pilot.reports import execution as report
from tests.engine import worker_process as wp
from tests.engine.acting.test_ai_steps import calls
from tests.engine.generation.asked import set_up

REST = wp.END | {"budget_paused"}
SMALL, LARGE = 100, 2_000  # tokens of an answer; at most $0.00005 and $0.001 at the cheap model


def ask(name, tokens, **more):
    return {"id": name, "type": "ai_processing", "prompt": f"Say {name}."} | {
        "max_output_tokens": tokens,
        **more,
    }


TWO = [ask("first", SMALL), ask("second", LARGE, dependencies=["first"])]


@pytest.fixture
def models(peer, database, world):
    """A cheap and a strong model at the peer; both answer `fine`."""
    vault.configure([Fernet.generate_key().decode()])
    set_up(peer)
    peer.script({"reply": "fine"})
    yield peer
    vault.configure([])


@pytest.fixture
def worker(models, database, redis_url, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident


def start(user, steps=TWO, usd=None, **document):
    agent = wp.make_agent(user.id, steps, **document)
    asked = starts.Start(budget_usd=None if usd is None else Decimal(usd))
    return starts.start(agent, asked, by=user.actor, user_id=user.id)


def money(superuser, execution):
    return superuser.execute(
        "SELECT budget_usd, reserved_usd, spent_usd, reserved_tokens, spent_tokens"
        " FROM execution WHERE id = %s",
        [execution],
    ).fetchone()


def raise_to(user, execution, usd=None, tokens=None, **more):
    limit = Limits(None if usd is None else Decimal(usd), tokens)
    executions.raise_budget(execution, limit, by=user.actor, user_id=user.id, **more)


@pytest.mark.capability(245)
def test_a_call_that_could_go_beyond_the_budget_is_not_sent_and_the_execution_waits(
    worker, models, database, world, superuser
):
    execution = start(world.operator, usd="0.0005")
    assert wp.wait_for(database, execution, REST)[0] == "budget_paused"
    assert len(models.requests()) == 1
    limit, reserved, spent, reserved_tokens, _ = money(superuser, execution)
    assert (reserved, reserved_tokens) == (0, 0)
    assert spent == models.bill()
    assert spent <= limit
    states = [(path, status) for path, _, status, _ in wp.attempts(database, execution)]
    assert states == [("first", "completed"), ("second", "interrupted")]


@pytest.mark.capability(27, 245)
def test_a_raised_budget_goes_on_at_the_same_step_and_pays_nothing_twice(
    worker, models, database, world, superuser
):
    execution = start(world.operator, usd="0.0005")
    wp.wait_for(database, execution, REST)
    raise_to(world.operator, execution, "0.01")
    assert wp.wait_for(database, execution)[0] == "completed"
    assert len(models.requests()) == 2
    assert money(superuser, execution)[1:3] == (0, models.bill())
    names = superuser.execute(
        "SELECT record::json ->> 'event' FROM audit WHERE chain = %s ORDER BY seq", [str(execution)]
    )
    assert [name for (name,) in names if "BUDGET" in name] == [
        "PILOT_BUDGET_PAUSED",
        "PILOT_BUDGET_RAISED",
    ]


@pytest.mark.capability(209)
def test_a_child_that_its_parent_cannot_pay_goes_on_when_that_has_more(
    worker, models, database, world, superuser
):
    user = world.operator
    parent = start(user, [{"id": "sub", "type": "sub_workflow", "steps": TWO}], usd="0.0005")
    held = "SELECT id FROM execution WHERE parent_id = %s AND status = 'budget_paused'"
    wp.until(lambda: superuser.execute(held, [parent]).fetchone())
    (child,) = superuser.execute(held, [parent]).fetchone()
    with db.reading(user.id) as session:
        seen = report.shown(session, child)
        above = report.shown(session, parent)
    assert f"of the budget of execution {parent}, which pays it," in seen.refused["message"]
    assert seen.why == f"until the budget of execution {parent} is raised"
    assert above.why == f"sub: execution {child} of Test, budget paused {seen.why}"
    assert not children.follow()
    raise_to(user, parent, "0.01")
    assert wp.wait_for(database, parent)[0] == "completed"
    assert len(models.requests()) == 2
    assert money(superuser, parent)[1:3] == money(superuser, child)[1:3] == (0, models.bill())


def test_a_resume_without_more_budget_pauses_again_and_asks_nobody(worker, models, database, world):
    user = world.operator
    execution = start(user, usd="0.0005")
    wp.wait_for(database, execution, REST)
    executions.resume(execution, by=user.actor, user_id=user.id)
    assert wp.wait_for(database, execution, REST)[0] == "budget_paused"
    assert len(models.requests()) == 1


def test_at_the_limit_a_workflow_may_fail_with_what_was_missing(worker, models, database, world):
    policies = {"budget": {"cost_usd": "0.0005", "on_limit": "fail"}}
    execution = start(world.operator, policies=policies)
    status, _, error, _ = wp.wait_for(database, execution, REST)
    assert (status, error["class"], error["step"]) == ("failed", "budget", "second")
    assert "is left of this execution's budget of $0.0005" in error["message"]
    assert len(models.requests()) == 1


@pytest.mark.capability(245, 265)
def test_at_the_limit_a_cheaper_model_may_stand_in(worker, models, database, world):
    choice = {"orchestrator_primary_model": "strong", "orchestrator_fallback_model": "cheap"}
    settings.change_all(choice, by=wp.BY)
    policies = {"budget": {"cost_usd": "0.005", "on_limit": "downgrade"}}
    execution = start(world.operator, policies=policies)
    assert wp.wait_for(database, execution, REST)[0] == "completed"
    rows = calls(database, execution)
    assert [one["model_asked"] for one in rows] == ["strong", "cheap"]
    assert rows[1]["routing"]["rule"] == "cheaper"
    assert rows[1]["routing"]["refused"] == "strong"


def test_a_downgrade_that_finds_nothing_cheap_enough_waits(worker, models, database, world):
    policies = {"budget": {"cost_usd": "0.0005", "on_limit": "downgrade"}}
    execution = start(world.operator, policies=policies)
    assert wp.wait_for(database, execution, REST)[0] == "budget_paused"
    assert len(models.requests()) == 1


def test_a_budget_in_tokens_holds_too(worker, models, database, world, superuser):
    policies = {"budget": {"tokens": 1_000}}
    execution = start(world.operator, policies=policies)
    assert wp.wait_for(database, execution, REST)[0] == "budget_paused"
    raise_to(world.operator, execution, tokens=10_000)
    assert wp.wait_for(database, execution)[0] == "completed"
    assert money(superuser, execution)[3] == 0


def test_an_attempt_that_fell_back_is_settled_before_the_next_is_refused(
    worker, models, database, world, superuser
):
    models.script({"match": {"model": "cheap"}, "fault": "refusal"}, {"reply": "fine"})
    execution = start(world.operator, [ask("only", LARGE), ask("then", SMALL)], usd="0.005")
    assert wp.wait_for(database, execution, REST)[0] == "budget_paused"
    assert money(superuser, execution)[1:3] == (0, models.bill())
    assert {one["state"] for one in calls(database, execution)} == {"settled"}


@pytest.mark.capability(268)
def test_a_model_without_a_price_is_refused_where_a_limit_holds(worker, models, database, world):
    new = own_models.NewModel("new", "peer-cheap", "new", "New", "fast", 9_000, 2_000)
    own_models.add_model(new, by=wp.BY)
    settings.change("orchestrator_primary_model", "new", by=wp.BY)
    refused = start(world.operator)
    status, _, error, _ = wp.wait_for(database, refused, REST)
    assert (status, error["class"]) == ("failed", "config")
    assert "new has no price" in error["message"]
    assert models.requests() == []
    settings.change("llm_allow_unpriced", True, by=wp.BY)
    assert wp.wait_for(database, start(world.operator), REST)[0] == "completed"


def test_a_budget_is_what_was_asked_else_the_workflows_else_the_setting():
    values = {"budget_execution_usd": "1"}
    policy = Budget(cost_usd="0.50", tokens=9)
    assert budgets.limits(policy, Decimal("0.2"), values) == Limits(Decimal("0.2"), 9)
    assert budgets.limits(policy, None, values) == Limits(Decimal("0.50"), 9)
    assert budgets.limits(Budget(), None, values) == Limits(Decimal(1), None)


@pytest.mark.parametrize("usd", ["0", "-1", "NaN", "Infinity", "10000000", "0.0000001"])
def test_an_amount_that_is_none_starts_nothing(world, database, usd):
    with pytest.raises(InvalidError, match="A budget is an amount in USD above 0"):
        start(world.operator, usd=usd)


@pytest.mark.parametrize(
    ("usd", "tokens"),
    [
        *(("abc", ""), ("1e3", ""), ("1,5", ""), ("1,50", ""), ("1,000,5", "")),
        *(("", "1.5"), ("", "-1"), ("", "2,5")),
    ],
)
def test_a_typed_budget_that_is_no_number_is_said_so(usd, tokens):
    with pytest.raises(InvalidError, match="Give the budget as"):
        budgets.read(usd, tokens)
    assert budgets.read("$1,250.50", " 5,000 ") == Limits(Decimal("1250.50"), 5000)
    assert budgets.read("1,000,000", "10,000,000") == Limits(Decimal(1_000_000), 10_000_000)


def test_a_budget_is_only_raised_and_only_while_something_may_still_run(
    worker, models, database, world
):
    user = world.operator
    execution = start(user, usd="0.0005")
    wp.wait_for(database, execution, REST)
    for limit in (Limits(Decimal("0.0005"), None), Limits(None, 5), Limits(None, None)):
        with pytest.raises(InvalidError):
            executions.raise_budget(execution, limit, by=user.actor, user_id=user.id)
    with pytest.raises(NotFoundError):
        raise_to(world.stranger, execution, "5")
    raise_to(user, execution, "5")
    wp.wait_for(database, execution)
    with pytest.raises(ConflictError, match="completed"):
        raise_to(user, execution, "9")


def test_pressed_twice_it_is_raised_once(worker, models, database, world, superuser):
    execution = start(world.operator, usd="0.0005")
    wp.wait_for(database, execution, REST)
    key = uuid4().hex
    raise_to(world.operator, execution, "5", key=key)
    raise_to(world.operator, execution, "5", key=key)
    assert wp.wait_for(database, execution)[0] == "completed"
