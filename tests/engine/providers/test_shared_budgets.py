"""What calls under way have reserved is no reason to stop: it is waited for, nothing overshoots."""

import pytest

from pilot import db, settings
from pilot.engine.life import executions
from pilot.reports import execution as report
from tests.engine import worker_process as wp
from tests.engine.acting.test_ai_steps import calls
from tests.engine.providers.test_budgets import (
    LARGE,
    REST,
    SMALL,
    TWO,
    ask,
    models,
    money,
    raise_to,
    start,
    worker,
)

__all__ = ["models", "worker"]
HALF = 1_000  # tokens of an answer: at most $0.00052
SLOW = {"kind": "delay", "s": 0.4}
TWO_AT_ONCE = "0.0012"


def side_by_side(count, tokens=HALF):
    return [ask(f"ask{n}", tokens) for n in range(count)]


@pytest.mark.capability(245)
@pytest.mark.parametrize("on_limit", ["pause", "fail", "downgrade"])
def test_what_others_reserved_for_the_time_being_is_waited_for(
    worker, models, database, world, superuser, on_limit
):
    models.script({"reply": "fine", "fault": SLOW})
    policies = {"max_parallel": 6, "budget": {"on_limit": on_limit}}
    execution = start(world.operator, side_by_side(6), TWO_AT_ONCE, policies=policies)
    assert wp.wait_for(database, execution, REST)[0] == "completed"
    assert len(models.requests()) == 6
    assert money(superuser, execution)[1:3] == (0, models.bill())
    assert {one["model_asked"] for one in calls(database, execution)} == {"cheap"}
    assert {attempt for _, attempt, _, _ in wp.attempts(database, execution)} == {1}


def test_waiting_for_others_takes_none_of_the_steps_own_time(worker, models, database, world):
    models.script({"reply": "fine", "fault": {"kind": "delay", "s": 2}})
    steps = [one | {"timeout_s": 7, "retry": {"max_attempts": 1}} for one in side_by_side(4)]
    execution = start(world.operator, steps, "0.0006", policies={"max_parallel": 4})
    assert wp.wait_for(database, execution, REST)[0] == "completed"


@pytest.mark.capability(245)
def test_what_can_never_fit_stops_with_the_number_that_is_true(worker, models, database, world):
    models.script({"reply": "fine", "fault": SLOW})
    steps = [ask("small", SMALL), ask("large", LARGE)]
    execution = start(world.operator, steps, "0.0009")
    assert wp.wait_for(database, execution, REST)[0] == "budget_paused"
    with db.reading(world.operator.id) as session:
        message = report.shown(session, execution).refused["message"]
    assert "$0.0009 is left of this execution's budget of $0.0009" in message
    states = {path: state for path, _, state, _ in wp.attempts(database, execution)}
    assert states == {"small": "completed", "large": "interrupted"}


def test_a_pause_is_not_held_up_by_what_waits_for_others(
    worker, models, database, world, superuser
):
    models.script({"reply": "fine", "fault": {"kind": "delay", "s": 1.5}})
    user = world.operator
    execution = start(user, side_by_side(2), "0.0006")
    wp.until(models.requests)
    executions.pause(execution, by=user.actor, user_id=user.id)
    assert wp.wait_for(database, execution, {"paused"})[0] == "paused"
    assert len(models.requests()) == 1
    executions.resume(execution, by=user.actor, user_id=user.id)
    assert wp.wait_for(database, execution)[0] == "completed"
    assert money(superuser, execution)[1:3] == (0, models.bill())


@pytest.mark.capability(209, 245)
def test_children_wait_for_what_each_other_reserved_of_their_parents_budget(
    worker, models, database, world, superuser
):
    models.script({"reply": "fine", "fault": SLOW})
    steps = [{"id": one, "type": "sub_workflow", "steps": [ask(f"{one}1", HALF)]} for one in "abcd"]
    parent = start(world.operator, steps, TWO_AT_ONCE, policies={"max_parallel": 4})
    assert wp.wait_for(database, parent, REST)[0] == "completed"
    assert money(superuser, parent)[1:3] == (0, models.bill())


def test_a_fallback_settles_what_failed_before_it_waits(worker, models, database, world, superuser):
    models.script(
        {"match": {"model": "cheap"}, "fault": "refusal"},
        {"reply": "fine", "fault": SLOW},
    )
    settings.change("pilot_max_parallel_steps", 4, by=wp.BY)
    execution = start(world.operator, side_by_side(4, SMALL), "0.0022")
    assert wp.wait_for(database, execution, REST)[0] == "completed"
    assert money(superuser, execution)[1:3] == (0, models.bill())


@pytest.mark.capability(209)
def test_steps_inside_do_at_the_limit_what_their_workflow_says(worker, models, database, world):
    inner = {"id": "inner", "type": "sub_workflow", "steps": TWO}
    sub = {"id": "sub", "type": "sub_workflow", "steps": [inner], "on_error": "continue"}
    policies = {"budget": {"cost_usd": "0.0005", "on_limit": "fail"}}
    parent = start(world.operator, [sub], policies=policies)
    assert wp.wait_for(database, parent, REST)[0] == "completed_with_errors"
    assert len(models.requests()) == 1


@pytest.mark.capability(209)
def test_detached_steps_have_what_is_left_of_the_budget(worker, models, database, world, superuser):
    detached = {"type": "sub_workflow", "steps": TWO, "detach": True, "wait": False}
    inner = {"id": "in", "type": "sub_workflow", "dependencies": ["before"]}
    steps = [ask("before", SMALL), inner | {"steps": [detached | {"id": "out"}]}]
    parent = start(world.operator, steps, "0.0005")
    assert wp.wait_for(database, parent)[0] == "completed"
    query = "SELECT id, budget_usd, budget_tokens FROM execution WHERE detached"
    wp.until(lambda: superuser.execute(f"{query} AND status = 'budget_paused'").fetchone())
    child, limit, tokens = superuser.execute(query).fetchone()
    limit_above, reserved, spent_above, *_ = money(superuser, parent)
    assert limit == limit_above - spent_above > 0
    assert (reserved, tokens) == (0, None)
    raise_to(world.operator, child, "0.01")
    assert wp.wait_for(database, child)[0] == "completed"
    assert money(superuser, parent)[2] == spent_above
