"""Asks a model once and returns a structured answer: extract, summarize, classify, write.

It calls no actions and sends nothing of the execution but prompt, input and the memory block.
Never for filtering, counting, sorting, sums or dates: that is a transform. Output: the object of
`output_schema`; without one `{text}`.
"""

from typing import Any, Literal

from pydantic import Field, StrictInt

from pilot.engine.acting import ai
from pilot.engine.acting.history import Attempt
from pilot.engine.acting.outcomes import Done, StepContext
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.step_fields import CachedFields, Expression, Intent, Schema, TemplateText

IO = True
TIMEOUT_S = 120


class Params(CachedFields):
    """One question to a model."""

    type: Literal["ai_processing"]
    prompt: TemplateText = Field(min_length=1, max_length=20_000)
    input: Expression = Field(None, description="What the model works on.")
    output_schema: Schema | None = Field(None, description="The answer's JSON Schema, an object.")
    intent: Intent | None = None
    max_output_tokens: StrictInt | None = Field(None, ge=1, le=64_000)
    on_empty: Literal["skip", "fail", "call"] = Field(
        "skip", description='What a null, "", [] or {} as input means.'
    )


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return what the model is asked."""
    about = f" (about {wording.expression(step['input'])})" if step.get("input") else ""
    return f"Ask a model: {wording.template(step.get('prompt', ''))}{about}"


def title(step: Params) -> str:
    """Return what it is, in words."""
    return f"ask a model ({step.id})"


def resolve(step: Params, context: StepContext) -> dict[str, Any] | Done:
    """Return the prompt and the input as they will be sent."""
    return ai.resolve(step, context)


def effect(_step: Params, _context: StepContext, _given: dict[str, Any]) -> str:
    """A model call changes nothing outside."""
    return "pure"


def gives(step: Params, _context: StepContext) -> dict[str, Any]:
    """Return the schema of the answer."""
    return ai.answer_schema(step.output_schema)


def perform(
    step: Params,
    context: StepContext,
    attempt: Attempt,
    timeout_s: float,
    again: bool,  # noqa: ARG001, FBT001
) -> Done:
    """Ask the model."""
    return ai.perform(step, context, attempt, timeout_s)
