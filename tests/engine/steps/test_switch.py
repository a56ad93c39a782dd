"""Switch steps."""

import pytest

from pilot.engine.steps import switch
from pilot.errors import ExpressionError
from tests.engine.steps.surroundings import context, step


def _inner(name):
    return [{"id": name, "type": "transform", "operation": "set", "config": {"value": name}}]


CASES = [{"when": "high", "steps": _inner("a")}, {"when": [4, "low"], "steps": _inner("b")}]


@pytest.mark.capability(44)
@pytest.mark.parametrize(
    ("value", "branch", "ids"),
    [("high", "case0", ["a"]), ("4", "case1", ["b"]), ("other", "default", ["c"])],
)
def test_the_first_equal_case_runs(value, branch, ids):
    made = step(type="switch", value="inputs.level", cases=CASES, default=_inner("c"))
    decided = switch.run(made, context(inputs={"level": value})).decided
    assert decided == {"matched": branch != "default", "branch": branch}
    assert [one.id for one in switch.body(made, decided)] == ids


def test_a_missing_value_is_an_error():
    made = step(type="switch", value="inputs.level", cases=CASES)
    with pytest.raises(ExpressionError, match="level"):
        switch.run(made, context())
