"""Runs one of two lists of steps, by a condition.

Output: `{result, branch, value}`; branch is "then" or "else", value the last output of the steps
that ran, or null. Without bodies it only decides, for the execute_if of later steps.
"""

from typing import Any, Literal

from pydantic import Field

from pilot.engine.acting.outcomes import Enter, StepContext
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.conditions import compile_condition
from pilot.engine.language.step_fields import Body, Condition, StepFields

IO = False
BODIES = {"then": "/then", "else": "/else"}
OUTPUT = {
    "type": "object",
    "properties": {
        "result": {"type": "boolean"},
        "branch": {"enum": ["then", "else"]},
        "value": {},
    },
    "additionalProperties": False,
}


class Params(StepFields):
    """A condition and its two bodies."""

    type: Literal["conditional"]
    condition: Condition
    then: Body = Field([])
    otherwise: Body = Field([], alias="else")


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return the question."""
    return f"Check whether {wording.condition(step.get('condition', ''))}"


def run(step: Params, context: StepContext) -> Enter:
    """Decide which body runs."""
    condition = context.compiled(step.id, "condition", lambda: compile_condition(step.condition))
    result = bool(condition.evaluate(context.scope))
    return Enter({"result": result, "branch": "then" if result else "else"})


def body(step: Params, decided: dict[str, Any]) -> Body:
    """Return the steps that were decided on."""
    return step.then if decided["result"] else step.otherwise


def leave(decided: dict[str, Any], value: Any) -> dict[str, Any]:
    """Return the output once the body is finished."""
    return {"result": decided["result"], "branch": decided["branch"], "value": value}
