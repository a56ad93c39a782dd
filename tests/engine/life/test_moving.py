"""Another version takes over an execution: what is unchanged is reused, or goes on as it is."""

import pytest

from pilot import db
from pilot.engine.agents import agents
from pilot.engine.approvals import approvals
from pilot.engine.life import executions, moving, receipts
from pilot.engine.life.moving import Move
from pilot.errors import ConflictError, ForbiddenError, NotFoundError
from tests.engine import receiving
from tests.engine import worker_process as wp
from tests.engine.steps.containers import group
from tests.engine.worker_process import broken, put

OPEN = {"type": "object", "additionalProperties": True}
ASK = {"id": "ok", "type": "human_approval", "title": "Go?", "approvers": ["owner"]}


outside, worker, who = receiving.outside, receiving.worker, receiving.who


@pytest.fixture
def begun(database, who):
    """Give `begun(steps, *statuses)`: an execution that came to rest, and `edit(steps)`."""

    def begin(steps, *statuses):
        agent = wp.make_agent(who["user_id"], steps, inputs=OPEN)
        execution = wp.start(agent, who["user_id"])
        wp.wait_for(database, execution, set(statuses))

        def edit(after, base=1, **keys):
            document = {"format": 1, "name": "Test", "inputs": OPEN, "steps": after} | keys
            agents.save_version(agent, document, reason="Edited.", base=base, **who)

        return execution, edit

    return begin


def ran(database, execution):
    """Return how many attempts each step has."""
    found = {}
    for path, number, _, _ in wp.attempts(database, execution):
        found[path] = max(number, found.get(path, 0))
    return found


def decide(superuser, who):
    query = "SELECT id, payload_hash, title FROM approval WHERE decided_at IS NULL"
    (found,) = superuser.execute(query).fetchall()
    approvals.decide(found[0], "approved", seen_hash=found[1], **who)
    return found[2]


@pytest.mark.capability(219, 254)
def test_a_mended_workflow_goes_on_where_it_failed(
    worker, database, who, outside, begun, superuser
):
    steps = [outside.send("one"), broken("bad", dependencies=["one"])]
    steps.append(put("end", 5, dependencies=["bad"]))
    execution, edit = begun(steps, "failed")
    with pytest.raises(ConflictError, match="runs version 1 already"):
        moving.move(execution, Move(), **who)
    edit([steps[0], put("bad", 1, dependencies=["one"]), steps[2]])
    for _ in range(2):
        moving.move(execution, Move(key="once"), **who)
    assert wp.wait_for(database, execution, {"completed"})[1] == 5
    assert outside.sent == {"one": 1}
    assert ran(database, execution) == {"one": 1, "bad": 2, "end": 1}
    query = "SELECT version_number FROM execution WHERE id = %s"
    assert superuser.execute(query, [execution]).fetchone() == (2,)
    query = "SELECT count(*) FROM audit WHERE event = 'PILOT_EXECUTION_MIGRATED'"
    assert superuser.execute(query).fetchone() == (1,)


@pytest.mark.capability(219)
def test_what_waits_unchanged_goes_on_waiting(worker, database, who, begun, superuser):
    steps = [put("a", 1), ASK | {"dependencies": ["a"]}, put("b", 1, dependencies=["ok"])]
    execution, edit = begun(steps, "waiting")
    edit([*steps[:2], put("b", 2, dependencies=["ok"])])
    moving.move(execution, Move(), **who)
    wp.wait_for(database, execution, {"waiting"})
    assert decide(superuser, who) == "Go?"
    assert wp.wait_for(database, execution)[:2] == ("completed", 2)
    assert ran(database, execution) == {"a": 1, "ok": 1, "b": 1}


@pytest.mark.capability(219)
def test_a_branch_more_repeats_and_asks_nothing_beside_it(
    worker, database, who, outside, begun, superuser
):
    asking = [outside.send("one"), ASK | {"dependencies": ["one"]}]
    both = group({"ask": asking, "tell": [outside.send("two")]})
    execution, edit = begun([both], "waiting")
    edit([both | {"branches": both["branches"] | {"more": [outside.send("three")]}}])
    moving.move(execution, Move(), **who)
    wp.until(lambda: outside.sent == {"one": 1, "two": 1, "three": 1})
    wp.wait_for(database, execution, {"waiting"})
    assert decide(superuser, who) == "Go?"
    status, output, *_ = wp.wait_for(database, execution)
    assert (status, set(output)) == ("completed", {"ask", "tell", "more"})
    inner = {"both/one": 1, "both/ok": 1, "both/two": 1, "both/three": 1}
    assert ran(database, execution).items() > inner.items()
    assert outside.sent == {"one": 1, "two": 1, "three": 1}


@pytest.mark.capability(219)
def test_an_edited_question_is_asked_anew(worker, database, who, begun, superuser):
    steps = [put("a", 1), ASK | {"dependencies": ["a"]}]
    execution, edit = begun(steps, "waiting")
    edit([steps[0], steps[1] | {"title": "Really?"}])
    moving.move(execution, Move(), **who)
    wp.until(lambda: ran(database, execution)["ok"] == 2)
    wp.wait_for(database, execution, {"waiting"})
    assert decide(superuser, who) == "Really?"
    assert wp.wait_for(database, execution)[0] == "completed"
    decisions = superuser.execute("SELECT decision FROM approval ORDER BY requested_at").fetchall()
    assert decisions == [("cancelled",), ("approved",)]


@pytest.mark.capability(254)
def test_an_edited_effect_happens_again_only_if_that_is_confirmed(
    worker, database, who, outside, begun, superuser
):
    steps = [put("a", 1), outside.send("one", "a"), ASK | {"dependencies": ["one"]}]
    execution, edit = begun(steps, "waiting")
    executions.pause(execution, **who)
    edit([put("a", 2), *steps[1:]])
    with db.reading(who["user_id"]) as session:
        row = executions.find(session, execution)
        made = receipts.of_move(session, moving.plan(session, row, None))
    assert ([one.path for one in made.reused], made.version) == ([], 2)
    assert [one.path for one in made.effects] == ["one"]
    with pytest.raises(ConflictError, match="one would happen once more"):
        moving.move(execution, Move(), **who)
    moving.move(execution, Move(repeat_effects=True), **who)
    wp.wait_for(database, execution, {"waiting"})
    decide(superuser, who)
    assert wp.wait_for(database, execution)[0] == "completed"
    assert (outside.sent, len(set(outside.keys("one")))) == ({"one": 2}, 2)


@pytest.mark.capability(219)
def test_what_runs_again_within_a_loop_is_told(worker, database, who, begun):
    def loop(value):
        inner = [put("x", 1), put("y", value, dependencies=["x"])]
        wait = ASK | {"dependencies": ["y"]}
        return [{"id": "l", "type": "loop", "items": [1], "steps": [*inner, wait]}]

    execution, edit = begun(loop(1), "waiting")
    executions.pause(execution, **who)
    edit(loop(2))
    with db.reading(who["user_id"]) as session:
        row = executions.find(session, execution)
        made = receipts.of_move(session, moving.plan(session, row, None))
    assert [one.path for one in made.reused] == ["l[0]/x"]
    assert [one.path for one in made.runs] == ["l", "l[0]/y", "l[0]/ok"]


@pytest.mark.capability(219)
def test_a_finished_part_that_does_not_fit_is_refused_with_the_list(
    worker, database, who, begun, outside
):
    steps = [put("a", 1), put("b", 1), outside.send("list"), put("c", 1), broken("bad")]
    execution, edit = begun(steps, "failed")
    other = {"id": "b", "type": "delay", "for_s": 1}
    page = {"id": "list", "type": "action", "plugin": "http", "action": "fetch_page"}
    page |= {"params": {"url": "https://example.com/"}}
    required = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    edit([other, page, put("c", 1), put("bad", 1)], inputs=required)
    with pytest.raises(ConflictError, match="does not fit version 2") as refused:
        moving.move(execution, Move(), **who)
    misfits = {one["path"]: one["problem"] for one in refused.value.present["misfits"]}
    assert set(misfits) == {"inputs.n", "a", "b", "list"}
    assert "no such step" in misfits["a"]
    assert misfits["b"] == "it is a transform, there a delay"
    assert "output schema" in misfits["list"]
    assert wp.row(database, execution)[0] == "failed"


def test_only_an_execution_that_rests_is_moved(database, world, who):
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, [put("a", 1)])
    execution = wp.start(agent, world.operator.id)
    document = {"format": 1, "name": "Test", "steps": [put("a", 2)]}
    agents.save_version(agent, document, reason="Two.", base=1, **who)
    with pytest.raises(NotFoundError, match="no version 7"):
        moving.move(execution, Move(7), **who)
    with pytest.raises((NotFoundError, ForbiddenError)):
        moving.move(execution, Move(), by=world.stranger.actor, user_id=world.stranger.id)
    with pytest.raises(ConflictError, match="changed since"):
        moving.move(execution, Move(), seen_seq=0, **who)
    moving.move(execution, Move(2), **who)
    executions.cancel(execution, **who)
    with pytest.raises(ConflictError, match="It is cancelled"):
        moving.move(execution, Move(1), **who)
