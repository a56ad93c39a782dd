"""Waits for a time or until a moment, without holding a worker.

Output: `{waited_s, resumed_at}`; a moment that has passed ends the wait at once.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from pilot.engine.acting.history import WaitRow
from pilot.engine.acting.outcomes import Done, StepContext, Wait
from pilot.engine.expressions import Scope
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.references import compile_template
from pilot.engine.language.step_fields import YEAR_S, SecondsOrTemplate, StepFields, TemplateText
from pilot.errors import ErrorClass, StepError

IO = False
ENDLESS = 9000  # near the calendar's end (9999) other zones cannot show a moment
OUTPUT = {
    "type": "object",
    "properties": {
        "waited_s": {"type": "number"},
        "resumed_at": {"type": "string"},
    },
    "additionalProperties": False,
}


class Params(StepFields):
    """How long, or until when: one of the two."""

    type: Literal["delay"]
    for_s: SecondsOrTemplate | None = Field(None, description="Seconds, to one year.")
    until: TemplateText | None = Field(None, description="An ISO date or moment.")

    @model_validator(mode="after")
    def _has_one_end(self) -> "Params":
        if (self.for_s is None) == (self.until is None):
            raise ValueError("A delay has either for_s or until: give one of them.")
        return self


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return how long it waits."""
    if step.get("until") is not None:
        return f"Wait until {wording.template(step['until'])}"
    return f"Wait {wording.duration(step.get('for_s', 0))}"


def run(step: Params, context: StepContext) -> Wait | Done:
    """Start to wait; a moment that has passed ends it at once."""
    if step.until is None:
        return Wait("timer", delay_s=_seconds(step, context))
    until = context.compiled(step.id, "until", lambda: compile_template(step.until))
    moment = _moment(until.evaluate(context.scope), context.scope)
    if moment <= context.scope.now:
        return Done({"waited_s": 0, "resumed_at": context.scope.now.isoformat()})
    return Wait("timer", wake_at=moment)


def _seconds(step: Params, context: StepContext) -> float:
    for_s = context.compiled(step.id, "for_s", lambda: compile_template(step.for_s))
    value = for_s.evaluate(context.scope)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= YEAR_S:
        text = f"The delay of {value!r} is no number of seconds from 0 to one year."
        raise StepError(ErrorClass.INPUT, text)
    return float(value)


def _moment(value: Any, scope: Scope) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        text = f"{value!r} is no date or moment; write it like 2026-05-01 or 2026-05-01T08:00."
        raise StepError(ErrorClass.INPUT, text) from None
    if moment.year >= ENDLESS:
        raise StepError(ErrorClass.INPUT, f"{value!r} is too far away: wait until {ENDLESS - 1}.")
    return moment if moment.tzinfo else moment.replace(tzinfo=scope.zone)


def resume(_step: Params, _context: StepContext, wait: WaitRow, now: datetime) -> Done:
    """Go on after the wait."""
    waited_s = round((now - wait.opened_at).total_seconds(), 3)
    return Done({"waited_s": waited_s, "resumed_at": now.isoformat()})
