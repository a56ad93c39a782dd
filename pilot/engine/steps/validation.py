"""Checks data against a JSON Schema or against rules.

A rule's condition sees the data as `item`; of a list, each element in turn. Output:
`{valid, errors [{path, code, message}], data}`; with `skip` the step counts as skipped.
"""

from typing import Any, Literal

from pydantic import Field, StrictStr, model_validator

from pilot.engine import wording
from pilot.engine.catalogue import Catalogue
from pilot.engine.step_fields import Expression, ItemCondition, Part, Schema, StepFields

IO = False
OUTPUT = {
    "type": "object",
    "properties": {
        "valid": {"type": "boolean"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
                "additionalProperties": False,
            },
        },
        "data": {},
    },
    "additionalProperties": False,
}


class Rule(Part):
    """What must hold, and what is said where it does not."""

    field: StrictStr | None = Field(None, description="The field that errors name.")
    condition: ItemCondition
    message: StrictStr = Field(min_length=1, max_length=500)


class Params(StepFields):
    """Data and what it must be: a schema or rules."""

    type: Literal["validation"]
    input: Expression
    json_schema: Schema | None = Field(None, alias="schema")
    rules: list[Rule] | None = Field(None, min_length=1, max_length=100)
    on_invalid: Literal["fail", "continue", "skip"] = "fail"

    @model_validator(mode="after")
    def _has_one_measure(self) -> "Params":
        if (self.json_schema is None) == (self.rules is None):
            raise ValueError("A validation has either schema or rules: give one of them.")
        return self


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return what is checked."""
    rules = step.get("rules")
    named = [one for one in rules if isinstance(one, dict)] if isinstance(rules, list) else []
    how = "; ".join(wording.condition(one.get("condition", "")) for one in named)
    data = wording.expression(step.get("input", ""))
    return f"Check {data}: {how}" if how else f"Check {data} against its schema"
