"""What happens to an execution happens to those that its steps started: rest, going on, the end."""

import pytest

from pilot import db
from pilot.engine.life import children, executions, moving, retrying
from pilot.engine.life.bulk import Action
from pilot.engine.life.moving import Move
from pilot.errors import ConflictError
from pilot.reports import execution as report
from pilot.reports.executions import Filters
from tests.engine import worker_process as wp
from tests.engine.life.test_bulk import preview
from tests.engine.steps.containers import pause
from tests.engine.worker_process import put


@pytest.fixture
def worker(database, redis_url, world, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path), hears=True) as resident:
        yield resident


def inner(name, *steps):
    return {"id": name, "type": "sub_workflow", "steps": list(steps)}


def family(database, superuser, owner, beside=()):
    """Start three executions within each other, the innermost asleep; outermost first."""
    steps = [inner("outer", inner("inner", pause("nap", 900))), *beside]
    found = [wp.start(wp.make_agent(owner, steps), owner)]
    wp.until(lambda: statuses(superuser, found[0]) == ["waiting"] * (3 + len(beside)))
    return [found[0], *below(superuser, found[0])]


def below(superuser, execution):
    query = """WITH RECURSIVE one AS (
        SELECT id, depth FROM execution WHERE parent_id = %s
        UNION ALL SELECT e.id, e.depth FROM execution e JOIN one ON e.parent_id = one.id)
      SELECT id FROM one ORDER BY depth, id"""
    return [one for (one,) in superuser.execute(query, [execution])]


def statuses(superuser, execution):
    ids = [execution, *below(superuser, execution)]
    query = "SELECT status FROM execution WHERE id = ANY (%s) ORDER BY depth, id"
    return [one for (one,) in superuser.execute(query, [ids])]


def told(wanted, superuser, execution):
    """Look after the children until all stand as wanted."""

    def stands():
        children.follow()
        return statuses(superuser, execution) == wanted

    wp.until(stands)


def why(user, execution):
    with db.reading(user.id) as session:
        return report.shown(session, execution).why


@pytest.mark.capability(209)
def test_children_rest_and_go_on_with_the_execution_above_them(worker, database, world, superuser):
    user = world.operator
    beside = inner("other", pause("rest", 900))
    outermost, *_ = found = family(database, superuser, user.id, beside=[beside])
    one, two, innermost = found[1:]
    outer, other = (
        (one, two)
        if superuser.execute("SELECT parent_path FROM execution WHERE id = %s", [one]).fetchone()
        == ("outer",)
        else (two, one)
    )
    executions.pause(other, by=user.actor, user_id=user.id)
    executions.pause(outermost, by=user.actor, user_id=user.id)
    told(["paused"] * 4, superuser, outermost)
    assert why(user, innermost) == f"as execution {outer} is, whose step started it"
    assert why(user, other) == "by a person"
    with pytest.raises(ConflictError, match=f"resume {outer}"):
        executions.resume(innermost, by=user.actor, user_id=user.id)

    executions.resume(outermost, by=user.actor, user_id=user.id)
    wanted = {outermost: "waiting", outer: "waiting", innermost: "waiting", other: "paused"}
    told([wanted[one] for one in found], superuser, outermost)
    assert not children.follow()
    assert why(user, outermost) == f"other: execution {other} of Test, paused by a person"


def test_why_an_execution_waits_names_the_innermost_that_holds_it(
    worker, database, world, superuser
):
    user = world.operator
    outermost, outer, innermost = family(database, superuser, user.id)
    holds = f"outer: execution {innermost} of Test, waiting nap: until "
    assert why(user, outermost).startswith(holds)
    executions.pause(innermost, by=user.actor, user_id=user.id)
    for above in (outermost, outer):
        assert why(user, above).endswith(f"execution {innermost} of Test, paused by a person")


@pytest.mark.capability(209)
def test_the_end_of_an_execution_ends_all_below_it(worker, database, world, superuser):
    user = world.operator
    outermost, *_ = family(database, superuser, user.id)
    executions.cancel(outermost, by=user.actor, user_id=user.id)
    told(["cancelled"] * 3, superuser, outermost)


def test_a_child_that_runs_rests_at_its_next_step(worker, database, world, superuser):
    user = world.operator
    outermost, _, innermost = family(database, superuser, user.id)
    executions.pause(outermost, by=user.actor, user_id=user.id)
    told(["paused"] * 3, superuser, outermost)
    # As if a worker held the innermost when the pause reached it, and the one above went on before.
    superuser.execute(
        "UPDATE execution SET status = 'queued', pause_requested_at = pilot_now() WHERE id = %s",
        [innermost],
    )
    executions.resume(outermost, by=user.actor, user_id=user.id)
    told(["waiting"] * 3, superuser, outermost)


@pytest.mark.capability(209)
def test_what_would_be_cancelled_at_once_is_not_retried(worker, database, world, superuser):
    """Its parent has ended: that one is retried, and takes it along."""
    user = world.operator
    who = {"by": user.actor, "user_id": user.id}
    open_ = {"type": "object", "additionalProperties": True}
    bad = put("bad", "{{number(inputs.n)}}")
    child = wp.make_agent(user.id, [bad], inputs=open_)
    step = {"id": "sub", "type": "sub_workflow", "agent": str(child), "inputs": {"n": "x"}}
    execution, found = wp.run(database, user, [step])
    assert found[0] == "failed"
    (one,) = below(superuser, execution)
    for refused in (
        lambda: retrying.failed(one, **who),
        lambda: retrying.from_step(one, "bad", **who),
        lambda: moving.move(one, Move(), **who),
    ):
        with pytest.raises(ConflictError, match=f"{execution} started it, and that has ended"):
            refused()
    found = preview(Action.RETRY, user, Filters(status="failed"))
    told = [(group.words, group.count) for group in found.cannot]
    assert (found.can.count, told) == (
        1,
        [("An execution that has ended started it: retry that one", 1)],
    )
    retrying.failed(execution, **who)
    wp.until(lambda: statuses(superuser, execution) == ["failed", "failed"])


@pytest.mark.usefixtures("worker")
def test_steps_within_are_migrated_with_the_execution_around_them(database, world, superuser):
    user = world.operator
    steps = [inner("outer", pause("nap", 900))]
    execution = wp.start(wp.make_agent(user.id, steps), user.id)
    wp.until(lambda: statuses(superuser, execution) == ["waiting"] * 2)
    (one,) = below(superuser, execution)
    with pytest.raises(ConflictError, match=f"It runs steps of execution {execution}: migrate"):
        moving.move(one, Move(), by=user.actor, user_id=user.id)


ONE = {"concurrency": {"key": "one", "limit": 1, "on_conflict": "reject"}}


@pytest.mark.usefixtures("worker")
def test_a_child_that_may_not_run_beside_others_is_a_conflict(database, world):
    agent = wp.make_agent(world.operator.id, [pause("nap", 900)], policies=ONE)
    wp.start(agent, world.operator.id)
    child = {"id": "child", "type": "sub_workflow", "agent": str(agent), "wait": False}
    _, (status, _, error) = wp.run(database, world.operator, [child])
    assert (status, error["class"]) == ("failed", "conflict")
    assert "policy concurrency" in error["message"]


@pytest.mark.usefixtures("worker")
def test_a_failed_child_that_was_answered_is_not_begun_again(database, world):
    """Also if its failure is of a class that effects are repeated for."""
    owner = world.operator.id
    fails = {"type": "action", "plugin": "http", "action": "request", "id": "fails"}
    fails |= {"params": {"url": "http://nowhere.invalid/"}, "retry": {"max_attempts": 1}}
    answer = {"branch": [pause("nap", 2)]}
    steps = [inner("child", fails) | {"on_error": answer}]
    execution = wp.start(wp.make_agent(owner, steps), owner)
    assert wp.wait_for(database, execution)[0] == "completed"
    tried = [one[1:3] for one in wp.attempts(database, execution) if one[0] == "child"]
    assert tried == [(1, "failed"), (2, "completed")]
