"""Validation steps."""

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
