"""Executions within executions: begun once, paid by their parent, ended with it."""

from decimal import Decimal

import psycopg
import pytest

from pilot import db
from pilot.engine.agents import agents, nesting
from pilot.engine.life import executions, retrying
from pilot.errors import InvalidError
from tests.engine import worker_process as wp
from tests.engine.steps.containers import pause, scatter
from tests.engine.worker_process import put, run
from tests.reports.ledger_rows import book

ANY = {"type": "object", "additionalProperties": True}


def inline(*steps, **fields):
    return {"id": "sub", "type": "sub_workflow", "steps": list(steps)} | fields


def open_call(reserved):
    return {"state": "reserved", "outcome": None, "cost": None, "reserved": reserved}


def children(superuser, parent):
    return superuser.execute(
        "SELECT id, status, parent_path, depth FROM execution WHERE parent_id = %s ORDER BY id",
        [parent],
    ).fetchall()


@pytest.mark.capability(209)
def test_steps_of_their_own_run_as_an_execution(worker, database, world, superuser):
    body = [put("double", "{{inputs.n * 2}}")]
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    step = inline(*body, inputs_schema=schema, inputs={"n": "{{inputs.m}}"})
    execution, found = run(database, world.operator, [step], {"m": 4})
    assert found[0] == "completed"
    ((child, status, path, depth),) = children(superuser, execution)
    assert found[1] == {"execution_id": str(child), "status": "completed", "output": 8}
    assert (status, path, depth) == ("completed", "sub", 1)


def test_another_agent_runs_at_the_version_of_when_the_parent_was_started(worker, database, world):
    inner = wp.make_agent(world.operator.id, [put("a", "{{inputs.x}}")], inputs=ANY)
    step = {"id": "sub", "type": "sub_workflow", "agent": str(inner), "inputs": {"x": 3}}
    _, found = run(database, world.operator, [step], output="{{steps.sub.output.output}}")
    assert found == ("completed", 3, None)
    _, found = run(database, world.operator, [step | {"version": 7}])
    assert (found[0], found[2]["class"]) == ("failed", "config")
    assert "has no version 7" in found[2]["message"]


@pytest.mark.parametrize("agent", ["nobody", "00000000-0000-7000-8000-000000000000"])
def test_an_agent_that_does_not_exist_is_refused_at_the_start(worker, database, world, agent):
    step = {"id": "sub", "type": "sub_workflow", "agent": agent}
    with pytest.raises(InvalidError) as refused:
        run(database, world.operator, [step])
    assert [one.code for one in refused.value.issues] == ["E_UNKNOWN_AGENT"]


def test_the_agent_of_somebody_else_is_not_found(worker, database, world):
    inner = wp.make_agent(world.stranger.id, [put("a", 1)])
    step = {"id": "sub", "type": "sub_workflow", "agent": str(inner)}
    with pytest.raises(InvalidError, match="not yours"):
        run(database, world.operator, [step])


def test_agents_that_run_each_other_are_refused_at_the_start(worker, database, world):
    agent = wp.make_agent(world.operator.id, [put("a", 1)])
    step = {"id": "sub", "type": "sub_workflow", "agent": str(agent)}
    document = {"format": 1, "name": "Circle", "steps": [step]}
    agents.save_version(
        agent, document, reason="round", base=1, by=world.operator.actor, user_id=world.operator.id
    )
    with pytest.raises(InvalidError) as refused:
        wp.start(agent, world.operator.id)
    assert [one.code for one in refused.value.issues] == ["E_RECURSION"]


def test_wrong_inputs_fail_the_step_and_start_nothing(worker, database, world, superuser):
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    execution, found = run(
        database, world.operator, [inline(put("a", 1), inputs_schema=schema, inputs={"n": "x"})]
    )
    assert (found[0], found[2]["class"]) == ("failed", "input")
    assert children(superuser, execution) == []


def test_a_failed_child_fails_its_step_and_is_retried_with_it(worker, database, world, superuser):
    inner = [put("ok", 1), put("bad", "{{number(inputs.text)}}")]
    execution, found = run(
        database, world.operator, [inline(*inner, inputs_schema=ANY, inputs={"text": "x"})]
    )
    assert found[0] == "failed"
    assert found[2]["step"] == "sub"
    (child,) = children(superuser, execution)
    superuser.execute('UPDATE execution SET inputs = \'{"text": "5"}\' WHERE id = %s', [child[0]])
    retrying.failed(execution, by=world.operator.actor, user_id=world.operator.id)
    found = wp.wait_for(database, execution, {"completed"})
    assert found[1]["output"] == {"ok": 1, "bad": 5} or found[1]["output"] == 5
    assert [one[0] for one in children(superuser, execution)] == [child[0]]


def test_each_item_has_an_execution_of_its_own(worker, database, world, superuser):
    step = inline(put("a", "{{inputs.n + 1}}"), inputs_schema=ANY, inputs={"n": "{{item}}"})
    steps = [scatter([step], output="{{steps.sub.output.output}}", max_concurrency=5)]
    execution, found = run(database, world.operator, steps, {"items": [1, 2, 3]})
    assert found[0] == "completed"
    assert found[1]["items"] == [2, 3, 4]
    paths = [one[2] for one in children(superuser, execution)]
    assert sorted(paths) == ["each[0]/sub", "each[1]/sub", "each[2]/sub"]


@pytest.mark.capability(209)
def test_children_are_cancelled_with_their_parent_unless_detached(
    worker, database, world, superuser
):
    kept = inline(pause("long", 900), wait=False, detach=True) | {"id": "kept"}
    steps = [kept, inline(pause("nap", 900)), inline(pause("p", 900), wait=False) | {"id": "free"}]
    agent = wp.make_agent(world.operator.id, steps)
    execution = wp.start(agent, world.operator.id)
    wp.wait_for(database, execution, {"waiting"})
    executions.cancel(execution, by=world.operator.actor, user_id=world.operator.id)
    wanted = {"kept": "waiting", "sub": "cancelled", "free": "cancelled"}
    wp.until(lambda: {row[2]: row[1] for row in children(superuser, execution)} == wanted)


@pytest.mark.capability(209)
def test_what_a_child_spends_is_its_parents_too_and_within_both_budgets(
    worker, database, world, superuser
):
    steps = [inline(pause("nap", 900)), put("last", 1)]
    agent = wp.make_agent(world.operator.id, steps, policies={"budget": {"cost_usd": "0.50"}})
    execution = wp.start(agent, world.operator.id)
    wp.wait_for(database, execution, {"waiting"})
    ((child, *_),) = children(superuser, execution)
    owner = world.operator.id
    book(superuser, owner, execution_id=child, cost=Decimal("0.2"))
    money = "SELECT reserved_usd, spent_usd FROM execution WHERE id = %s"
    for one in (child, execution):
        assert superuser.execute(money, [one]).fetchone() == (0, Decimal("0.2"))
    with pytest.raises(psycopg.Error, match="budget"):
        book(superuser, owner, execution_id=child, **open_call(Decimal("0.31")))
    book(superuser, owner, execution_id=child, **open_call(Decimal("0.30")))
    assert superuser.execute(money, [execution]).fetchone() == (Decimal("0.3"), Decimal("0.2"))


def test_agents_within_are_looked_at_once_each(world, monkeypatch):
    """However many ways lead to them: ten of each in ten agents are ten thousand millions."""
    made = wp.make_agent(world.operator.id, [put("a", 1)])
    for _ in range(9):
        steps = [{"id": f"s{n}", "type": "sub_workflow", "agent": str(made)} for n in range(10)]
        made = wp.make_agent(world.operator.id, steps)
    looked, newest = [], agents.newest
    monkeypatch.setattr(agents, "newest", lambda *which: looked.append(which) or newest(*which))
    with db.reading(world.operator.id) as session:
        agent = agents.load(session, made)
        document = agents.newest(session, agent).document
        assert nesting.problems(session, document, agent) == []
    assert len(looked) == 10
