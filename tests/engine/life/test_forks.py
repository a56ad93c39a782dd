"""Forks, on a real worker: exactly what follows from a change runs, and nothing is sent twice."""

import pytest

from pilot import db
from pilot.engine.agents import agents, sharing
from pilot.engine.approvals import approvals
from pilot.engine.life import executions, forks, receipts, retrying
from pilot.engine.life.forks import Fork
from pilot.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from tests.engine import receiving
from tests.engine import worker_process as wp
from tests.engine.steps.containers import group, loop, scatter
from tests.engine.worker_process import broken, put

OPEN = {"type": "object", "additionalProperties": True}


outside, worker, who = receiving.outside, receiving.worker, receiving.who


@pytest.fixture
def forked(database, who):
    """Give `forked(execution, **asked)`: a fork that has ended, with what it gave."""

    def make(execution, **asked):
        made = forks.fork(execution, Fork(**asked), **who)
        return made, wp.wait_for(database, made)[:2]

    return make


def ran(superuser, execution):
    """Return the paths that ran in this execution, and those that it reuses."""
    query = (
        "SELECT path, reused_from FROM step_execution WHERE execution_id = %s AND status <> %s "
        "ORDER BY path"
    )
    rows = superuser.execute(query, [execution, "superseded"]).fetchall()
    return [path for path, origin in rows if origin is None], {
        path: origin for path, origin in rows if origin is not None
    }


def sends(outside, name, *after, text):
    step = outside.send(name, *after)
    step["params"] = step["params"] | {"json": {"text": text}}
    return step


@pytest.mark.capability(217, 254)
def test_one_changed_input_runs_exactly_its_readers(
    worker, database, world, outside, forked, superuser
):
    steps = [
        put("a", "{{inputs.x}}"),
        put("b", "{{inputs.y}}"),
        sends(outside, "one", text="{{steps.a.output}}"),
        sends(outside, "two", text="{{steps.b.output}}"),
        put("both", ["{{steps.one.output.status}}", "{{steps.two.output.status}}"]),
    ]
    execution, _ = wp.run(database, world.operator, steps, {"x": "1", "y": "1"})
    before = wp.attempts(database, execution)
    made, found = forked(execution, inputs={"x": "1", "y": "2"})
    assert found == ("completed", [200, 200])
    runs, reused = ran(superuser, made)
    assert runs == ["b", "both", "two"]
    assert reused == dict.fromkeys(["a", "one"], execution)
    assert outside.sent == {"one": 1, "two": 2}
    assert len(set(outside.keys("two"))) == 2
    assert wp.attempts(database, execution) == before
    again, _ = forked(made)
    runs, reused = ran(superuser, again)
    assert (runs, set(reused.values())) == ([], {execution, made})


@pytest.mark.capability(217, 218)
def test_a_fork_of_a_failed_one_runs_a_newer_version_from_the_mended_step(
    worker, database, outside, forked, superuser, who
):
    steps = [outside.send("one"), broken("bad", dependencies=["one"]), put("end", 1)]
    steps[2]["dependencies"] = ["bad"]
    agent = wp.make_agent(who["user_id"], steps, inputs=OPEN)
    execution = wp.start(agent, who["user_id"])
    assert wp.wait_for(database, execution)[0] == "failed"
    document = {"format": 1, "name": "Test", "inputs": OPEN}
    document["steps"] = [steps[0], put("bad", 1, dependencies=["one"]), steps[2]]
    agents.save_version(agent, document, reason="Mended.", base=1, **who)
    assert forked(execution)[1][0] == "failed"
    made, found = forked(execution, version=2)
    assert found[0] == "completed"
    assert ran(superuser, made)[0] == ["bad", "end"]
    assert outside.sent == {"one": 1}


@pytest.mark.capability(217)
def test_of_a_scatter_only_the_new_items_run(worker, database, world, outside, forked, superuser):
    steps = [scatter([outside.send("tell")]), put("n", "{{steps.each.output.succeeded}}")]
    execution, _ = wp.run(
        database, world.operator, steps, {"items": [1, 2, 3]}, output="{{steps.n.output}}"
    )
    made, found = forked(execution, inputs={"items": [1, 9, 3, 4]})
    assert found == ("completed", 4)
    assert outside.sent == {"tell": 5}
    assert set(ran(superuser, made)[1]) == {"each[0]/tell", "each[2]/tell"}


def test_of_a_group_with_another_branch_only_that_one_runs(
    worker, database, outside, forked, superuser, who
):
    document = {"format": 1, "name": "Test", "inputs": OPEN}
    both = group({"one": [outside.send("one")], "two": [outside.send("two")]})
    agent = wp.make_agent(who["user_id"], [both], inputs=OPEN)
    execution = wp.start(agent, who["user_id"])
    assert wp.wait_for(database, execution)[0] == "completed"
    both["branches"]["three"] = [outside.send("three")]
    agents.save_version(agent, document | {"steps": [both]}, reason="More.", base=1, **who)
    made, found = forked(execution, version=2)
    assert (found[0], sorted(found[1])) == ("completed", ["one", "three", "two"])
    assert outside.sent == {"one": 1, "two": 1, "three": 1}
    assert set(ran(superuser, made)[1]) == {"both/one", "both/two"}
    both["branches"].pop("one")
    agents.save_version(agent, document | {"steps": [both]}, reason="Fewer.", base=2, **who)
    made, found = forked(execution, version=3)
    assert (found[0], sorted(found[1])) == ("completed", ["three", "two"])
    assert outside.sent == {"one": 1, "two": 1, "three": 2}
    assert set(ran(superuser, made)[1]) == {"both/two"}


def test_of_a_failed_loop_the_open_rounds_run(worker, database, world, outside, forked, superuser):
    body = [outside.send("tell"), put("n", "{{10 / item}}", dependencies=["tell"])]
    body[1]["config"]["value"] = "{{number(item)}}"
    items = {"items": ["1", "x", "3"]}
    execution, found = wp.run(database, world.operator, [loop(body)], items)
    assert found[0] == "failed"
    made, found = forked(execution)
    assert found[0] == "failed"
    assert outside.sent == {"tell": 2}
    assert set(ran(superuser, made)[1]) == {"each[0]/tell", "each[0]/n", "each[1]/tell"}


def test_a_fork_gives_what_a_fresh_execution_gives(worker, database, world, who):
    way = {"id": "way", "type": "conditional", "condition": "inputs.n > 2"}
    steps = [
        put("a", "{{inputs.n}}"),
        way | {"then": [put("big", "{{inputs.n * 2}}")], "else": [put("small", "{{inputs.m}}")]},
        loop([put("x", "{{item + inputs.m}}"), put("y", "{{steps.x.output * 2}}")]),
        put("all", ["{{steps.a.output}}", "{{steps.way.output}}", "{{steps.each.output.items}}"]),
    ]
    agent = wp.make_agent(world.operator.id, steps, inputs=OPEN, output="{{steps.all.output}}")
    first = {"n": 1, "m": 1, "items": [1, 2]}
    execution = wp.start(agent, world.operator.id, **first)
    wp.wait_for(database, execution)
    changes = [{"n": 5}, {"m": 2}, {"items": [2, 2, 3]}, {"items": []}, {}]
    made = [forks.fork(execution, Fork(first | change), **who) for change in changes]
    fresh = [wp.start(agent, world.operator.id, **(first | change)) for change in changes]
    found = [[wp.wait_for(database, one)[:2] for one in some] for some in (made, fresh)]
    assert found[0] == found[1]
    assert {status for status, _ in found[0]} == {"completed"}


def test_what_was_approved_there_is_asked_here_if_it_happens_here(
    worker, database, world, outside, who, superuser
):
    asked = {"id": "ok", "type": "human_approval", "title": "Go?", "approvers": ["owner"]}
    steps = [asked, outside.send("one", "ok"), broken("bad", dependencies=["one"])]
    agent = wp.make_agent(world.operator.id, steps, inputs=OPEN)
    execution = wp.start(agent, world.operator.id)
    wp.wait_for(database, execution, {"waiting"})
    approve(superuser, who)
    assert wp.wait_for(database, execution)[0] == "failed"
    made = forks.fork(execution, Fork(), **who)
    assert wp.wait_for(database, made)[0] == "failed"
    assert outside.sent == {"one": 1}
    retrying.from_step(made, "one", repeat_effects=True, **who)
    wp.wait_for(database, made, {"waiting"})
    assert outside.sent == {"one": 1}


def approve(superuser, who):
    query = "SELECT id, payload_hash FROM approval WHERE decided_at IS NULL"
    found, seen = superuser.execute(query).fetchone()
    approvals.decide(found, "approved", seen_hash=seen, **who)


@pytest.mark.capability(217)
def test_the_same_key_forks_once_and_another_body_is_refused(database, world, who):
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, [put("a", 1)], inputs=OPEN)
    execution = wp.start(agent, world.operator.id)
    made = forks.fork(execution, Fork(key="k"), **who)
    assert forks.fork(execution, Fork(key="k"), **who) == made
    with pytest.raises(InvalidError, match="another request"):
        forks.fork(execution, Fork({"n": 1}, key="k"), **who)


def test_a_fork_is_audited_and_linked(database, world, who, superuser):
    wp.switch_on()
    execution = wp.start(wp.make_agent(world.operator.id, [put("a", 1)]), world.operator.id)
    executions.cancel(execution, **who)
    made = forks.fork(execution, Fork(), **who)
    query = "SELECT event FROM audit WHERE chain = %s ORDER BY seq"
    events = [one for (one,) in superuser.execute(query, [str(made)])]
    assert events == ["PILOT_EXECUTION_STARTED", "PILOT_EXECUTION_FORKED"]
    query = "SELECT forked_from, trigger FROM execution WHERE id = %s"
    assert superuser.execute(query, [made]).fetchone() == (execution, "fork")


@pytest.mark.capability(226)
def test_who_may_run_the_agent_or_sees_all_forks_for_its_owner(database, world, who, superuser):
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, [put("a", 1)])
    execution = wp.start(agent, world.operator.id)
    sharing.share(agent, world.stranger.email, "run", **who)
    stranger = {"by": world.stranger.actor, "user_id": world.stranger.id}
    admin = {"by": world.admin.actor, "user_id": world.admin.id, "sees_all": True}
    made = [forks.fork(execution, Fork(), **asked) for asked in (stranger, admin)]
    query = "SELECT owner_id, started_by FROM execution WHERE id = ANY (%s) ORDER BY id"
    owner = world.operator.id
    found = superuser.execute(query, [made]).fetchall()
    assert found == [(owner, world.stranger.id), (owner, world.admin.id)]


def test_what_is_not_yours_not_there_or_wrong_is_refused(database, world, who):
    wp.switch_on()
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    agent = wp.make_agent(world.operator.id, [put("a", 1)], inputs=schema)
    execution = wp.start(agent, world.operator.id, n=1)
    stranger = {"by": world.stranger.actor, "user_id": world.stranger.id}
    with pytest.raises((NotFoundError, ForbiddenError)):
        forks.fork(execution, Fork(), **stranger)
    with pytest.raises(NotFoundError, match="no version 7"):
        forks.fork(execution, Fork(version=7), **who)
    with pytest.raises(InvalidError):
        forks.fork(execution, Fork({"n": "no"}), **who)
    with pytest.raises(ConflictError, match="changed since"):
        forks.fork(execution, Fork(), seen_seq=0, **who)


@pytest.mark.capability(264)
def test_the_receipt_of_a_fork_says_what_it_saves(worker, database, world, outside, who):
    steps = [put("a", "{{inputs.x}}"), outside.send("tell"), put("b", "{{inputs.y}}")]
    execution, _ = wp.run(database, world.operator, steps, {"x": 1, "y": 1})
    with db.reading(world.operator.id) as session:
        asked = Fork({"x": 2, "y": 1})
        made = receipts.of_fork(
            session, forks.plan(session, execution, asked, user_id=world.operator.id)
        )
    assert [one.path for one in made.reused] == ["tell", "b"], "in the order of the document"
    assert [one.path for one in made.runs] == ["a"]
    assert made.effects == []
