"""Compares two values: whether they are equal, what differs, or whether one holds the other.

Output: `{result, added, removed, changed [{path, from, to}], unchanged}`. `added` is what only the
right side has, `removed` what only the left side has: elements of lists, `{path, value}` of
objects; `unchanged` counts what both have. Paths are JSON Pointers. The order of a list's elements
counts for `equals` and `deep_equals` only, and 4 is other than "4" for `deep_equals` only.
"""

from typing import Any, Literal

from pydantic import Field, StrictStr

from pilot.engine.acting.differing import Difference, difference, exactly, holds
from pilot.engine.acting.outcomes import Done, StepContext
from pilot.engine.expressions.values import equal
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.references import compile_field
from pilot.engine.language.step_fields import Expression, StepFields
from pilot.errors import type_json

IO = False
OUTPUT = {
    "type": "object",
    "properties": {
        "result": {"type": "boolean"},
        "added": {"type": "array"},
        "removed": {"type": "array"},
        "changed": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"path": {"type": "string"}, "from": {}, "to": {}},
                "additionalProperties": False,
            },
        },
        "unchanged": {"type": "integer"},
    },
    "additionalProperties": False,
}
WORDS = {
    "equals": "equals",
    "deep_equals": "is exactly",
    "diff": "differs from",
    "contains": "holds all of",
    "subset": "is part of",
}


class Params(StepFields):
    """Two values and the question about them."""

    type: Literal["comparison"]
    left: Expression
    right: Expression
    operation: Literal["equals", "deep_equals", "diff", "contains", "subset"] = Field(
        description="equals compares as expressions do (4 equals '4'), deep_equals also the types; "
        "diff is true when nothing differs; contains: left holds all of right; subset: right holds "
        "all of left.",
    )
    key: StrictStr | None = Field(
        None, min_length=1, description="The field that rows of both lists are matched by."
    )


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return the question."""
    left, right = (wording.expression(step.get(side, "")) for side in ("left", "right"))
    how = WORDS.get(str(step.get("operation")), "compared with")
    return f"Check whether {left} {how} {right}"


def run(step: Params, context: StepContext) -> Done:
    """Compare both values."""
    left = context.compiled(step.id, "left", lambda: compile_field(step.left))
    right = context.compiled(step.id, "right", lambda: compile_field(step.right))
    return _compared(step, left.evaluate(context.scope), right.evaluate(context.scope))


def _compared(step: Params, left: type_json, right: type_json) -> Done:
    found = difference(left, right, step.key, exact=step.operation == "deep_equals")
    return Done(
        {
            "result": _result(step, left, right, found),
            "added": found.added,
            "removed": found.removed,
            "changed": found.changed,
            "unchanged": found.unchanged,
        }
    )


def _result(step: Params, left: type_json, right: type_json, found: Difference) -> bool:
    match step.operation:
        case "equals":
            return equal(left, right)
        case "deep_equals":
            return exactly(left, right)
        case "contains":
            return holds(left, right, step.key)
        case "subset":
            return holds(right, left, step.key)
        case _:
            return found.none
