"""Runs one of two lists of steps, by a condition.

Output: `{result, branch, value}`; branch is "then" or "else", value the last output of the steps
that ran, or null. Without bodies it only decides, for the execute_if of later steps.
"""

from typing import Any, Literal

from pydantic import Field

from pilot.engine import wording
from pilot.engine.catalogue import Catalogue
from pilot.engine.step_fields import Body, Condition, StepFields

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
