"""What a step does while Pilot's own database is away: it waits, or goes on without a note."""

import contextlib
import random
from collections.abc import Iterator

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from pilot.errors import ConflictError, ErrorClass, Hold, StepError, UnavailableError

log = structlog.get_logger()

AWAY = (UnavailableError, ConflictError, OperationalError, InterfaceError)
WAIT_S = 1.0


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Let what is asked of the database before anything has left wait until it answers.

    Raises:
        StepError: it is away; the step waits, and none of its attempts is spent.
    """
    try:
        yield
    except AWAY as error:
        message = "The database did not answer: this step waits, and none of its attempts is spent."
        fault = StepError(ErrorClass.SERVER, message, code="database_away", sent=False)
        spread_s = random.uniform(0, WAIT_S)  # noqa: S311 -- no secret
        fault.hold = Hold("retry", seconds=WAIT_S + spread_s)
        raise fault from error


@contextlib.contextmanager
def survived() -> Iterator[None]:
    """Let a call that was made count, whether or not the database takes note of how it went."""
    try:
        yield
    except AWAY as error:
        log.warning("note_lost", error=type(error).__name__)
