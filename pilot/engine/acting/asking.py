"""Who a step asks: its texts with their templates filled in."""

import re
from datetime import datetime

from pilot.engine.acting.outcomes import StepContext
from pilot.engine.language.references import compile_template
from pilot.errors import ErrorClass, StepError

AFTER_S = 2.0  # the sweep looks for deadlines every second
_PERSON = "user:"
_ADDRESS = re.compile(r"\S{1,254}")


def people(step_id: str, field: str, listed: list[str], context: StepContext) -> list[str]:
    """Return who is asked by a field of a step, like owner, user:ann@example.com, role:approver.

    Addresses are in lower case, as those of people are stored.

    Raises:
        ExpressionError: a reference is missing.
        StepError: what was filled in is no address (class input).
    """
    template = context.compiled(step_id, field, lambda: compile_template(listed))
    return [
        _person(one) if one.startswith(_PERSON) else one for one in template.evaluate(context.scope)
    ]


def in_time(timeouts_s: list[float], context: StepContext) -> list[float]:
    """Return for how long people are asked, one after the other: not beyond the deadline.

    The last question ends a moment after it, so that the deadline is what ends it.
    """
    deadline = context.execution.get("deadline_at")
    if deadline is None:
        return timeouts_s
    left = datetime.fromisoformat(deadline) - context.scope.now
    left_s, found = left.total_seconds() + AFTER_S, []
    for timeout_s in timeouts_s:
        found.append(min(timeout_s, max(left_s, AFTER_S)))
        left_s -= timeout_s
    return found


def _person(text: str) -> str:
    address = text.removeprefix(_PERSON).strip().lower()
    if not _ADDRESS.fullmatch(address):
        message = f"{text[:80]!r} is nobody who can be asked: a mail address stands behind user:."
        raise StepError(ErrorClass.INPUT, message)
    return f"{_PERSON}{address}"
