"""Branches side by side, until enough of them are finished."""

import pytest

from tests.engine import worker_process as wp
from tests.engine.steps.containers import group, pause
from tests.engine.worker_process import broken, paths, put, run


def test_branches_run_side_by_side_and_are_read_from_outside(worker, database, world):
    branches = {"left": [put("a", 1), put("b", "{{steps.a.output + 1}}")], "right": [put("c", 3)]}
    steps = [group(branches), put("after", "{{steps.b.output + steps.c.output}}")]
    _, found = run(
        database,
        world.operator,
        steps,
        output={"group": "{{steps.both.output}}", "after": "{{steps.after.output}}"},
    )
    assert found == ("completed", {"group": {"left": 2, "right": 3}, "after": 5}, None)


@pytest.mark.capability(208)
@pytest.mark.parametrize(
    ("fields", "status", "names"),
    [
        ({}, "failed", None),
        ({"join": "any"}, "completed_with_errors", {"good"}),
        ({"join": 1}, "completed_with_errors", {"good"}),
        ({"join": 2}, "completed_with_errors", {"good", "slow"}),
        ({"join": 3}, "failed", None),
    ],
)
def test_a_group_ends_when_enough_branches_did(worker, database, world, fields, status, names):
    fields = {"rest": "finish"} | fields
    branches = {"bad": [broken("x")], "good": [put("a", 1)], "slow": [pause("s", 0.2)]}
    if fields.get("join") in {"any", 1}:
        fields["rest"] = "cancel"
        branches["slow"] = [pause("s", 1000), put("never", 1, dependencies=["s"])]
    execution, found = run(
        database, world.operator, [group(branches, **fields)], output="{{steps.both.output}}"
    )
    assert found[0] == status
    if names is not None:
        assert set(found[1]) == names
    else:
        assert found[2]["step"] == "both/x"
    assert wp.open_waits(database, execution) == 0
    assert "never" not in str(paths(database, execution))


@pytest.mark.capability(208)
@pytest.mark.parametrize(
    ("fields", "taken", "ends"),
    [
        ({"join": "any"}, False, ("completed", {"slow": 2})),
        ({"join": 1}, False, ("completed", {"slow": 2})),
        ({"join": "any"}, True, ("completed", {"quick": 1})),
        ({}, False, ("completed", {"slow": 2})),
        ({"join": 2}, False, ("failed", None)),
    ],
)
def test_a_skipped_branch_is_none_that_finished(worker, database, world, fields, taken, ends):
    branches = {
        "quick": [put("a", 1, execute_if="inputs.taken")],
        "slow": [pause("s", 0.2), put("b", 2, dependencies=["s"])],
    }
    steps = [group(branches, **fields)]
    execution, found = run(
        database, world.operator, steps, {"taken": taken}, output="{{steps.both.output}}"
    )
    assert found[:2] == ends
    assert wp.open_waits(database, execution) == 0


@pytest.mark.capability(208)
@pytest.mark.parametrize(
    ("join", "status", "output"), [("all", "completed", {}), ("any", "failed", None)]
)
def test_only_all_of_none_are_enough(worker, database, world, join, status, output):
    branches = {name: [put(name, 1, execute_if="inputs.taken")] for name in ("a", "b")}
    steps = [group(branches, join=join)]
    _, found = run(
        database, world.operator, steps, {"taken": False}, output="{{steps.both.output}}"
    )
    assert found[:2] == (status, output)
    if status == "failed":
        assert (found[2]["class"], found[2]["step"]) == ("input", "both")
        assert "skipped in a, b" in found[2]["message"]
