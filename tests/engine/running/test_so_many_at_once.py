"""So many at the same time, of items and of branches: those that wait are some of them."""

import pytest

from pilot.engine.waits import events
from tests.engine import worker_process as wp
from tests.engine.steps.containers import group, scatter
from tests.engine.worker_process import put

OPEN = {"type": "object", "additionalProperties": True}


def wait(name, key):
    match = f"event.payload == {key}"
    return {"id": name, "type": "wait_for_event", "event": "go", "match": match, "timeout_s": 600}


@pytest.fixture
def begin(worker, database, world):
    """Give `begin(step, **inputs)`: an execution of one step, and what goes on with it."""

    def begin(step, **inputs):
        agent = wp.make_agent(world.operator.id, [step], inputs=OPEN)
        execution = wp.start(agent, world.operator.id, **inputs)

        def rests(*paths):
            """Wait until it waits at these paths, and at no others."""

            def found():
                known = wp.paths(database, execution)
                return {path for path, status in known.items() if status == "waiting"}

            def does():
                return wp.row(database, execution)[0] == "waiting" and found() == {*paths}

            wp.until(does, shown=lambda: str(found()))

        def go(key):
            sent = events.Sent("go", key)
            found = events.send(sent, by=world.operator.actor, user_id=world.operator.id)
            assert len(found.resolved) == 1

        return execution, rests, go

    return begin


@pytest.mark.capability(238)
def test_an_item_that_waits_lets_no_other_begin_in_its_place(begin, database):
    body = [put("one", "{{item}}"), wait("w", "item") | {"dependencies": ["one"]}]
    execution, rests, go = begin(scatter(body, max_concurrency=2), items=[0, 1, 2, 3, 4])
    rests("each[0]/w", "each[1]/w")
    go(1)
    rests("each[0]/w", "each[2]/w")
    go(0)
    rests("each[2]/w", "each[3]/w")
    go(2)
    go(3)
    rests("each[4]/w")
    go(4)
    found = wp.wait_for(database, execution)
    assert (found[0], found[1]["succeeded"]) == ("completed", 5)


def test_without_a_limit_all_items_wait_side_by_side(begin, database):
    execution, rests, go = begin(scatter([wait("w", "item")]), items=[*range(6)])
    rests(*(f"each[{n}]/w" for n in range(6)))
    for n in range(6):
        go(n)
    assert wp.wait_for(database, execution)[0] == "completed"


@pytest.mark.capability(208)
def test_a_branch_that_waits_lets_no_other_begin_in_its_place(begin, database):
    branches = {name: [wait(name, f"'{name}'")] for name in "abcd"}
    execution, rests, go = begin(group(branches, max_concurrency=2))
    rests("both/a", "both/b")
    go("b")
    rests("both/a", "both/c")
    go("c")
    rests("both/a", "both/d")
    go("a")
    go("d")
    assert wp.wait_for(database, execution)[0] == "completed"
