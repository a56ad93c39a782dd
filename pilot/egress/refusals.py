"""What is refused before anything is sent."""

from pilot.errors import ErrorClass, StepError

BLOCKED = "egress_blocked"  # the code of every refusal


def refusal(message: str) -> StepError:
    """Return the error for what may not be called; it is never retried."""
    return StepError(ErrorClass.INPUT, message, code=BLOCKED, sent=False)
