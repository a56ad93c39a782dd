"""Runs named lists of steps side by side, until all, any or k of them are finished.

A branch of which all steps are skipped is none of `all`, and not one of any or k: too few others
fail the group. Output: `{name: last output}` of the finished ones. A branch that waits is one of
`max_concurrency`.
"""

from typing import Any, Literal

from pydantic import Field, StrictInt, model_validator

from pilot.engine.acting.outcomes import Enter, StepContext
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.step_fields import Body, StepFields, StepId

IO = False
BODIES = {"{}": "/branches/{}"}
MAX_BRANCHES = 100
OUTPUT = {"type": "object"}


class Params(StepFields):
    """The branches, and how many of them are enough."""

    type: Literal["parallel_group"]
    branches: dict[StepId, Body] = Field(min_length=1, max_length=MAX_BRANCHES)
    max_concurrency: StrictInt | None = Field(
        None, ge=1, le=MAX_BRANCHES, description="Branches at the same time; else all."
    )
    join: Literal["all", "any"] | StrictInt = Field(
        "all", description="How many must finish: all, any (one) or a number."
    )
    rest: Literal["cancel", "finish"] = Field(
        "cancel", description="What becomes of the others once it is decided."
    )

    @model_validator(mode="after")
    def _can_be_joined(self) -> "Params":
        if not all(self.branches.values()):
            raise ValueError("A branch has no steps: give it some, or take it out.")
        if not 1 <= self.needed <= len(self.branches):
            raise ValueError(
                f"join asks for {self.needed} of {len(self.branches)} branches: 1 to all of them."
            )
        return self

    @property
    def needed(self) -> int:
        """How many branches must finish."""
        if isinstance(self.join, int):
            return self.join
        return len(self.branches) if self.join == "all" else 1


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return the names of the branches."""
    branches = step.get("branches")
    names = ", ".join(list(branches)[:8]) if isinstance(branches, dict) else "nothing"
    return f"Side by side: {names}"


def run(_step: Params, _context: StepContext) -> Enter:
    """Begin: what is decided later is how it ends."""
    return Enter({"branches": True})
