"""Runs the steps of the first case that equals a value.

Output: `{matched, branch, value}`; branch is "case0", "case1" .., "default" or null, value the last
output of the steps that ran, or null.
"""

from typing import Any, Literal

from pydantic import Field

from pilot.engine import wording
from pilot.engine.catalogue import Catalogue
from pilot.engine.step_fields import Body, Expression, Part, StepFields

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
