"""What a step does while what Pilot itself needs is away: its database, room on its disk.

It waits, or goes on without a note.
"""

import contextlib
import errno
import random
from collections.abc import Iterator
from pathlib import Path

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from pilot.errors import ConflictError, ErrorClass, Hold, StepError, UnavailableError

log = structlog.get_logger()

AWAY = (UnavailableError, ConflictError, OperationalError, InterfaceError)
WAIT_S = 1.0
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
UNWRITABLE = FULL | {errno.EROFS}
ROOM_FIRST_S = 5.0  # each wait for room is twice as long as the one before
ROOM_LONGEST_S = 300.0


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
def room(data: Path, attempt: int) -> Iterator[None]:
    """Let an action that finds no room below the data folder wait until somebody made some.

    What it may have sent before counts as sent: its effect class says how it goes on.

    Raises:
        StepError: the disk is full, or may not be written; none of the step's attempts is spent.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        message = (
            f"Nothing can be written to {data} ({error.strerror}): this step waits, and none of "
            "its attempts is spent. It goes on by itself once there is room."
        )
        log.warning("no_room", folder=str(data), error=error.strerror)
        fault = StepError(ErrorClass.SERVER, message, code="no_room")
        longest_s = min(ROOM_LONGEST_S, ROOM_FIRST_S * 2 ** min(attempt - 1, 10))
        spread = random.uniform(0.5, 1)  # noqa: S311 -- no secret
        fault.hold = Hold("retry", seconds=longest_s * spread)
        raise fault from error


@contextlib.contextmanager
def survived() -> Iterator[None]:
    """Let a call that was made count, whether or not the database takes note of how it went."""
    try:
        yield
    except AWAY as error:
        log.warning("note_lost", error=type(error).__name__)
