"""Events: before the wait, after it and twice; whose they are, what they have to be; who wins."""

import pytest
from sqlalchemy import text

from pilot import db
from pilot.audit import Actor
from pilot.engine.waits import events
from pilot.errors import InvalidError
from pilot.reports import execution as report
from tests.engine import worker_process as wp
from tests.engine.together import at_once

BY = Actor("cli:test")
WAIT = {
    "id": "paid",
    "type": "wait_for_event",
    "event": "order.paid",
    "match": "event.payload.order == inputs.order and event.source == 'shop'",
    "schema": {"type": "object", "properties": {"cents": {"type": "integer"}}},
}
INPUTS = {"type": "object", "properties": {"order": {"type": "integer"}}}


@pytest.fixture
def worker(database, redis_url, world, tmp_path, monkeypatch):
    monkeypatch.setattr("pilot.engine.worker.chores.EVENTS_EVERY_S", 0.2)
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path), hears=True) as resident:
        yield resident


@pytest.fixture
def begin(worker, database, world):
    """Give `begin(order, **fields)`: an execution with one step that waits."""

    def begin(order=7, until=("waiting",), **fields):
        agent = wp.make_agent(world.operator.id, [WAIT | fields], inputs=INPUTS)
        execution = wp.start(agent, world.operator.id, order=order)
        wp.wait_for(database, execution, set(until))
        return execution

    return begin


def send(person, name="order.paid", source="shop", id=None, **payload):  # noqa: A002
    sent = events.Sent(name, {"order": 7} | payload, source, id)
    return events.send(sent, by=BY, user_id=person.id)


@pytest.mark.capability(203)
def test_an_event_that_comes_while_it_is_waited_for_goes_on_once(begin, database, world, superuser):
    execution = begin()
    with db.reading(world.operator.id) as session:
        assert report.shown(session, execution).why.startswith("paid: the event order.paid, until ")
    answer = send(world.operator, id="evt_1", cents=100)
    assert answer.resolved == [{"execution_id": execution, "path": "paid"}]
    status, output, *_ = wp.wait_for(database, execution)
    assert (status, output["event"], output["timed_out"]) == ("completed", "order.paid", False)
    assert output["payload"] == {"order": 7, "cents": 100}
    again = begin()
    assert send(world.operator, id="evt_1", cents=100).repeated
    assert wp.row(database, again)[0] == "waiting", "twice is once"
    told = superuser.execute("SELECT event FROM audit WHERE event LIKE ANY ('{EVENT%,WAIT%}')")
    assert sorted(one for (one,) in told) == ["EVENT_RECEIVED", "WAIT_RESOLVED"]


@pytest.mark.capability(203)
def test_an_event_that_came_before_goes_to_the_first_step_that_waits(begin, database, world):
    assert send(world.operator, cents=5).kept
    first = begin(until=wp.END)
    assert wp.row(database, first)[1]["payload"]["cents"] == 5
    second = begin()
    events.look()
    assert wp.row(database, second)[0] == "waiting", "it was taken"


def test_only_what_fits_goes_on(begin, database, world, superuser):
    execution = begin()
    assert send(world.stranger).kept, "of somebody else"
    assert send(world.operator, source="mail").kept, "the condition does not hold"
    assert send(world.operator, name="order.sent").kept
    send(world.operator, order=8)
    with pytest.raises(InvalidError, match="is not of type 'integer'") as caught:
        send(world.operator, id="evt_1", cents="much")
    assert caught.value.issues[0].path == "/payload/cents"
    assert wp.row(database, execution)[0] == "waiting"
    other = begin(order=8, until=wp.END)
    assert wp.row(database, other)[1]["payload"] == {"order": 8}, "the kept one of its order"
    assert send(world.operator, id="evt_1", cents=3).resolved, "what was refused can be mended"
    wp.wait_for(database, execution)
    with db.reading(world.stranger.id) as session:
        seen = session.execute(text("SELECT name FROM inbox")).scalars().all()
    assert seen == ["order.paid"], "each sees what came to them"


@pytest.fixture
def fire(worker, superuser):
    """Give `fire(path)`: the time of a wait runs out now, without a sweep."""

    def fire(path="paid"):
        query = "SELECT id FROM wait WHERE path = %s AND resolved_at IS NULL"
        wait = superuser.execute(query, [path]).fetchone()[0]
        with db.transaction("test.fire", None) as session:
            session.execute(text("SELECT fire_wait(:w)"), {"w": wait})
        worker.poke()

    return fire


def test_the_time_runs_out(begin, fire, database):
    execution = begin(timeout_s=7200)
    fire()
    status, _, error, _ = wp.wait_for(database, execution)
    assert (status, error["class"]) == ("failed", "expired")
    assert error["message"] == "No event order.paid came within 2 hours."


def test_its_own_steps_answer_that_none_came(begin, fire, database, world):
    """They come before what the step says of failures, and may wait themselves."""
    nap = {"id": "nap", "type": "wait_for_event", "event": "order.late"}
    told = {"id": "told", "type": "transform", "input": "error.class", "operation": "set"}
    told |= {"config": {"value": "late"}, "dependencies": ["nap"]}
    execution = begin(on_error="continue", on_timeout={"branch": [nap, told]})
    fire()
    assert send(world.operator, name="order.late").id, "before the step waits, or after"
    status, output, *_ = wp.wait_for(database, execution)
    assert (status, output["timed_out"], output["payload"]) == ("completed", True, None)
    ended = [(path, status) for path, _, status, _ in wp.attempts(database, execution)]
    assert ended == [
        ("paid", "failed"),
        ("paid/on_timeout/nap", "completed"),
        ("paid/on_timeout/told", "completed"),
        ("paid", "completed"),
    ]


def test_the_end_of_its_time_and_an_event_have_one_winner(begin, fire, database, world):
    execution = begin(on_timeout="continue")
    answer, _ = at_once(lambda: send(world.operator), fire)
    output = wp.wait_for(database, execution)[1]
    assert output["timed_out"] is not bool(answer.resolved)


def test_each_round_of_a_loop_gets_its_own_event(worker, database, world):
    wait = {"id": "paid", "type": "wait_for_event", "event": "order.paid"}
    wait["match"] = "event.payload.order == item"
    each = {"id": "each", "type": "scatter_gather", "items": [7, 8], "steps": [wait]}
    execution = wp.start(wp.make_agent(world.operator.id, [each]), world.operator.id)
    wp.wait_for(database, execution, {"waiting"})
    assert [one["path"] for one in send(world.operator, order=8).resolved] == ["each[1]/paid"]
    assert [one["path"] for one in send(world.operator).resolved] == ["each[0]/paid"]
    items = wp.wait_for(database, execution)[1]["items"]
    assert [one["payload"]["order"] for one in items] == [7, 8]


def test_what_a_process_that_died_left_is_looked_at_again(begin, database, world, monkeypatch):
    """The event is committed before anybody is woken: a death in between loses nothing."""
    execution = begin()

    def die(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(events, "_deliver", die)
        with pytest.raises(KeyboardInterrupt):
            send(world.operator)
    with db.transaction("test.later", world.operator.id) as session:
        session.execute(text("UPDATE inbox SET received_at = received_at - interval '3 s'"))
    events.look()
    assert wp.wait_for(database, execution)[0] == "completed"


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        (events.Sent("no name"), "/name"),
        (events.Sent("a", id="x" * 256), "/id"),
        (events.Sent("a", source="\n"), "/source"),
        (events.Sent("a", "x" * 262_200), "/payload"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name(world, sent, path):
    with pytest.raises(InvalidError) as caught:
        events.send(sent, by=BY, user_id=world.operator.id)
    assert [issue.path for issue in caught.value.issues] == [path]


def test_events_are_pruned_after_a_day(world, superuser):
    send(world.operator)
    with db.transaction("test.prune", None) as session:
        assert session.scalar(text("SELECT prune_inbox(10)")) == 0
    superuser.execute("UPDATE inbox SET received_at = received_at - interval '25 hours'")
    with db.transaction("test.prune", None) as session:
        assert session.scalar(text("SELECT prune_inbox(10)")) == 1
