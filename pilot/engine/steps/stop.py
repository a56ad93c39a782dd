"""Ends the execution here, as completed or failed; what still runs or waits is cancelled.

Output: `{outcome, message, output}`; its output is that of the execution.
"""

from typing import Any, Literal

from pydantic import Field

from pilot.engine.acting.outcomes import Done, StepContext
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.references import compile_template
from pilot.engine.language.step_fields import StepFields, Template, TemplateText

IO = False
ENDS = True  # the execution, once it is completed
OUTPUT = {
    "type": "object",
    "properties": {"outcome": {"type": "string"}, "message": {"type": "string"}, "output": {}},
    "additionalProperties": False,
}


class Params(StepFields):
    """How it ends, and what is said about it."""

    type: Literal["stop"]
    outcome: Literal["completed", "failed"] = "completed"
    message: TemplateText = Field("", max_length=1_000)
    output: Template = None


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return how it ends."""
    how = "failed" if step.get("outcome") == "failed" else "completed"
    message = step.get("message")
    return f"Stop as {how}" + (f": {wording.template(message)}" if message else "")


def run(step: Params, context: StepContext) -> Done:
    """Say how it ends."""
    texts = context.compiled(
        step.id,
        "texts",
        lambda: compile_template({"message": step.message, "output": step.output}),
    )
    found = texts.evaluate(context.scope)
    ended = {"outcome": step.outcome, "message": str(found["message"]), "output": found["output"]}
    return Done(ended)
