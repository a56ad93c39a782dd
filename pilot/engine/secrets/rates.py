"""How many calls may go over a connection: counted in the database, for all workers together.

In any 60 seconds never more calls are let go than its rate, however late workers come. A call that
is over it is given a turn, which is kept by its idempotency key, also after a crash.
"""

from uuid import UUID

from sqlalchemy import text

from pilot import money
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.engine.secrets import connections
from pilot.engine.secrets.connections import Held
from pilot.errors import InvalidError, Issue

FASTEST = 6_000  # calls a minute
TAKE = text("SELECT take_turn(:id, :key)")


def read(text_: str) -> int | None:
    """Return the rate that a person typed; nothing or "none": any number.

    Raises:
        InvalidError: it is no whole number, or out of bounds.
    """
    typed = money.ungrouped(text_.strip()).lower()
    if typed in {"", "none"}:
        return None
    if not (typed.isascii() and typed.isdigit() and len(typed) < 10 and 1 <= int(typed) <= FASTEST):
        message = f"{text_.strip()[:20]!r} is no whole number from 1 to {FASTEST:,}."
        raise InvalidError([Issue("connection_rate", "/rate_per_minute", message)])
    return int(typed)


def change(connection_id: UUID, rate_per_minute: int | None, *, by: Actor, owner_id: UUID) -> None:
    """Let at most so many calls go over a connection in any 60 seconds; None: any number.

    Raises:
        NotFoundError: there is no such connection, or it is not theirs.
    """
    with transaction("connections.rate", owner_id) as session:
        row = connections.owned(session, connection_id, owner_id)
        if row.rate_per_minute == rate_per_minute:
            return
        change = {"before": row.rate_per_minute, "after": rate_per_minute}
        row.rate_per_minute = rate_per_minute
        connections.record(session, Event.PLUGIN_RATE_CHANGED, row, by, change)


def wait_s(held: Held, key: str) -> float:
    """Take the turn of a call over a connection: 0, or in how many seconds it may go."""
    if held.rate_per_minute is None:
        return 0
    with transaction("connections.turn", held.owner_id) as session:
        return float(session.scalar(TAKE, {"id": held.id, "key": key}) or 0)
