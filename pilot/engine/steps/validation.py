"""Checks data against a JSON Schema or against rules.

A rule's condition sees the data as `item`; of a list, each element in turn. Output:
`{valid, errors [{path, code, message}], data}`; with `skip` the step counts as skipped.
"""

from typing import Literal

from pydantic import Field, StrictStr

from pilot.engine.step_fields import Expression, ItemCondition, Part, Schema, StepFields

IO = False


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
