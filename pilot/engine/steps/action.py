"""Calls one action of a plugin: reads, sends or changes something.

The effect class of the action decides what a crash in the middle means. Output: as the action
declares it.
"""

from typing import Literal

from pydantic import Field, StrictStr

from pilot.engine.step_fields import StepFields, Template

IO = True
TIMEOUT_S = 60


class Params(StepFields):
    """An action and what it is given."""

    type: Literal["action"]
    plugin: StrictStr = Field(description="Name of the plugin, e.g. mail.")
    action: StrictStr = Field(description="Name of the action, e.g. send.")
    params: dict[str, Template] = Field({}, description="Parameters of the action; templates.")

    @property
    def action_name(self) -> str:
        """The full name of the action, e.g. `mail.send`."""
        return f"{self.plugin}.{self.action}"
