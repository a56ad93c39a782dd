"""Waits for a time or until a moment, without holding a worker.

Output: `{waited_s, resumed_at}`; a moment that has passed ends the wait at once.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from pilot.engine import wording
from pilot.engine.catalogue import Catalogue
from pilot.engine.step_fields import SecondsOrTemplate, StepFields, TemplateText

IO = False
OUTPUT = {
    "type": "object",
    "properties": {
        "waited_s": {"type": "number"},
        "resumed_at": {"type": "string"},
    },
    "additionalProperties": False,
}


class Params(StepFields):
    """How long, or until when: one of the two."""

    type: Literal["delay"]
    for_s: SecondsOrTemplate | None = Field(None, description="Seconds, to one year.")
    until: TemplateText | None = Field(None, description="An ISO date or moment.")

    @model_validator(mode="after")
    def _has_one_end(self) -> "Params":
        if (self.for_s is None) == (self.until is None):
            raise ValueError("A delay has either for_s or until: give one of them.")
        return self


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return how long it waits."""
    if step.get("until") is not None:
        return f"Wait until {wording.template(step['until'])}"
    return f"Wait {wording.duration(step.get('for_s', 0))}"
