"""What comes while an execution is busy with something else goes on at once, not when it rests."""

import pytest

from pilot.engine.approvals import approvals
from pilot.engine.waits import events
from tests.engine import receiving
from tests.engine import worker_process as wp
from tests.engine.running.test_compensation import order
from tests.engine.steps.containers import group, loop, pause, scatter

outside, worker, who = receiving.outside, receiving.worker, receiving.who

OPEN = {"type": "object", "additionalProperties": True}
AWAIT = {"id": "w", "type": "wait_for_event", "event": "go", "timeout_s": 600}
MANY = 16


@pytest.fixture
def busy(outside):
    """Give a loop that sends one request after the other, for about five seconds."""
    return loop([slow(outside, "s", "{{index}}")], items="inputs.items", id="busy")


@pytest.fixture
def begin(worker, world):
    """Give `begin(*steps, **inputs)`: an execution of these steps."""

    def begin(*steps, **inputs):
        agent = wp.make_agent(world.operator.id, list(steps), inputs=OPEN)
        return wp.start(agent, world.operator.id, **{"items": [*range(MANY)]} | inputs)

    return begin


def slow(outside, name, more=""):
    step = outside.send(name)
    step["params"]["url"] += f"{more}?wait_ms=300"
    return step


def ended(database, execution, outside):
    """Wait for its end; return in which order was sent, once each."""
    found = wp.wait_for(database, execution)
    assert found[0] == "completed", found
    sent = order(outside)
    assert len(set(sent)) == len(sent), "twice"
    return sent


@pytest.mark.capability(210)
def test_what_follows_a_delay_starts_beside_a_busy_loop(begin, busy, outside, database):
    sent = ended(database, begin(busy, pause("p", 1.2), outside.send("q", "p")), outside)
    assert sent.index("q") < MANY - 2
    assert len(sent) == MANY + 1


@pytest.mark.capability(203)
def test_what_follows_an_event_starts_beside_a_busy_branch(begin, busy, outside, database, who):
    held = {"id": "held", "type": "conditional", "condition": True}
    later = AWAIT | {"id": "later", "event": "late"}
    held["then"] = [AWAIT, outside.send("q", "w"), later, outside.send("end", "later")]
    execution = begin(group({"busy": [busy], "held": [held]}))
    wp.until(lambda: outside.sent["s2"])
    events.send(events.Sent("go"), **who)
    wp.until(lambda: outside.sent["q"])
    assert not outside.sent[f"s{MANY - 1}"]
    assert wp.paths(database, execution)["both/held/later"] == "waiting", "it waits on"
    events.send(events.Sent("late"), **who)
    sent = ended(database, execution, outside)
    assert len(sent) == MANY + 2


def test_a_decision_is_heeded_beside_a_busy_loop(begin, busy, outside, database, world, superuser):
    ask = {"id": "ask", "type": "human_approval", "title": "Go?", "approvers": ["role:approver"]}
    execution = begin(busy, ask, outside.send("q", "ask"))
    wp.until(lambda: outside.sent["s2"])
    query = "SELECT id, payload_hash FROM approval WHERE execution_id = %s"
    approval, seen = superuser.execute(query, [execution]).fetchone()
    said = {"seen_hash": seen, "by": world.approver.actor, "user_id": world.approver.id}
    approvals.decide(approval, "approved", comment="", **said)
    wp.until(lambda: outside.sent["q"])
    assert not outside.sent[f"s{MANY - 1}"]
    ended(database, execution, outside)


@pytest.mark.capability(212)
def test_a_retry_comes_when_it_is_due(begin, busy, outside, database):
    again = outside.send("r", retry={"max_attempts": 2, "base_s": 1.2, "factor": 1})
    again["params"]["url"] += "?flaky=1"
    execution = begin(busy, again)
    assert wp.wait_for(database, execution)[0] == "completed"
    sent = order(outside)
    assert sent.count("r") == 2
    assert sent[-1] != "r"


@pytest.mark.capability(208)
def test_a_group_of_any_ends_with_the_first_that_waited(begin, busy, outside, database):
    any_ = group({"busy": [busy], "p": [pause("p", 1.2)]}, join="any")
    sent = ended(database, begin(any_, outside.send("q", "both")), outside)
    assert len(sent) < MANY


@pytest.mark.parametrize("at_once", [None, 3])
def test_an_item_that_waited_goes_on_beside_the_others(begin, outside, database, at_once):
    rest = {"id": "p", "type": "delay", "for_s": "{{item}}"}
    body = [rest, slow(outside, "a", "{{index}}") | {"dependencies": ["p"]}]
    body.append(slow(outside, "b", "{{index}}") | {"dependencies": ["a"]})
    limit = {} if at_once is None else {"max_concurrency": at_once}
    items = [1.2, *([0] * 2 * MANY)]
    sent = ended(database, begin(scatter(body, **limit), items=items), outside)
    assert sent.index("b0") < len(sent) - 6
    assert len(sent) == 2 * len(items)


def test_a_loop_in_order_goes_on_beside_another(begin, busy, outside, database):
    steps = [pause("p", 1.1), outside.send("q", "p")]
    steps[1]["params"]["url"] += "{{index}}"
    turns = loop(steps, items="inputs.two")
    execution = begin(group({"busy": [busy], "turns": [turns]}), two=[1, 2])
    sent = ended(database, execution, outside)
    assert sent.index("q0") < sent.index(f"s{MANY - 1}")
    assert sent.index("q0") < sent.index("q1")
