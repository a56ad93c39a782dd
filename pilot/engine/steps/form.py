"""Asks people for values and waits until one of them has filled the form in.

Its fields are a JSON Schema, drawn like the inputs of an agent. Who is named fills it in where
approvals wait, or by the link in the mail; one answer is enough. Values that do not fit are
refused, and what was typed stays. Output: `{values, submitted_by, at, timed_out}`.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from pilot import strictjson
from pilot.engine.acting import asking
from pilot.engine.acting.history import WaitRow
from pilot.engine.acting.outcomes import Done, StepContext, Wait
from pilot.engine.expressions.texts import as_text
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.references import compile_template
from pilot.engine.language.step_fields import (
    SECONDS_PER_DAY,
    YEAR_S,
    Approver,
    OnTimeout,
    Schema,
    StepFields,
    TemplateText,
)
from pilot.errors import ErrorClass, StepError

IO = False
OUTPUT = {
    "type": "object",
    "properties": {
        "values": {},
        "submitted_by": {"type": ["string", "null"]},
        "at": {"type": ["string", "null"]},
        "timed_out": {"type": "boolean"},
    },
    "additionalProperties": False,
}


class Params(StepFields):
    """Who is asked for what."""

    type: Literal["form"]
    title: TemplateText = Field(min_length=1, max_length=200)
    fields: Schema = Field(description="The JSON Schema of the values, an object.")
    assignees: list[Approver] = Field(min_length=1, max_length=50)
    timeout_s: Annotated[float, Field(gt=0, le=YEAR_S, strict=True)] = 7 * SECONDS_PER_DAY
    on_timeout: OnTimeout = Field("fail", description="Fail (expired), go on, or these steps.")


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return who is asked for what."""
    people = wording.people(step.get("assignees"))
    return f"Ask {people} to fill in: {wording.template(step.get('title', ''))}"


def run(step: Params, context: StepContext) -> Wait:
    """Ask: what is shown is kept as it is."""
    title = context.compiled(step.id, "title", lambda: compile_template(step.title))
    shown = {"title": as_text(title.evaluate(context.scope)), "message": None, "context": None}
    asked = {
        "kind": "form",
        "title": shown["title"],
        "payload": strictjson.canonical(shown | {"steps": [], "fields": step.fields}),
        "rule": "any",
        "approvers": asking.people(step.id, "assignees", step.assignees, context),
        "self_approval": True,
        "require_comment": "never",
        "on_timeout": step.on_timeout if isinstance(step.on_timeout, str) else "branch",
        "timeout_s": asking.in_time([step.timeout_s], context)[0],
    }
    return Wait("form", approval=asked)


def resume(step: Params, context: StepContext, wait: WaitRow, _now: datetime) -> Done:
    """Go on with the values, or after the time ran out."""
    found = wait.resolution or {}
    if found.get("decision") == "nobody":
        text = "Nobody may fill this in: name people who exist and are more than viewers."
        raise StepError(ErrorClass.CONFIG, text)
    if found.get("decision") == "submitted":
        parts = {name: found.get(name) for name in ("values", "submitted_by", "at")}
        return Done(parts | {"timed_out": False})
    text = f"Nobody filled it in within {wording.duration(step.timeout_s)}."
    if step.on_timeout != "continue":
        raise StepError(ErrorClass.EXPIRED, text)
    return Done(late(step, context), [text])


def late(_step: Params, _context: StepContext) -> dict[str, Any]:
    """Return the output of a step that goes on without values."""
    return {"values": None, "submitted_by": None, "at": None, "timed_out": True}
