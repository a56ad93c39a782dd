"""Runs the steps of the first case that equals a value.

Output: `{matched, branch, value}`; branch is "case0", "case1" .., "default" or null, value the last
output of the steps that ran, or null.
"""

from typing import Any, Literal

from pydantic import Field

from pilot.engine.step_fields import Body, Expression, Part, StepFields

IO = False
BODIES = {"case{}": "/cases/{}/steps", "default": "/default"}


class Case(Part):
    """Steps for one value, or for any value of a list."""

    when: Any = Field(description="A literal, or a list of literals.")
    steps: Body = Field(min_length=1)


class Params(StepFields):
    """A value and its cases."""

    type: Literal["switch"]
    value: Expression
    cases: list[Case] = Field(min_length=1)
    default: Body = Field([])
