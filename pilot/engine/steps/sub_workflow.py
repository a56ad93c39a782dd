"""Runs another agent's workflow, or steps of its own, as an execution within this one.

Output: `{execution_id, status, output}`; a failed one fails the step. It inherits deadline and
priority, is paid by this one's budget and cancelled with it, unless it is detached; also when the
step waits for it no more, as a group went on without it or it runs again.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr, model_validator

from pilot.engine.acting.history import WaitRow
from pilot.engine.acting.outcomes import Child, Done, StepContext, Wait
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.references import compile_template
from pilot.engine.language.step_fields import Schema, StepFields, Template
from pilot.errors import ErrorClass, StepError

IO = False
OUTPUT = {
    "type": "object",
    "properties": {
        "execution_id": {"type": "string"},
        "status": {"type": "string"},
        "output": {},
    },
    "additionalProperties": False,
}


class Params(StepFields):
    """What runs, with which inputs, and whether this one waits for it."""

    type: Literal["sub_workflow"]
    agent: StrictStr | None = Field(None, min_length=1, description="Its id or exact name.")
    version: StrictInt | None = Field(
        None, ge=1, description="Without it, the newest of when this execution was started."
    )
    steps: list[dict[str, Any]] | None = Field(
        None, min_length=1, description="A workflow of its own; it sees its inputs only."
    )
    inputs_schema: Schema | None = Field(None, description="Of the inputs of these steps.")
    inputs: Template = Field({}, description="An object with its inputs.")
    wait: StrictBool = True
    detach: StrictBool = Field(
        default=False,
        description="It outlives this one, with a budget of its own: an agent's, or what is left.",
    )

    @model_validator(mode="after")
    def _runs_one_thing(self) -> "Params":
        if (self.agent is None) == (self.steps is None):
            raise ValueError("A sub_workflow runs either an agent or steps: give one of them.")
        if self.agent is None and self.version is not None:
            raise ValueError("version belongs to an agent; steps have none.")
        if self.steps is None and self.inputs_schema is not None:
            raise ValueError("inputs_schema belongs to steps; an agent has its own.")
        if self.detach and self.wait:
            raise ValueError("What is detached is not waited for: set wait to false.")
        return self


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return what runs."""
    steps = step.get("steps")
    if isinstance(steps, list):
        return f"Run {len(steps)} steps as an execution of their own"
    return f"Run the agent {step.get('agent') or '(none)'}"


def document(step: dict[str, Any]) -> dict[str, Any]:
    """Return the workflow that the steps of a sub_workflow are."""
    found: dict[str, Any] = {"format": 1, "name": str(step.get("name") or step.get("id") or "")}
    if step.get("inputs_schema") is not None:
        found["inputs"] = step["inputs_schema"]
    return found | {"steps": step.get("steps")}


def OFF_LOOP(_step: Params, _context: StepContext) -> bool:  # noqa: N802 -- part of a step type
    """It starts in a transaction of its own."""
    return True


def run(step: Params, context: StepContext) -> Wait | Done:
    """Start it, once."""
    given = context.compiled(step.id, "inputs", lambda: compile_template(step.inputs))
    values = given.evaluate(context.scope)
    if not isinstance(values, dict):
        raise StepError(ErrorClass.INPUT, "inputs must be an object: one value for each input.")
    own = document(step.model_dump(by_alias=True)) if step.steps is not None else None
    asked = Child(values, step.agent, step.version, own, step.detach)
    child = context.resources.children.begin(context, asked)
    if step.wait:
        return Wait("child", asked={"execution_id": str(child)})
    return Done({"execution_id": str(child), "status": "queued", "output": None})


def resume(_step: Params, context: StepContext, _wait: WaitRow, _now: datetime) -> Done:
    """Go on once it has ended."""
    return Done(context.resources.children.outcome(context))
