"""Loops, and what scatters share with them: every round recorded, counted, gone on with."""

import pytest

from tests.engine import worker_process as wp
from tests.engine.steps.containers import loop, scatter
from tests.engine.worker_process import broken, paths, put, run


@pytest.mark.capability(40)
@pytest.mark.parametrize("kind", [loop, scatter])
def test_steps_run_for_each_item_and_every_round_is_recorded(worker, database, world, kind):
    body = [put("double", "{{order.n * 2}}"), put("named", "{{index}}: {{steps.double.output}}")]
    execution, found = run(
        database, world.operator, [kind(body, item_name="order")], {"items": [{"n": 4}, {"n": 7}]}
    )
    output = found[1]
    assert found[0] == "completed"
    assert output["items"] == ["0: 8", "1: 14"]
    assert (output["total"], output["succeeded"], output["failed"]) == (2, 2, 0)
    assert output["truncated"] is False
    inside = {"each[0]/double", "each[0]/named", "each[1]/double", "each[1]/named"}
    assert set(paths(database, execution)) == {"each", *inside}


@pytest.mark.parametrize("kind", [loop, scatter])
def test_no_items_complete_at_once_and_null_is_an_error(worker, database, world, kind):
    _, found = run(database, world.operator, [kind([put("a", 1)])], {"items": []})
    assert found[0] == "completed"
    assert found[1]["items"] == []
    for items, told in [(None, "null"), (5, "a number"), ({"a": 1}, "an object")]:
        _, found = run(database, world.operator, [kind([put("a", 1)])], {"items": items})
        assert found[0] == "failed"
        assert found[2]["message"] == f"items must be a list; it is {told}."


def test_a_loop_knows_where_it_is_and_what_came_before(worker, database, world):
    body = [put("sum", "{{default(loop.previous, 0) + item}}")]
    steps = [loop(body, output="{{steps.sum.output}}")]
    _, found = run(database, world.operator, steps, {"items": [1, 2, 3]})
    assert found[1]["items"] == [1, 3, 6]
    about = "{{loop.first}} {{loop.last}} {{loop.count}} {{loop.index}}"
    _, found = run(database, world.operator, [loop([put("a", about)])], {"items": [7, 8]})
    assert found[1]["items"] == ["true false 2 0", "false true 2 1"]


@pytest.mark.capability(207)
def test_a_loop_ends_when_it_is_broken_or_its_condition_fails(worker, database, world):
    steps = [loop([put("a", "{{item}}")], break_if="steps.a.output == 2")]
    _, found = run(database, world.operator, steps, {"items": [1, 2, 3]})
    assert found[1]["items"] == [1, 2]
    again = {"while": "index < inputs.n", "max_iterations": 5, "items": None}
    steps = [{k: v for k, v in (loop([put("a", "{{index}}")]) | again).items() if v is not None}]
    _, found = run(database, world.operator, steps, {"n": 3})
    assert found[1]["items"] == [0, 1, 2]
    _, found = run(database, world.operator, steps, {"n": 30})
    assert found[0] == "failed"
    assert found[2]["class"] == "limit"
    assert "5 times" in found[2]["message"]


def test_too_many_items_fail_before_the_first_or_are_left_out_and_shown(worker, database, world):
    steps = [loop([put("a", "{{item}}")], max_iterations=2)]
    execution, found = run(database, world.operator, steps, {"items": [1, 2, 3]})
    assert (found[0], found[2]["class"]) == ("failed", "limit")
    assert set(paths(database, execution)) == {"each"}
    steps = [loop([put("a", "{{item}}")], max_iterations=2, over_limit="truncate")]
    _, found = run(database, world.operator, steps, {"items": [1, 2, 3]})
    assert found[0] == "completed"
    assert found[1]["items"] == [1, 2]
    assert (found[1]["truncated"], found[1]["total"]) == (True, 3)


@pytest.mark.parametrize(
    ("bound", "more", "truncated"),
    [
        (3, {"while": "index < 3"}, False),
        (3, {"while": "index < 4"}, True),
        (3, {"while": "true", "break_if": "index == 2"}, False),
        (2, {"items": [1, 2, 3], "break_if": "item == 2"}, False),
        (2, {"items": [1, 2, 3]}, True),
        (3, {"items": [1, 2, 3]}, False),
    ],
)
def test_a_loop_is_truncated_when_its_bound_ended_it(
    worker, database, world, bound, more, truncated
):
    body = {"id": "each", "type": "loop", "steps": [put("a", 1)], "max_iterations": bound}
    _, found = run(database, world.operator, [body | {"over_limit": "truncate"} | more])
    assert (found[0], found[1]["truncated"]) == ("completed", truncated)


def bad_third():
    return [broken("a", execute_if="item != 3 or inputs.missing.part"), put("b", "{{item}}")]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        ("stop", "failed"),
        ("collect", "completed_with_errors"),
        ({"tolerate": 1}, "completed_with_errors"),
        ({"tolerate": "25%"}, "completed_with_errors"),
        ({"tolerate": "10%"}, "failed"),
        ({"tolerate": 0}, "failed"),
    ],
)
@pytest.mark.parametrize("kind", [loop, scatter])
def test_failed_items_stop_or_are_collected(worker, database, world, kind, failure, status):
    steps = [kind(bad_third(), failure=failure)]
    execution, found = run(database, world.operator, steps, {"items": [1, 2, 3, 4]})
    assert found[0] == status
    if status == "failed":
        assert found[2]["step"] == "each[2]/a"
    else:
        assert found[1]["items"] == [1, 2, 4]
        assert [one["index"] for one in found[1]["errors"]] == [2]
        assert (found[1]["succeeded"], found[1]["failed"]) == (3, 1)
    assert paths(database, execution)["each[2]/a"] == "failed"


@pytest.mark.parametrize("kind", [loop, scatter])
def test_rounds_that_wait_go_on_where_they_were(worker, database, world, kind):
    body = [
        put("before", "{{item}}"),
        {"id": "pause", "type": "delay", "for_s": 1.1, "dependencies": ["before"]},
        put("after", "{{steps.before.output}}", dependencies=["pause"]),
    ]
    steps = [kind(body), put("last", "{{steps.each.output.items}}")]
    execution, found = run(
        database, world.operator, steps, {"items": [1, 2]}, output="{{steps.last.output}}"
    )
    assert found == ("completed", [1, 2], None)
    inside = [path for path, *_ in wp.attempts(database, execution) if path.startswith("each[")]
    assert len(inside) == 6


def test_loops_nest_and_read_outer_items_by_name(worker, database, world):
    inner = loop([put("cell", "{{row.n}}{{letter}}{{index}}")], "row.letters", item_name="letter")
    outer = loop([inner | {"id": "cells"}], item_name="row") | {"id": "each"}
    outer["output"] = "{{steps.cells.output.items}}"
    items = [{"n": 1, "letters": ["a", "b"]}, {"n": 2, "letters": ["c"]}]
    execution, found = run(database, world.operator, [outer], {"items": items})
    assert found[1]["items"] == [["1a0", "1b1"], ["2c0"]]
    assert "each[1]/cells[0]/cell" in paths(database, execution)
