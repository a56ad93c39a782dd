"""The chore that keeps the roll-ups: sums of the ledger's finished days (migration 0018)."""

from datetime import date

from sqlalchemy import text

from pilot import db


def roll_up() -> date | None:
    """Roll up the newest day that needs it and return it; None: there is none, or others do it.

    The day is one in UTC. A day whose rows changed, or that a new zone cuts elsewhere, needs it
    again; doing it twice changes nothing.
    """
    with db.transaction("rollups.roll_up", None) as session:
        found: date | None = session.scalar(text("SELECT roll_up()"))
    return found
