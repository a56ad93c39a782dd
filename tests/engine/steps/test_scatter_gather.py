"""What is made of the outputs of all items, and which of them run again."""

from collections import Counter

import pytest

from pilot import db
from pilot.engine.approvals import approvals
from pilot.engine.life import receipts, retrying
from tests.engine import worker_process as wp
from tests.engine.steps.containers import scatter
from tests.engine.worker_process import paths, put, run

ANY = {"type": "object", "additionalProperties": True}


def test_a_retry_repeats_only_the_failed_items(worker, database, world, browse):
    body = [put("a", "{{number(item)}}")]
    steps = [scatter(body, failure="collect"), put("after", 1, dependencies=["each"])]
    execution, found = run(database, world.operator, steps, {"items": ["1", "x", "3"]})
    assert found[0] == "completed_with_errors"
    with db.reading(world.operator.id) as session:
        told = receipts.receipt(session, execution, "retry").facts()
    assert (told["runs"], told["stale"]) == (["each", "each[1]/a"], ["after"])
    page = browse(world.operator).get(f"/executions/{execution}/retry").text
    assert "What follows keeps its results" in page
    retrying.failed(execution, by=world.operator.actor, user_id=world.operator.id)
    wp.wait_for(database, execution)
    counted = Counter(path for path, *_ in wp.attempts(database, execution))
    assert counted == {"each": 2, "each[0]/a": 1, "each[1]/a": 2, "each[2]/a": 1, "after": 1}


@pytest.mark.parametrize(
    ("gather", "value"),
    [
        ({"operation": "merge"}, {"a1": 1, "a2": 2}),
        ({"operation": "reduce", "op": "count"}, 2),
        ({"operation": "reduce", "op": "merge"}, {"a1": 1, "a2": 2}),
    ],
)
def test_outputs_are_merged_or_reduced(worker, database, world, gather, value):
    steps = [scatter([put("a", {"a1": 1})], items="inputs.items", gather=gather)]
    steps[0]["steps"] = [
        {"id": "a", "type": "transform", "operation": "set", "config": {"value": "{{item}}"}}
    ]
    _, found = run(database, world.operator, steps, {"items": [{"a1": 1}, {"a2": 2}]})
    assert found[1]["value"] == value


def test_a_field_of_the_outputs_is_summed(worker, database, world):
    gather = {"operation": "reduce", "op": "sum", "field": "n"}
    steps = [scatter([put("a", {"n": "{{item}}"})], gather=gather)]
    _, found = run(database, world.operator, steps, {"items": [0.1, 0.2, 5]})
    assert found[1]["value"] == 5.3


def test_items_with_the_same_key_fail_before_the_first(worker, database, world):
    steps = [scatter([put("a", 1)], item_key="item.id")]
    items = [{"id": 1}, {"id": 2}, {"id": 1}]
    execution, found = run(database, world.operator, steps, {"items": items})
    assert "1 (items 0 and 2)" in found[2]["message"]
    assert set(paths(database, execution)) == {"each"}


@pytest.mark.capability(41)
def test_an_approval_in_a_round_guards_that_round_only(worker, database, world, superuser):
    ask = {"id": "ask", "type": "human_approval", "title": "{{item}}?", "approvers": ["owner"]}
    send = {"id": "send", "type": "action", "plugin": "mail", "action": "send"}
    send |= {"dependencies": ["ask"], "params": {"to": ["{{item}}@b.test"], "subject": "x"}}
    send["params"]["text"] = "Hello {{item}}"
    agent = wp.make_agent(world.operator.id, [scatter([ask, send], failure="collect")], inputs=ANY)
    execution = wp.start(agent, world.operator.id, items=["ada", "bob"])
    wp.wait_for(database, execution, {"waiting"})
    asked = superuser.execute(
        "SELECT id, payload, payload_hash FROM approval ORDER BY path"
    ).fetchall()
    for (approval, payload, seen), name, decision in zip(
        asked, ("ada", "bob"), ("approved", "rejected"), strict=True
    ):
        assert f"{name}@b.test" in payload
        by, user = world.operator.actor, world.operator.id
        approvals.decide(approval, decision, by=by, user_id=user, seen_hash=seen)
    found = wp.wait_for(database, execution)
    assert found[0] == "completed_with_errors"
    assert [one["index"] for one in found[1]["errors"]] == [1]
    assert "each[1]/send" not in paths(database, execution)
