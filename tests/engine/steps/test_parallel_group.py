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
