"""Calls one action of a plugin: reads, sends or changes something.

The effect class of the action decides what a crash in the middle means. Output: as the action
declares it.
"""

from typing import Any, Literal

from pydantic import Field, StrictStr

from pilot.engine.acting import actions
from pilot.engine.acting.history import Attempt
from pilot.engine.acting.outcomes import StepContext
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.step_fields import CachedFields, Template

IO = True
TIMEOUT_S = 60


class Params(CachedFields):
    """An action and what it is given."""

    type: Literal["action"]
    plugin: StrictStr = Field(description="Name of the plugin, e.g. mail.")
    action: StrictStr = Field(description="Name of the action, e.g. send.")
    params: dict[str, Template] = Field({}, description="Parameters of the action; templates.")
    connection: StrictStr | None = Field(
        None,
        min_length=1,
        max_length=80,
        description="Name of the connection to use; without one, what is on this machine.",
    )

    @property
    def action_name(self) -> str:
        """The full name of the action, e.g. `mail.send`."""
        return f"{self.plugin}.{self.action}"


def describe(step: dict[str, Any], catalogue: Catalogue) -> str:
    """Return what the action does, with its first parameters."""
    name = f"{step.get('plugin')}.{step.get('action')}"
    action = catalogue.actions.get(name)
    summary = action.summary.partition("\n")[0].rstrip(".") if action else f"Call {name}"
    return summary + wording.parameters(step.get("params"))


def title(step: Params) -> str:
    """Return the action's name."""
    return step.action_name


def resolve(step: Params, context: StepContext) -> dict[str, Any]:
    """Return the parameters as they will be sent; checked by the action and its rules."""
    return actions.resolve(step.id, step.action_name, step.params, context)


def accept(step: Params, given: dict[str, Any], context: StepContext) -> dict[str, Any]:
    """Return parameters that people changed; checked by the action and its rules."""
    return actions.accept(step.action_name, given, context, written=step.params)


def effect(step: Params, context: StepContext, given: dict[str, Any]) -> str:
    """Return the effect class of this call: the action's, or the step's stricter one."""
    return actions.effect(step.action_name, step.effect, given, context, step.connection)


def gives(step: Params, context: StepContext) -> dict[str, Any]:
    """Return the schema of the action's output."""
    return actions.find(step.action_name, context).output_schema


def perform(
    step: Params,
    context: StepContext,
    attempt: Attempt,
    timeout_s: float,
    again: bool,  # noqa: FBT001
) -> Any:
    """Let the action happen; after a crash a probe is asked first."""
    return actions.perform(
        step.action_name, context, attempt, timeout_s, again=again, connection=step.connection
    )
