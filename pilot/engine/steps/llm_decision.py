"""Lets a model decide and, in turns, call the listed actions until it has an answer.

It can call only actions that the agent was granted, and never approve. Output: `{text}`, the object
of `output_schema`, or with choices `{decision, reasoning, confidence}`; beside it `actions`
[{action, params, ok}].
"""

from typing import Any, Literal

from pydantic import Field, StrictInt, StrictStr

from pilot.engine.acting import ai
from pilot.engine.acting.outcomes import Done, Enter, StepContext
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.step_fields import Expression, Intent, Schema, StepFields, TemplateText

IO = True
TURNS = True  # what runs it is the loop of engine/running/decisions.py
TIMEOUT_S = 120.0
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


def run(step: Params, context: StepContext) -> Enter | Done:
    """Return what the model is asked; the turns follow."""
    asked = ai.resolve(step, context)
    return asked if isinstance(asked, Done) else Enter(asked)


def answer_schema(step: Params) -> dict[str, Any] | None:
    """Return the schema of the final answer; None: a text."""
    if step.choices is None:
        return step.output_schema
    return {
        "type": "object",
        "properties": {
            "decision": {"enum": step.choices},
            "reasoning": {"type": "string"},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        },
        "required": ["decision", "reasoning", "confidence"],
        "additionalProperties": False,
    }
