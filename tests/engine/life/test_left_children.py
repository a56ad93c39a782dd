"""Executions that their step waits for no more: they end, and another takes their place."""

import pytest

from pilot.engine.agents import agents, archiving
from pilot.engine.life import executions, moving, retrying
from pilot.engine.life.moving import Move
from pilot.engine.waits import events
from tests.engine import receiving
from tests.engine import worker_process as wp
from tests.engine.steps.containers import group, pause, scatter
from tests.engine.worker_process import put

OPEN = {"type": "object", "additionalProperties": True}
WAIT = {"type": "wait_for_event", "event": "go", "timeout_s": 600}

outside, worker, who = receiving.outside, receiving.worker, receiving.who


@pytest.fixture
def sub(outside, who):
    """Give a step that runs an agent which waits for an event and then sends something."""
    steps = [WAIT | {"id": "wait"}, outside.send("late", "wait")]
    child = wp.make_agent(who["user_id"], steps, inputs=OPEN)
    return {"id": "sub", "type": "sub_workflow", "agent": str(child)}


@pytest.fixture
def begun(superuser):
    """Give `begun(execution)`: how those stand that its steps began, the oldest first."""

    def begun(execution):
        query = "SELECT status FROM execution WHERE parent_id = %s ORDER BY id"
        return [one for (one,) in superuser.execute(query, [execution])]

    return begun


@pytest.fixture
def started(worker, database, who):
    """Give `started(steps, **inputs)`: an execution of them, once it waits."""

    def started(steps, **inputs):
        agent = wp.make_agent(who["user_id"], steps, inputs=OPEN)
        execution = wp.start(agent, who["user_id"], **inputs)
        wp.wait_for(database, execution, {"waiting"})
        return execution

    return started


def go(who):
    """Send the event that the executions within wait for; returns how many did."""
    return len(events.send(events.Sent("go"), **who).resolved)


@pytest.mark.capability(209)
def test_what_a_group_went_on_without_ends(database, outside, sub, started, begun, who):
    both = group({"a": [pause("short", 1)], "b": [sub]}, join="any", rest="cancel")
    later = WAIT | {"id": "later", "event": "never", "dependencies": ["both"]}
    execution = started([both, later])
    wp.until(lambda: begun(execution) == ["cancelled"])
    assert wp.paths(database, execution)["later"] == "waiting"
    assert go(who) == 0
    assert not outside.sent


@pytest.mark.capability(209)
def test_a_step_that_runs_again_leaves_behind_what_it_began(
    database, outside, sub, started, begun, who
):
    execution = started([put("one", 1), sub | {"inputs": {"n": "{{steps.one.output}}"}}])
    executions.pause(execution, **who)
    wp.until(lambda: begun(execution) == ["paused"])
    retrying.from_step(execution, "one", **who)
    wp.until(lambda: begun(execution) == ["cancelled", "waiting"])
    assert wp.row(database, execution)[0] == "waiting", "the end of the other one is not its own"
    assert go(who) == 1
    assert wp.wait_for(database, execution)[0] == "completed"
    assert outside.sent == {"late": 1}


@pytest.mark.capability(209)
def test_so_does_a_step_that_does_not_wait_for_it(database, outside, sub, started, begun, who):
    later = WAIT | {"id": "later", "event": "never", "dependencies": ["sub"]}
    execution = started([sub | {"wait": False}, later])
    executions.pause(execution, **who)
    wp.until(lambda: begun(execution) == ["paused"])
    retrying.from_step(execution, "sub", **who)
    wp.until(lambda: begun(execution) == ["cancelled", "waiting"])
    assert go(who) == 1


@pytest.mark.capability(209)
def test_an_edited_step_leaves_behind_what_it_began(  # noqa: PLR0917 -- and how it is edited
    database, outside, sub, started, begun, who, superuser
):
    execution = started([sub])
    query = "SELECT agent_id FROM execution WHERE id = %s"
    (agent,) = superuser.execute(query, [execution]).fetchone()
    document = {"format": 1, "inputs": OPEN, "steps": [sub | {"inputs": {"n": 2}}]}
    agents.save_version(agent, document, reason="Mended.", base=1, **who)
    moving.move(execution, Move(), **who)
    wp.until(lambda: begun(execution) == ["cancelled", "waiting"])
    assert go(who) == 1
    assert wp.wait_for(database, execution)[0] == "completed"
    assert outside.sent == {"late": 1}


@pytest.mark.capability(209)
def test_a_retry_begins_anew_what_was_cancelled_as_others_failed(  # noqa: PLR0917 -- and mends
    database, outside, sub, started, begun, who, superuser
):
    bad = put("bad", "{{number(item)}}", execute_if="item != 'wait'")
    body = [pause("nap", 1), bad, sub | {"execute_if": "item == 'wait'"}]
    body[1]["dependencies"] = ["nap"]
    execution = started([scatter(body)], items=["wait", "x"])
    assert wp.wait_for(database, execution)[0] == "failed"
    wp.until(lambda: begun(execution) == ["cancelled"])
    mended = """UPDATE execution SET inputs = '{"items": ["wait", "1"]}' WHERE id = %s"""
    superuser.execute(mended, [execution])
    retrying.failed(execution, **who)
    wp.until(lambda: begun(execution) == ["cancelled", "waiting"])
    assert go(who) == 1
    assert wp.wait_for(database, execution)[0] == "completed"
    assert outside.sent == {"late": 1}


def test_a_retry_begins_anew_what_a_person_cancelled(database, sub, started, begun, who, superuser):
    execution = started([sub])
    query = "SELECT id FROM execution WHERE parent_id = %s"
    (child,) = superuser.execute(query, [execution]).fetchone()
    executions.cancel(child, **who)
    assert wp.wait_for(database, execution)[2]["class"] == "cancelled"
    retrying.failed(execution, **who)
    wp.until(lambda: begun(execution) == ["cancelled", "waiting"])
    go(who)
    assert wp.wait_for(database, execution)[0] == "completed"


@pytest.mark.parametrize("ending", ["undone", "archived"])
def test_a_retry_of_what_cannot_be_retried(  # noqa: PLR0917 -- either way
    worker, database, outside, begun, who, superuser, ending
):
    """What was undone begins anew; why nothing can begin is told."""
    undo = {"plugin": "http", "action": "request", "params": outside.send("not_one")["params"]}
    steps = [outside.send("one"), put("n", "{{number(inputs.n)}}", dependencies=["one"])]
    steps[0] |= {"compensate": undo} if ending == "undone" else {}
    child = wp.make_agent(who["user_id"], steps, inputs=OPEN)
    sub = {"id": "sub", "type": "sub_workflow", "agent": str(child)}
    sub |= {"inputs": {"n": "{{inputs.n}}"}}
    agent = wp.make_agent(who["user_id"], [sub], inputs=OPEN)
    execution = wp.start(agent, who["user_id"], n="x")
    assert wp.wait_for(database, execution)[0] == "failed"
    if ending == "archived":
        archiving.archive(child, key=None, **who)
    mended = """UPDATE execution SET inputs = '{"n": "1"}' WHERE id = %s"""
    superuser.execute(mended, [execution])
    retrying.failed(execution, **who)
    status, _, error = wp.wait_for(database, execution)[:3]
    if ending == "undone":
        assert (status, begun(execution)) == ("completed", ["failed", "completed"])
        assert outside.sent == {"one": 2, "not_one": 1}
    else:
        assert (status, error["class"]) == ("failed", "config")
        assert "The agent" in error["message"]
