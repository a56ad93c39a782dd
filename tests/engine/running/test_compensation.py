"""What undoes finished steps of an execution that failed or was cancelled, on a real worker."""

import pytest

from pilot import db
from pilot.engine.agents import agents
from pilot.engine.life import executions, forks, moving, retrying
from pilot.engine.life.forks import Fork
from pilot.engine.life.moving import Move
from pilot.engine.waits import events
from pilot.errors import ConflictError, InvalidError
from pilot.reports import execution as report
from tests.engine import receiving
from tests.engine import worker_process as wp
from tests.engine.steps.containers import loop, scatter
from tests.engine.worker_process import broken, put

WAIT = {"type": "wait_for_event", "event": "never", "timeout_s": 600}

AUDITED = "SELECT count(*) FROM audit WHERE chain = %s AND record LIKE '%%PILOT_STEP_COMPENSATED%%'"


outside, worker, who = receiving.outside, receiving.worker, receiving.who
OPEN = {"type": "object", "additionalProperties": True}


@pytest.fixture
def undone(outside):
    """Give `undone(name, *after)`: a step that sends something, and what takes it back."""

    def make(name, *after, **fields):
        params = outside.send(f"not_{name}")["params"]
        params = params | {"json": {"took": "{{steps." + name + ".output.status}}"}} | fields
        undo = {"plugin": "http", "action": "request", "params": params}
        return outside.send(name, *after) | {"compensate": undo}

    return make


def order(outside):
    return [one["step"] for one in outside._requests()]


@pytest.mark.capability(45, 235)
def test_finished_steps_are_undone_the_latest_first(  # noqa: PLR0917 -- all that proves it
    worker, database, world, outside, undone, who, superuser
):
    steps = [undone("one"), undone("two", "one"), outside.send("plain", "two")]
    steps.append(broken("bad", dependencies=["plain"]))
    execution, found = wp.run(database, world.operator, steps)

    assert (found[0], found[2]["step"]) == ("failed", "bad")  # why it failed stays
    assert order(outside) == ["one", "two", "plain", "not_two", "not_one"]
    assert wp.paths(database, execution)["two/undo"] == "completed"
    with db.reading(world.operator.id) as session:
        shown = report.shown(session, execution)
    assert [one.name for one in shown.steps] == [
        "one",
        "Undo of one",
        "two",
        "Undo of two",
        "plain",
        "bad",
    ]
    assert superuser.execute(AUDITED, [str(execution)]).fetchone() == (2,)
    with pytest.raises(ConflictError, match="were undone"):
        retrying.failed(execution, **who)


ROUNDS = {
    "loop": lambda body: loop(body, items=[1, 2]),
    "scatter": lambda body: scatter(body, items=[1, 2]),
    "while": lambda body: loop(body, items=None, max_iterations=5) | {"while": "index < 2"},
    "break": lambda body: loop(body, items=[1, 2, 3], break_if="index == 1"),
    "after another": lambda body: scatter([put("first", 1), *body], items=[1, 2]),
}


@pytest.mark.capability(235)
@pytest.mark.parametrize("kind", sorted(ROUNDS))
def test_what_was_done_in_rounds_is_undone_in_each(worker, database, world, outside, undone, kind):
    each = {name: value for name, value in ROUNDS[kind]([undone("in")]).items() if value}
    steps = [each, broken("bad", dependencies=["each"])]
    execution, found = wp.run(database, world.operator, steps)

    assert found[0] == "failed"
    assert order(outside) == ["in", "in", "not_in", "not_in"]
    paths = wp.paths(database, execution)
    assert {"each[0]/in/undo", "each[1]/in/undo"} <= {*paths}


@pytest.mark.capability(235)
def test_what_undoes_a_step_of_a_round_knows_its_item(worker, database, world, outside, undone):
    read = "{{one}}_{{len(pair.of)}}_{{item}}_{{index}}"
    body = [undone("in", url=f"http://{outside.host}/keyed/it/not_{read}")]
    inner = scatter(body, items="pair.of", item_name="one") | {"id": "inner"}
    steps = [loop([inner], items="inputs.pairs", item_name="pair")]
    steps.append(broken("bad", dependencies=["each"]))
    _, found = wp.run(database, world.operator, steps, {"pairs": [{"of": [1, 2]}, {"of": [3]}]})

    assert found[2]["step"] == "bad"
    assert sorted(order(outside)) == ["in"] * 3 + ["not_1_2_1_0", "not_2_2_2_1", "not_3_1_3_0"]


@pytest.mark.capability(235)
def test_rounds_over_what_failed_are_undone_in_each(worker, database, world, outside, undone):
    body = [undone("fix", url=f"http://{outside.host}/keyed/it/not_{{{{item}}}}")]
    answer = {"branch": [scatter(body, items="[error.class, error.step]")]}
    one = broken("one", on_error=answer)
    execution, found = wp.run(database, world.operator, [one, broken("bad", dependencies=["one"])])

    assert found[2]["step"] == "bad"
    assert wp.paths(database, execution)["one"] == "completed"
    assert sorted(order(outside)) == ["fix", "fix", "not_one", "not_reference"]


@pytest.mark.capability(235)
def test_what_undoes_is_retried_after_the_deadline_too(worker, database, world, outside, undone):
    one = undone("one", url=f"http://{outside.host}/keyed/it/not_one?flaky=1")
    one |= {"retry": {"max_attempts": 2, "base_s": 0.1}}
    steps = [one, WAIT | {"id": "wait", "dependencies": ["one"]}]
    execution, found = wp.run(database, world.operator, steps, policies={"deadline_s": 1})

    assert found[0] == "failed"
    assert found[2]["class"] == "deadline"
    assert order(outside) == ["one", "not_one", "not_one"]
    assert wp.paths(database, execution)["one/undo"] == "completed"


@pytest.mark.capability(235)
def test_a_cancel_waits_until_all_is_undone(worker, database, world, outside, undone, who):
    steps = [undone("one"), WAIT | {"id": "wait", "dependencies": ["one"]}]
    agent = wp.make_agent(world.operator.id, steps)
    execution = wp.start(agent, world.operator.id)
    wp.wait_for(database, execution, {"waiting"})

    executions.cancel(execution, **who)
    assert wp.wait_for(database, execution)[0] == "cancelled"
    assert order(outside) == ["one", "not_one"]
    assert wp.paths(database, execution)["wait"] == "cancelled"
    assert wp.open_waits(database, execution) == 0


@pytest.mark.capability(235)
def test_a_failure_that_other_steps_answered_did_nothing_to_be_undone(
    worker, database, world, outside, undone
):
    answers = {"branch": [undone("instead")]}
    gone = {"method": "POST", "url": "http://nowhere.invalid/"}
    one = undone("one") | {"params": gone, "retry": {"max_attempts": 1}, "on_error": answers}
    again = undone("again", "one") | {"retry": {"max_attempts": 2, "base_s": 0.1}}
    again["params"] = again["params"] | {"url": f"{again['params']['url']}?flaky=1"}
    steps = [one, again, broken("bad", dependencies=["again"])]
    execution, found = wp.run(database, world.operator, steps)
    assert found[0] == "failed"
    undone_paths = {path for path in wp.paths(database, execution) if path.endswith("/undo")}
    assert undone_paths == {"one/on_error/instead/undo", "again/undo"}


@pytest.mark.capability(217, 235)
def test_a_fork_leaves_what_it_reuses_to_the_execution_that_did_it(
    worker, database, world, outside, undone, who
):
    steps = [undone("one"), WAIT | {"id": "wait", "dependencies": ["one"]}]
    execution = wp.start(wp.make_agent(world.operator.id, steps), world.operator.id)
    wp.wait_for(database, execution, {"waiting"})
    made = forks.fork(execution, Fork(), **who)
    wp.wait_for(database, made, {"waiting"})
    for one in (made, execution):
        executions.cancel(one, **who)
        assert wp.wait_for(database, one)[0] == "cancelled"
    assert order(outside) == ["one", "not_one"]
    assert "one/undo" not in wp.paths(database, made)


@pytest.mark.capability(217, 235)
def test_a_fork_that_fails_undoes_what_it_did_itself(worker, database, world, outside, undone, who):
    bad = put("bad", "{{number(inputs.n)}}")
    steps = [undone("one"), undone("two", "one"), bad | {"dependencies": ["two"]}]
    steps[1]["params"] = steps[1]["params"] | {"json": {"n": "{{inputs.n}}"}}
    execution, found = wp.run(database, world.operator, steps, {"n": "1"})
    assert found[0] == "completed"
    made = forks.fork(execution, Fork(inputs={"n": "x"}), **who)
    assert wp.wait_for(database, made)[0] == "failed"
    assert order(outside) == ["one", "two", "two", "not_two"]


@pytest.mark.capability(219, 235)
def test_a_version_that_takes_over_says_what_is_undone(
    worker, database, world, outside, undone, who
):
    wait = {"type": "wait_for_event", "timeout_s": 600}
    first, last = wait | {"id": "first", "event": "go"}, WAIT | {"id": "last"}
    steps = [first, outside.send("one", "first"), last | {"dependencies": ["one"]}]
    agent = wp.make_agent(world.operator.id, steps)
    execution = wp.start(agent, world.operator.id)
    wp.wait_for(database, execution, {"waiting"})
    document = {"format": 1, "steps": [first, undone("one", "first"), steps[2]]}
    agents.save_version(agent, document, reason="It can be undone.", base=1, **who)
    moving.move(execution, Move(), **who)
    events.send(events.Sent("go"), **who)
    wp.until(lambda: wp.paths(database, execution).get("last") == "waiting")
    wp.wait_for(database, execution, {"waiting"})
    executions.cancel(execution, **who)
    assert wp.wait_for(database, execution)[0] == "cancelled"
    assert order(outside) == ["one", "not_one"]


def test_one_that_cannot_be_undone_keeps_no_other_from_it(worker, database, world, outside, undone):
    steps = [undone("one"), undone("two", "one", url="{{steps.two.output.nothing}}")]
    steps.append(broken("bad", dependencies=["two"]))
    execution, found = wp.run(database, world.operator, steps)

    assert (found[0], found[2]["step"]) == ("failed", "bad")
    paths = wp.paths(database, execution)
    assert (paths["two/undo"], paths["one/undo"]) == ("failed", "completed")


def test_nothing_is_undone_where_the_policy_says_so(worker, database, world, outside, undone):
    steps = [undone("one"), broken("bad", dependencies=["one"])]
    wp.run(database, world.operator, steps, policies={"compensate": False})
    assert order(outside) == ["one"]


@pytest.mark.capability(235)
def test_a_worker_that_takes_over_goes_on_with_what_is_open(
    worker, database, world, outside, undone, superuser
):
    """As a crash leaves it: the undoing began, one is done, the other was about to be sent."""
    steps = [undone("one"), undone("two", "one"), undone("three", "two")]
    steps.append(broken("bad", dependencies=["three"]))
    execution, _ = wp.run(database, world.operator, steps)
    before = outside.keys("not_two")
    superuser.execute(
        "DELETE FROM step_execution WHERE execution_id = %s AND path = 'one/undo'", [execution]
    )
    superuser.execute(
        "UPDATE step_execution SET status = 'interrupted', output = NULL"
        " WHERE execution_id = %s AND path = 'two/undo'",
        [execution],
    )
    superuser.execute(
        "UPDATE execution SET status = 'queued', finished_at = NULL, wake_at = pilot_now()"
        " WHERE id = %s",
        [execution],
    )
    worker.poke()

    assert wp.wait_for(database, execution)[0] == "failed"
    assert outside.sent["not_three"] == 1
    assert outside.keys("not_two") == before * 2  # the same key: the receiver counts it once
    assert outside.sent["not_one"] == 2
    assert outside.sent["one"] == outside.sent["two"] == 1


@pytest.mark.parametrize(
    ("undo", "told"),
    [
        ({"plugin": "http", "action": "requets", "params": {}}, "There is no action"),
        ({"plugin": "http", "action": "request", "params": {}}, "needs the parameter"),
        (
            {
                "plugin": "http",
                "action": "request",
                "params": {"method": "GET", "url": "{{steps.gone.output}}"},
            },
            "There is no step gone",
        ),
        (
            {
                "plugin": "http",
                "action": "request",
                "params": {"method": "GET", "url": "{{item.url}}"},
            },
            "There is no item here",
        ),
    ],
)
def test_what_could_never_undo_is_refused_at_save(world, undo, told):
    with pytest.raises(InvalidError, match=told):
        wp.make_agent(world.operator.id, [put("one", 1) | {"compensate": undo}])


@pytest.mark.capability(235)
@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("said", ["happened", "skip", "run"])
def test_an_undo_of_which_nobody_knows_is_asked_about_and_hides_no_error(
    database, world, outside, undone, who, said
):
    first, lost = undone("first"), undone("lost", "first")
    lost["compensate"]["params"] = {
        "method": "POST",
        "url": f"http://{outside.host}/once/it/not_lost?drop=1",
        "json": {},
    }
    steps = [first, lost, broken("bad", dependencies=["lost"])]
    agent = wp.make_agent(world.operator.id, steps, inputs=OPEN)
    execution = wp.start(agent, world.operator.id)
    wp.wait_for(database, execution, {"needs_attention"})
    assert outside.sent["not_first"] == 1, "what is known goes on"
    executions.answer(execution, "lost/undo", said, **who)
    status, _, error = wp.wait_for(database, execution)[:3]
    assert (status, error["step"]) == ("failed", "bad")
    assert (outside.sent["not_first"], outside.sent["not_lost"]) == (1, 2 if said == "run" else 1)


def test_a_cancel_ends_what_waits_for_an_answer_about_an_undo(
    worker, database, world, outside, undone, who
):
    lost = undone("lost")
    lost["compensate"]["params"] = {
        "method": "POST",
        "url": f"http://{outside.host}/once/it/not_lost?drop=1",
        "json": {},
    }
    steps = [lost, broken("bad", dependencies=["lost"])]
    agent = wp.make_agent(world.operator.id, steps, inputs=OPEN)
    execution = wp.start(agent, world.operator.id)
    wp.wait_for(database, execution, {"needs_attention"})
    executions.cancel(execution, **who)
    assert wp.wait_for(database, execution)[0] == "cancelled"
    assert outside.sent["not_lost"] == 1
