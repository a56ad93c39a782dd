"""Checks data against a JSON Schema or against rules.

A rule's condition sees the data as `item`; of a list, each element in turn. Output:
`{valid, errors [{path, code, message}], data}`; with `skip` the step counts as skipped.
"""

from functools import partial
from typing import Any, Literal

from pydantic import Field, StrictStr, model_validator

from pilot.engine.acting.outcomes import Done, Skip, StepContext
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.conditions import compile_condition
from pilot.engine.language.json_schemas import check_value
from pilot.engine.language.pointers import pointer
from pilot.engine.language.references import compile_field
from pilot.engine.language.step_fields import Expression, ItemCondition, Part, Schema, StepFields
from pilot.errors import ErrorClass, StepError

IO = False
MAX_MESSAGE = 300  # characters; a message tells what it found
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


def run(step: Params, context: StepContext) -> Done | Skip:
    """Check the data against the schema or the rules."""
    given = context.compiled(step.id, "input", lambda: compile_field(step.input))
    data = given.evaluate(context.scope)
    errors = (
        _by_schema(step, data) if step.json_schema is not None else _by_rules(step, context, data)
    )
    if errors and step.on_invalid == "fail":
        first = "; ".join(f"{one['path'] or 'data'}: {one['message']}" for one in errors[:5])
        raise StepError(ErrorClass.SCHEMA, f"The data is not valid: {first}")
    if errors and step.on_invalid == "skip":
        return Skip([one["message"] for one in errors[:5]])
    return Done({"valid": not errors, "errors": errors, "data": data})


def _by_schema(step: Params, data: Any) -> list[dict[str, Any]]:
    return [
        {
            "path": pointer(*one.absolute_path),
            "code": str(one.validator),
            "message": one.message[:MAX_MESSAGE],
        }
        for one in check_value(step.json_schema or {}, data)
    ]


def _by_rules(step: Params, context: StepContext, data: Any) -> list[dict[str, Any]]:
    errors = []
    items = list(enumerate(data)) if isinstance(data, list) else [(None, data)]
    for number, rule in enumerate(step.rules or []):
        condition = context.compiled(
            step.id,
            f"rule{number}",
            partial(compile_condition, rule.condition, item_fields=True),
        )
        for index, item in items:
            if not condition.evaluate(context.scope.child(item=item, index=index)):
                place = "" if index is None else f"/{index}"
                path = f"{place}/{rule.field}" if rule.field else place
                errors.append({"path": path, "code": "rule", "message": rule.message})
    return errors
