"""Executions on a real worker: results, order, failure, waiting, resuming."""

import pytest

from pilot.audit import Actor
from pilot.engine import folders
from pilot.engine.approvals import approvals
from pilot.engine.life import executions
from pilot.errors import ConflictError
from tests.engine import worker_process as wp

SET = {"type": "transform", "operation": "set"}


def _set(name, value, **fields):
    return SET | {"id": name, "config": {"value": value}} | fields


@pytest.fixture
def worker(database, redis_url, world, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident


@pytest.mark.capability(32, 165, 167)
def test_a_chain_runs_in_order_and_its_last_output_is_the_result(worker, database, world):
    owner = world.operator.id
    agent = wp.make_agent(
        owner,
        [
            _set("one", 20),
            {
                "id": "two",
                "type": "transform",
                "input": ["steps.one.output", "inputs.more"],
                "operation": "reduce",
                "config": {"op": "sum"},
            },
        ],
        inputs={"type": "object", "properties": {"more": {"type": "integer"}}},
        output="{{steps.two.output}}",
    )
    execution = wp.start(agent, owner, more=22)
    status, output, error, _ = wp.wait_for(database, execution)
    assert (status, output, error) == ("completed", 42, None)
    assert [one[:3] for one in wp.attempts(database, execution)] == [
        ("one", 1, "completed"),
        ("two", 1, "completed"),
    ]


@pytest.mark.capability(40)
@pytest.mark.parametrize(("amount", "branch", "value"), [(2000, "then", "big"), (5, "else", None)])
def test_a_condition_takes_one_branch(worker, database, world, amount, branch, value):
    owner = world.operator.id
    agent = wp.make_agent(
        owner,
        [
            {
                "id": "check",
                "type": "conditional",
                "condition": "inputs.amount > 1000",
                "then": [_set("large", "big")],
            }
        ],
        inputs={"type": "object", "properties": {"amount": {"type": "number"}}},
    )
    execution = wp.start(agent, owner, amount=amount)
    status, output, _, _ = wp.wait_for(database, execution)
    assert status == "completed"
    assert output == {"result": amount > 1000, "branch": branch, "value": value}


@pytest.mark.capability(168)
def test_a_failed_step_fails_the_execution_and_says_why(worker, database, world):
    owner = world.operator.id
    agent = wp.make_agent(
        owner,
        [_set("bad", 1, execute_if="inputs.missing.part"), _set("after", 1, dependencies=["bad"])],
        inputs={"type": "object", "additionalProperties": True},
    )
    execution = wp.start(agent, owner)
    status, _, error, _ = wp.wait_for(database, execution)
    assert status == "failed"
    assert error["step"] == "bad"
    assert error["class"] == "reference"
    assert [one[0] for one in wp.attempts(database, execution)] == ["bad"]


@pytest.mark.capability(41)
@pytest.mark.parametrize(("decision", "end"), [("approved", "completed"), ("rejected", "failed")])
def test_an_approval_waits_without_a_worker_and_goes_on(worker, database, world, decision, end):
    owner = world.operator.id
    agent = wp.make_agent(
        owner,
        [
            _set("before", 1),
            {
                "id": "ask",
                "type": "human_approval",
                "title": "Go on?",
                "approvers": ["owner"],
                "dependencies": ["before"],
            },
            _set("after", 2, dependencies=["ask", "before"]),
        ],
    )
    execution = wp.start(agent, owner)
    assert wp.wait_for(database, execution, {"waiting"})[0] == "waiting"
    approval = _approval(database, execution)
    approvals.decide(
        approval[0],
        decision,
        seen_hash=approval[1],
        comment="no",
        by=Actor(f"user:{owner}"),
        user_id=owner,
    )
    status, output, error, _ = wp.wait_for(database, execution)
    assert status == end
    assert (output == 2) if end == "completed" else (error["class"] == "rejected")
    with pytest.raises(ConflictError, match="already"):
        approvals.decide(
            approval[0], decision, seen_hash=approval[1], by=Actor(f"user:{owner}"), user_id=owner
        )


def _approval(database, execution):
    import psycopg

    with psycopg.connect(database, options="-c role=pilot_app") as connection:
        connection.execute("SELECT set_config('app.sees_all', 'on', true)")
        query = "SELECT id, payload_hash FROM approval WHERE execution_id = %s"
        return connection.execute(query, (execution,)).fetchone()


@pytest.mark.capability(210)
def test_a_short_delay_ends(worker, database, world):
    owner = world.operator.id
    agent = wp.make_agent(
        owner,
        [
            {"id": "rest", "type": "delay", "for_s": 0.05},
            {"id": "longer", "type": "delay", "for_s": 1.2},
        ],
    )
    execution = wp.start(agent, owner)
    assert wp.wait_for(database, execution)[0] == "completed"


def test_a_wait_does_not_need_the_outputs_of_what_follows_it(worker, database, world):
    owner = world.operator.id
    rest = {"id": "rest", "type": "delay", "for_s": 1.0}
    agent = wp.make_agent(
        owner,
        [rest, _set("after", 7, dependencies=["rest"])],
        output={"value": "{{steps.after.output}}"},
    )
    execution = wp.start(agent, owner)
    assert wp.wait_for(database, execution)[:3] == ("completed", {"value": 7}, None)


@pytest.mark.capability(215)
def test_a_waiting_execution_is_cancelled_at_once(worker, database, world):
    owner = world.operator.id
    agent = wp.make_agent(owner, [{"id": "rest", "type": "delay", "for_s": 600}])
    execution = wp.start(agent, owner)
    wp.wait_for(database, execution, {"waiting"})
    executions.cancel(execution, by=Actor(f"user:{owner}"), user_id=owner)
    assert wp.row(database, execution)[0] == "cancelled"


@pytest.mark.capability(168)
def test_what_no_database_stores_is_replaced_in_an_output(worker, database, world, tmp_path):
    table = folders.private(tmp_path, world.operator.id) / "tables" / "odd.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_bytes(b"a,b\n1,x\0y\n")
    read = {"id": "read", "type": "action", "plugin": "tables", "action": "read_range"}
    read["params"] = {"table": "odd", "tab": "odd"}
    last = wp.put("last", "{{steps.read.output.values[1][1]}}", dependencies=["read"])
    execution, (status, output, _) = wp.run(database, world.operator, [read, last])
    assert (status, output) == ("completed", "x\ufffdy")
    assert [row[1:3] for row in wp.attempts(database, execution)] == [(1, "completed")] * 2
