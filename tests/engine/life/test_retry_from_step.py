"""Retry from a step, on a real worker: it and what follows run, once more, and nothing else."""

import pytest

from pilot import db
from pilot.engine.life import executions, receipts, retrying
from pilot.errors import ConflictError, ForbiddenError, NotFoundError
from tests.engine import receiving
from tests.engine import worker_process as wp
from tests.engine.steps.containers import loop
from tests.engine.worker_process import broken, put

outside, worker, who = receiving.outside, receiving.worker, receiving.who


def ran(database, execution):
    """Return how many attempts each step has."""
    found = {}
    for path, number, _, _ in wp.attempts(database, execution):
        found[path] = max(number, found.get(path, 0))
    return found


@pytest.mark.capability(217)
def test_a_step_and_what_follows_run_again_with_new_keys(worker, database, world, who, outside):
    steps = [outside.send("one"), outside.send("two", "one"), outside.send("end", "two")]
    steps.append(outside.send("side", "one"))
    execution, found = wp.run(database, world.operator, steps)
    assert found[0] == "completed"
    with pytest.raises(ConflictError, match="end, two would happen once more"):
        retrying.from_step(execution, "two", **who)
    assert wp.row(database, execution)[0] == "completed"
    retrying.from_step(execution, "two", repeat_effects=True, **who)
    assert wp.wait_for(database, execution)[0] == "completed"
    assert outside.sent == {"one": 1, "two": 2, "end": 2, "side": 1}
    assert all(len(set(outside.keys(name))) == 2 for name in ("two", "end"))
    retrying.from_step(execution, "end", repeat_effects=True, **who)
    wp.wait_for(database, execution)
    assert len(set(outside.keys("end"))) == 3


def test_a_new_attempt_of_the_rerun_keeps_its_key(worker, database, world, who, outside):
    retry = {"max_attempts": 2, "base_s": 0.01, "max_s": 0.01}
    step = outside.send("two", "one", retry=retry)
    step["params"] |= {"url": f"{step['params']['url']}?flaky=1"}
    execution, _ = wp.run(database, world.operator, [put("one", 1), step])
    retrying.from_step(execution, "one", repeat_effects=True, **who)
    assert wp.wait_for(database, execution)[0] == "completed"
    first, second, third, fourth = outside.keys("two")
    assert (first, third) == (second, fourth)
    assert first != third


def test_a_step_without_effect_needs_no_word_and_decides_anew(worker, database, world, who):
    way = {"id": "way", "type": "conditional", "condition": "true", "then": [put("in", 2)]}
    steps = [put("a", 1), way | {"dependencies": ["a"]}, put("b", "{{steps.way.output.value}}")]
    execution, _ = wp.run(database, world.operator, [*steps, put("c", 1)])
    retrying.from_step(execution, "way", **who)
    assert wp.wait_for(database, execution)[0] == "completed"
    assert ran(database, execution) == {"a": 1, "way": 2, "way/in": 2, "b": 2, "c": 1}


@pytest.mark.capability(217)
def test_one_round_of_a_loop_runs_again(worker, database, world, who, outside):
    body = [put("n", "{{item}}"), outside.send("tell", "n", mode="once"), put("end", 1)]
    body[2]["dependencies"] = ["tell"]
    steps = [loop(body), put("after", "{{steps.each.output.succeeded}}")]
    execution, _ = wp.run(database, world.operator, steps, {"items": [1, 2, 3]})
    retrying.from_step(execution, "each[1]/tell", repeat_effects=True, **who)
    assert wp.wait_for(database, execution)[:2] == ("completed", 3)
    assert outside.sent == {"tell": 4}
    twice = {"each", "each[1]/tell", "each[1]/end", "after"}
    assert {path for path, number in ran(database, execution).items() if number > 1} == twice


def test_what_an_execution_within_did_happens_again_only_if_that_is_confirmed(
    worker, database, world, who, outside
):
    inner = [put("x", 1), outside.send("tell", "x")]
    steps = [{"id": "sub", "type": "sub_workflow", "steps": inner}, put("after", 1)]
    steps[1]["dependencies"] = ["sub"]
    execution, found = wp.run(database, world.operator, steps)
    assert found[0] == "completed"
    with pytest.raises(ConflictError, match="sub > tell would happen once more"):
        retrying.from_step(execution, "sub", **who)
    retrying.from_step(execution, "after", **who)
    assert wp.wait_for(database, execution)[0] == "completed"
    retrying.from_step(execution, "sub", repeat_effects=True, **who)
    assert wp.wait_for(database, execution)[0] == "completed"
    assert (outside.sent, len(set(outside.keys("tell")))) == ({"tell": 2}, 2)


def test_what_failed_elsewhere_runs_again_with_its_key(worker, database, world, who, outside):
    bad = outside.send("bad", retry={"max_attempts": 1})
    bad["params"] |= {"url": f"http://{outside.host}/keyed/it/bad?flaky=1"}
    steps = [put("a", 1), put("b", "{{steps.a.output}}"), bad]
    execution, found = wp.run(database, world.operator, steps)
    assert found[0] == "failed"
    retrying.from_step(execution, "a", **who)
    assert wp.wait_for(database, execution, wp.END - {"failed"})[0] == "completed"
    assert len(set(outside.keys("bad"))) == 1


def test_a_tolerated_failure_elsewhere_stays(worker, database, world, who):
    steps = [broken("bad", on_error="continue"), put("a", 1), put("b", "{{steps.a.output}}")]
    execution, found = wp.run(database, world.operator, steps)
    assert found[0] == "completed_with_errors"
    retrying.from_step(execution, "a", **who)
    assert wp.wait_for(database, execution)[0] == "completed_with_errors"
    assert ran(database, execution) == {"bad": 1, "a": 2, "b": 2}


@pytest.mark.capability(264)
def test_the_receipt_says_what_happens_once_more(worker, database, world, who, outside):
    steps = [put("a", 1), outside.send("tell", "a", mode="once"), put("b", 1)]
    execution, _ = wp.run(database, world.operator, steps)
    with db.reading(world.operator.id) as session:
        made = receipts.receipt(session, execution, "retry", "a")
    assert [one.path for one in made.reused] == ["b"]
    assert [(one.path, one.effect) for one in made.effects] == [("tell", "once")]
    assert [one.path for one in made.runs] == ["a", "tell"]
    retrying.from_step(execution, "b", seen_seq=made.seq, **who)
    with pytest.raises(ConflictError, match=r"changed since you looked|cannot be retried"):
        retrying.from_step(execution, "b", seen_seq=made.seq, **who)


@pytest.mark.capability(217)
def test_a_poisoned_execution_goes_on_from_a_step(worker, database, world, who, superuser):
    execution, _ = wp.run(database, world.operator, [put("a", 1), put("b", 1)])
    superuser.execute(
        "UPDATE execution SET status = 'needs_attention', status_reason = 'poisoned', "
        "recovery_attempts = 5 WHERE id = %s",
        [execution],
    )
    retrying.from_step(execution, "a", **who)
    assert wp.wait_for(database, execution, {"completed"})[0] == "completed"
    query = "SELECT recovery_attempts FROM execution WHERE id = %s"
    assert superuser.execute(query, [execution]).fetchone() == (0,)


def test_only_who_may_run_it_and_only_what_rests_is_retried(database, world, who):
    wp.switch_on()
    execution = wp.start(wp.make_agent(world.operator.id, [put("a", 1)]), world.operator.id)
    with pytest.raises(ConflictError, match="It is queued"):
        retrying.from_step(execution, "a", **who)
    executions.cancel(execution, **who)
    with pytest.raises(ConflictError, match="It is cancelled"):
        retrying.from_step(execution, "a", **who)
    with pytest.raises((NotFoundError, ForbiddenError)):
        retrying.from_step(execution, "a", by=world.stranger.actor, user_id=world.stranger.id)
