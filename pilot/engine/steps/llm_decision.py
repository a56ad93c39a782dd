"""Lets a model decide and, in turns, call the listed actions until it has an answer.

It can call only actions that the agent was granted, and never approve. Output: `{text}`, the object
of `output_schema`, or with choices `{decision, reasoning, confidence}`; beside it `actions`
[{action, params, ok}].
"""

from typing import Any, Literal

from pydantic import Field, StrictInt, StrictStr

from pilot.engine import ai, wording
from pilot.engine.catalogue import Catalogue
from pilot.engine.history import Attempt
from pilot.engine.outcomes import Done, StepContext
from pilot.engine.step_fields import Expression, Intent, Schema, StepFields, TemplateText

IO = True
TIMEOUT_S = 120
MAX_TOKENS_PER_TURN = 50_000
MAX_TOKENS = 200_000
MAX_EQUAL_CALLS = 3
MAX_ANSWER_CHARACTERS = 8_000


class Params(StepFields):
    """A task for a model that may act."""

    type: Literal["llm_decision"]
    prompt: TemplateText = Field(min_length=1, max_length=20_000)
    input: Expression = Field(None, description="What the model works on.")
    output_schema: Schema | None = Field(None, description="The answer's JSON Schema, an object.")
    intent: Intent | None = None
    max_output_tokens: StrictInt | None = Field(None, ge=1, le=64_000)
    on_empty: Literal["skip", "fail", "call"] = Field(
        "skip", description='What a null, "", [] or {} as input means.'
    )
    actions: list[StrictStr] = Field([], description="Names as mail.send that it may call.")
    choices: list[StrictStr] | None = Field(
        None, min_length=2, max_length=50, description="The answers to choose from."
    )
    max_iterations: StrictInt = Field(10, ge=1, le=25)


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return what the model decides, and what it may do."""
    listed = step.get("actions")
    names = [str(one) for one in listed] if isinstance(listed, list) else []
    may = f" It may call {', '.join(names)}." if names else ""
    return f"Let a model decide: {wording.template(step.get('prompt', '')).rstrip('.')}.{may}"


def title(step: Params) -> str:
    """Return what it is, in words."""
    return f"ask a model ({step.id})"


def resolve(step: Params, context: StepContext) -> dict[str, Any] | Done:
    """Return the prompt and the input as they will be sent."""
    return ai.resolve(step.id, step.prompt, step.input, step.on_empty, context)


def effect(_step: Params, _context: StepContext, _given: dict[str, Any]) -> str:
    """A model call changes nothing outside."""
    return "pure"


def perform(
    _step: Params,
    _context: StepContext,
    attempt: Attempt,
    timeout_s: float,
    again: bool,  # noqa: FBT001
) -> Any:
    """Ask the model."""
    return ai.perform(attempt.input, timeout_s, again=again)
