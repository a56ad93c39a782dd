"""Reshapes data with up to 20 operations: filter, sort, group, join, render a table and more.

It never asks a model and touches nothing outside. Output: the value that the last operation gives.
"""

from typing import Any, Literal

from pydantic import Field, StrictStr

from pilot.engine.step_fields import Expression, StepFields

IO = False
MAX_OPERATIONS = 20


class Params(StepFields):
    """Data and what is done to it: one operation, or several in order."""

    type: Literal["transform"]
    input: Expression = None
    operation: StrictStr | None = None
    config: dict[str, Any] | None = None
    operations: list[dict[str, Any]] | None = Field(None, min_length=1, max_length=MAX_OPERATIONS)

    def pipeline(self) -> list[dict[str, Any]]:
        """Return the operations in order, whichever way they were written."""
        if self.operations is not None:
            return self.operations
        return [{"operation": self.operation, "config": self.config or {}}]
