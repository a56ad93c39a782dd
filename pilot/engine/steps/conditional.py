"""Runs one of two lists of steps, by a condition.

Output: `{result, branch, value}`; branch is "then" or "else", value the last output of the steps
that ran, or null.
"""

from typing import Literal

from pydantic import Field

from pilot.engine.step_fields import Body, Condition, StepFields

IO = False
BODIES = {"then": "/then", "else": "/else"}


class Params(StepFields):
    """A condition and its two bodies."""

    type: Literal["conditional"]
    condition: Condition
    then: Body = Field(min_length=1)
    otherwise: Body = Field([], alias="else")
