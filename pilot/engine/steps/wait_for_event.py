"""Waits for an event from outside, without holding a worker.

An event goes to every step of its owner's executions that waits for its name, whose `match` holds
and whose `schema` its payload fits; one that nothing waits for is kept for 24 hours and goes to the
first step that waits for it later. The same id of the same source counts once. `match` sees the
execution as it is when the wait begins, and the root `event`: `{name, source, id, payload}`; a
condition that reads what the event does not have does not hold.

`steps.<id>.resume_url` is an address for this step alone, which other steps may hand on, in a mail
or to a service, before it waits: its page lets a person send what the schema asks for, and JSON
sent to it by POST is the payload. It works once; who has it needs no account. Output:
`{event, payload, received_at, timed_out}`; steps that run when none came in time do not change it.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from pilot.engine.acting import event_matches
from pilot.engine.acting.history import WaitRow
from pilot.engine.acting.outcomes import Done, StepContext, Wait
from pilot.engine.expressions.texts import as_text
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.conditions import compile_condition
from pilot.engine.language.references import compile_template
from pilot.engine.language.step_fields import (
    SECONDS_PER_DAY,
    YEAR_S,
    EventCondition,
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
        "event": {"type": "string"},
        "payload": {},
        "received_at": {"type": ["string", "null"]},
        "timed_out": {"type": "boolean"},
    },
    "additionalProperties": False,
}


class Params(StepFields):
    """What is waited for, and for how long."""

    type: Literal["wait_for_event"]
    event: TemplateText = Field(
        min_length=1, max_length=200, description="Its name, such as order.paid."
    )
    match: EventCondition | None = Field(
        None, description="What has to hold: event.payload.order == inputs.order."
    )
    json_schema: Schema | None = Field(
        None, alias="schema", description="The JSON Schema of its payload."
    )
    timeout_s: Annotated[float, Field(gt=0, le=YEAR_S, strict=True)] = 7 * SECONDS_PER_DAY
    on_timeout: OnTimeout = Field("fail", description="Fail (expired), go on, or these steps.")


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return what is waited for."""
    match = step.get("match")
    matching = f" where {wording.condition(match)}" if match is not None else ""
    longest = wording.duration(step.get("timeout_s", 7 * SECONDS_PER_DAY))
    name = wording.template(step.get("event", ""))
    return f"Wait for the event {name}{matching}, {longest} at most"


def run(step: Params, context: StepContext) -> Wait:
    """Start to wait, with what `match` has to know of the execution."""
    match = None
    if step.match is not None:
        match = context.compiled(step.id, "match", lambda: compile_condition(step.match))
    event = _event(step, context)
    problem = event_matches.name_problem(event)
    if problem:
        raise StepError(ErrorClass.INPUT, problem)
    asked = event_matches.asked(context.scope, step.match, match, step.json_schema)
    return Wait("event", delay_s=step.timeout_s, event=event, asked=asked)


def _event(step: Params, context: StepContext) -> str:
    name = context.compiled(step.id, "event", lambda: compile_template(step.event))
    return as_text(name.evaluate(context.scope))


def resume(step: Params, context: StepContext, wait: WaitRow, _now: datetime) -> Done:
    """Go on with the event, or after the time ran out."""
    found = wait.resolution or {}
    if not found.get("fired"):
        parts = {name: found.get(name) for name in ("event", "payload", "received_at")}
        return Done(parts | {"timed_out": False})
    output = late(step, context)
    text = f"No event {output['event']} came within {wording.duration(step.timeout_s)}."
    if step.on_timeout != "continue":
        raise StepError(ErrorClass.EXPIRED, text)
    return Done(output, [text])


def late(step: Params, context: StepContext) -> dict[str, Any]:
    """Return the output of a step that goes on without an event."""
    nothing = {"payload": None, "received_at": None, "timed_out": True}
    return {"event": _event(step, context)} | nothing
