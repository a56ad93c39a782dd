"""Waits for a time or until a moment, without holding a worker.

Output: `{waited_s, resumed_at}`; a moment that has passed ends the wait at once.
"""

from typing import Literal

from pydantic import Field

from pilot.engine.step_fields import Seconds, StepFields, TemplateText

IO = False


class Params(StepFields):
    """How long, or until when: one of the two."""

    type: Literal["delay"]
    for_s: Seconds | TemplateText | None = Field(None, description="Seconds, to one year.")
    until: TemplateText | None = Field(None, description="An ISO date or moment.")
