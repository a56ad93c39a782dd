"""Validation steps."""

from decimal import Decimal, localcontext

import pytest

from pilot.engine.acting.outcomes import Skip
from pilot.engine.steps import validation
from pilot.errors import StepError
from tests.engine.steps.surroundings import context, step

RULES = [{"field": "amount", "condition": "item.amount > 0", "message": "must be positive"}]


@pytest.mark.capability(44)
def test_valid_data_passes_unchanged():
    made = step(type="validation", input="inputs.rows", rules=RULES)
    rows = [{"amount": 1}]
    output = validation.run(made, context(inputs={"rows": rows})).output
    assert output == {"valid": True, "errors": [], "data": rows}


def test_the_row_and_the_rule_that_do_not_hold_are_named():
    made = step(type="validation", input="inputs.rows", rules=RULES, on_invalid="continue")
    output = validation.run(made, context(inputs={"rows": [{"amount": 1}, {"amount": 0}]})).output
    assert output["errors"] == [
        {"path": "/1/amount", "code": "rule", "message": "must be positive"}
    ]


@pytest.mark.parametrize("on_invalid", ["fail", "skip"])
def test_invalid_data_fails_or_skips(on_invalid):
    schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
    made = step(type="validation", input="inputs.one", schema=schema, on_invalid=on_invalid)
    around = context(inputs={"one": {"id": "x"}})
    if on_invalid == "skip":
        assert isinstance(validation.run(made, around), Skip)
        return
    with pytest.raises(StepError, match="id"):
        validation.run(made, around)


@pytest.mark.parametrize(
    ("schema", "data", "errors"),
    [
        ({"type": "array", "items": {"type": "integer"}}, [1, 2], []),
        ({"type": "array", "items": {"type": "integer"}}, [1, "x"], [("/1", "type")]),
        ({"type": "string", "maxLength": 2}, "abc", [("", "maxLength")]),
        ({"type": "object", "properties": {"id": {"type": "integer"}}}, {"id": 1, "more": 2}, []),
    ],
)
def test_a_schema_may_be_of_any_value(schema, data, errors):
    made = step(type="validation", input="inputs.one", schema=schema, on_invalid="continue")
    output = validation.run(made, context(inputs={"one": data})).output
    assert [(one["path"], one["code"]) for one in output["errors"]] == errors


@pytest.mark.parametrize("step_by", [0.01, 1, 5e-324, 1e300, 10])
@pytest.mark.parametrize(
    "amount", [0.07, 0.29, 1.1, 1.13, 4.35, 19.99, 1e300, 5e-324, 2**53, 0.005]
)
def test_a_multiple_is_one_of_the_numbers_as_written(step_by, amount):
    schema = {"type": "number", "multipleOf": step_by}
    made = step(type="validation", input="inputs.one", schema=schema, on_invalid="continue")
    output = validation.run(made, context(inputs={"one": amount})).output
    with localcontext(prec=2_000):
        assert output["valid"] == (Decimal(str(amount)) % Decimal(str(step_by)) == 0)
