"""Runs the steps of the first case that equals a value.

Output: `{matched, branch, value}`; branch is "case0", "case1" .., "default" or null, value the last
output of the steps that ran, or null.
"""

from typing import Any, Literal

from pydantic import Field

from pilot.engine.acting.outcomes import Enter, StepContext
from pilot.engine.expressions.values import equal
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.references import compile_field
from pilot.engine.language.step_fields import Body, Expression, Part, StepFields

IO = False
BODIES = {"case{}": "/cases/{}/steps", "default": "/default"}
OUTPUT = {
    "type": "object",
    "properties": {
        "matched": {"type": "boolean"},
        "branch": {"type": ["string", "null"]},
        "value": {},
    },
    "additionalProperties": False,
}


class Case(Part):
    """Steps for one value, or for any value of a list."""

    when: Any = Field(description="A literal, or a list of literals.")
    steps: Body = Field([])


class Params(StepFields):
    """A value and its cases."""

    type: Literal["switch"]
    value: Expression
    cases: list[Case] = Field(min_length=1)
    default: Body = Field([])


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return what the way on depends on."""
    return f"Go on depending on {wording.expression(step.get('value', ''))}"


def run(step: Params, context: StepContext) -> Enter:
    """Decide which case runs: the first that equals the value."""
    given = context.compiled(step.id, "value", lambda: compile_field(step.value))
    value = given.evaluate(context.scope)
    for number, case in enumerate(step.cases):
        if any(equal(value, one) for one in _literals(case.when)):
            return Enter({"matched": True, "branch": f"case{number}"})
    return Enter({"matched": False, "branch": "default" if step.default else None})


def _literals(when: Any) -> list[Any]:
    return when if isinstance(when, list) else [when]


def body(step: Params, decided: dict[str, Any]) -> Body:
    """Return the steps that were decided on."""
    if decided["matched"]:
        return step.cases[int(str(decided["branch"]).removeprefix("case"))].steps
    return step.default


def leave(decided: dict[str, Any], value: Any) -> dict[str, Any]:
    """Return the output once the body is finished."""
    return {"matched": decided["matched"], "branch": decided["branch"], "value": value}
