"""Executions that a real worker stops and goes on with: nothing is done twice, nothing is lost."""

import pytest

from pilot.engine.life import executions, retrying
from pilot.errors import ConflictError
from tests.engine import worker_process as wp
from tests.engine.together import at_once

STEP = {"id": "a", "type": "transform", "operation": "set", "config": {"value": 1}}


@pytest.fixture
def who(world):
    return {"by": world.operator.actor, "user_id": world.operator.id}


@pytest.fixture
def worker(database, redis_url, world, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident


def chain(length, for_s=0.25):
    """Return steps that follow each other and take a moment each."""
    names = [f"s{n}" for n in range(length)]
    needs = [[], *([name] for name in names)]
    return [
        {"id": name, "type": "delay", "for_s": for_s, "dependencies": before}
        for name, before in zip(names, needs, strict=False)
    ]


def until_done(database, execution, steps):
    """Wait until so many steps are completed."""
    wp.until(lambda: len(paths(database, execution)) >= steps)


def paths(database, execution):
    return [one[0] for one in wp.attempts(database, execution) if one[2] == "completed"]


@pytest.mark.capability(1, 31)
def test_switched_off_an_execution_pauses_at_the_next_boundary_and_goes_on_later(
    worker, database, world, who, superuser
):
    execution = wp.start(wp.make_agent(world.operator.id, chain(6)), world.operator.id)
    until_done(database, execution, 1)
    wp.settings.change("pilot_enabled", False, by=wp.BY)
    status, _, _, reason = wp.wait_for(database, execution)
    assert (status, reason) == ("paused", "pilot_disabled")
    before = paths(database, execution)
    assert 1 <= len(before) < 6
    disabled = "SELECT count(*) FROM audit WHERE event = 'PILOT_DISABLED'"
    assert superuser.execute(disabled).fetchone() == (1,)

    executions.resume(execution, **who)
    status, _, _, reason = wp.wait_for(database, execution)
    assert (status, reason) == ("paused", "pilot_disabled")
    assert paths(database, execution) == before

    wp.switch_on()
    executions.resume(execution, **who)
    assert wp.wait_for(database, execution)[0] == "completed"
    assert paths(database, execution) == [f"s{n}" for n in range(6)]
    assert [one[1] for one in wp.attempts(database, execution)] == [1] * 6


@pytest.mark.capability(27, 30, 31)
def test_a_pause_holds_at_the_next_boundary_and_resumes_with_the_stored_outputs(
    worker, database, world, who
):
    steps = [
        STEP | {"config": {"value": 41}},
        *chain(4),
        {
            "id": "last",
            "type": "transform",
            "input": ["steps.a.output", 1],
            "operation": "reduce",
            "config": {"op": "sum"},
            "dependencies": ["a", "s3"],
        },
    ]
    agent = wp.make_agent(world.operator.id, steps, output="{{steps.last.output}}")
    execution = wp.start(agent, world.operator.id)
    until_done(database, execution, 2)
    executions.pause(execution, **who)
    assert wp.wait_for(database, execution)[0] == "paused"
    assert len(paths(database, execution)) < 6
    executions.resume(execution, **who)
    assert wp.wait_for(database, execution)[:2] == ("completed", 42)
    assert [one[1] for one in wp.attempts(database, execution)] == [1] * 6


@pytest.mark.capability(39)
def test_resume_pressed_fifty_times_gives_one_continuation(worker, database, world, who):
    execution = wp.start(wp.make_agent(world.operator.id, chain(4)), world.operator.id)
    until_done(database, execution, 1)
    executions.pause(execution, **who)
    wp.wait_for(database, execution)
    found = at_once(*[lambda: executions.resume(execution, **who)] * 50)
    assert found.count(None) == 1
    assert wp.wait_for(database, execution)[0] == "completed"
    assert [one[1] for one in wp.attempts(database, execution)] == [1] * 4


@pytest.mark.capability(215)
def test_a_running_execution_is_cancelled_between_steps(worker, database, world, who):
    execution = wp.start(wp.make_agent(world.operator.id, chain(20)), world.operator.id)
    until_done(database, execution, 1)
    executions.cancel(execution, **who)
    assert wp.wait_for(database, execution, seconds=5)[0] == "cancelled"
    assert len(paths(database, execution)) < 20
    for operation in (executions.cancel, executions.resume, retrying.failed):
        with pytest.raises(ConflictError):
            operation(execution, **who)


@pytest.mark.capability(31, 216)
def test_a_retry_runs_the_failed_step_and_what_it_blocked(
    worker, database, world, who, tmp_path, superuser
):
    read = {"type": "action", "plugin": "tables", "action": "read_range"}
    steps = [
        STEP,
        read | {"id": "read", "params": {"table": "t.csv", "tab": "t"}, "dependencies": ["a"]},
        {
            "id": "size",
            "type": "transform",
            "operation": "set",
            "config": {"value": "{{len(steps.read.output.values)}}"},
        },
    ]
    agent = wp.make_agent(world.operator.id, steps, output="{{steps.size.output}}")
    execution = wp.start(agent, world.operator.id)
    assert wp.wait_for(database, execution)[0] == "failed"
    keys = "SELECT count(DISTINCT key), count(*) FROM step_execution WHERE path = 'read'"
    folder = tmp_path / "users" / str(world.operator.id) / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "t.csv").write_text("n\n1\n")
    retrying.failed(execution, **who)
    assert wp.wait_for(database, execution, wp.END - {"failed"})[:2] == ("completed", 2)
    found = [one[:3] for one in wp.attempts(database, execution)]
    assert found[0] == ("a", 1, "completed")
    assert ("read", 1, "superseded") in found
    assert superuser.execute(keys).fetchone() == (1, 2)
