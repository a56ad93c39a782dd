"""An execution that a step ends."""

import pytest

from tests.engine.steps.containers import pause
from tests.engine.worker_process import paths, put, run


@pytest.mark.capability(206)
@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_a_stop_ends_the_execution_and_what_waits(worker, database, world, outcome):
    said = {"outcome": outcome, "message": "Nothing to do for {{inputs.who}}.", "output": {"n": 1}}
    said["execute_if"] = "inputs.who == 'Ada'"
    steps = [
        pause("long", 1000),
        put("first", 1),
        {"id": "end", "type": "stop", "dependencies": ["first"]} | said,
        put("never", 1, dependencies=["end"]),
    ]
    execution, found = run(database, world.operator, steps, {"who": "Ada"})
    assert found[0] == outcome
    if outcome == "failed":
        assert found[2]["message"] == "Nothing to do for Ada."
    else:
        assert found[1] == {"n": 1}
    recorded = paths(database, execution)
    assert "never" not in recorded
    assert recorded.get("long", "cancelled") == "cancelled"


def test_one_that_fails_and_is_recovered_ends_nothing(worker, database, world):
    instead = {"on_error": {"branch": [put("instead", 7)]}, "execute_if": "inputs.missing.part"}
    end = {"id": "end", "type": "stop"} | instead
    _, found = run(database, world.operator, [end, put("after", "{{steps.end.output}}")])
    assert found == ("completed", 7, None)
