"""What is made of the outputs of all items, and which of them run again."""

from collections import Counter

import pytest

from pilot.engine import retrying
from tests.engine import worker_process as wp
from tests.engine.steps.containers import scatter
from tests.engine.worker_process import paths, put, run


def test_a_retry_repeats_only_the_failed_items(worker, database, world):
    body = [put("a", "{{number(item)}}")]
    steps = [scatter(body, failure="collect"), put("after", 1, dependencies=["each"])]
    execution, found = run(database, world.operator, steps, {"items": ["1", "x", "3"]})
    assert found[0] == "completed_with_errors"
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
