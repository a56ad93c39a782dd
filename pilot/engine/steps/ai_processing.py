"""Asks a model once and returns a structured answer: extract, summarize, classify, write.

It calls no actions and sends nothing of the execution but prompt, input and the memory block.
Never for filtering, counting, sorting, sums or dates: that is a transform. Output: the object of
`output_schema`; without one `{text}`.

With `batch` `{items, size, failure}` it answers each row of a list by itself, many in one call:
rows that the model loses, doubles or answers wrongly are asked once more, then they fail. `size` is
how many rows one call has at most (1 to 200; auto: 50), `failure` what a failed row means (stop,
collect, {tolerate: n or "5%"}). Output: `{items, errors}`: items in the order of the rows, each
what a single answer would be, null if it failed; errors [{index, class, message}].
"""

from typing import Any, Literal

from pydantic import Field, StrictInt

from pilot.engine.acting import ai, repeating, rows
from pilot.engine.acting.history import Attempt
from pilot.engine.acting.outcomes import Done, Enter, StepContext
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.references import compile_field
from pilot.engine.language.step_fields import CachedFields, Expression, Intent, Schema, TemplateText
from pilot.errors import ErrorClass, StepError

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
        "skip", description='What a null, "", [] or {} as input means; of a batch, [] as items.'
    )
    batch: rows.Batch | None = Field(
        None,
        description="Asks about each row of a list, many in one call; input goes with each call.",
    )


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return what the model is asked."""
    about = f" (about {wording.expression(step['input'])})" if step.get("input") else ""
    each = ""
    if isinstance(batch := step.get("batch"), dict):
        each = f", for each row of {wording.expression(batch.get('items', ''))}"
    return f"Ask a model: {wording.template(step.get('prompt', ''))}{about}{each}"


def title(step: Params) -> str:
    """Return what it is, in words."""
    return f"ask a model ({step.id})"


def items(step: Params, context: StepContext) -> list[Any]:
    """Return the rows of its batch.

    Raises:
        ExpressionError: they cannot be told.
        StepError: no list (class input), or too long a one (class limit).
    """
    assert step.batch is not None
    return repeating.listed(step.id, step.batch.items, context)


def run(step: Params, context: StepContext) -> Enter | Done:
    """Return what is asked about every row of its batch; the calls follow.

    Raises:
        StepError: there are no rows and the step says that this is a failure; see `items`.
    """
    found = items(step, context)
    if not found and step.on_empty == "fail":
        raise StepError(ErrorClass.INPUT, "There are no rows to ask about.")
    if not found:
        return Done({"items": [], "errors": []}, ["There were no rows: no model was asked."])
    field = context.compiled(step.id, "input", lambda: compile_field(step.input))
    data = field.evaluate(context.scope) if step.input is not None else None
    asked = ai.given(step, data, context)
    return Enter(asked | {"total": len(found), "at": context.scope.now.isoformat()})


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
