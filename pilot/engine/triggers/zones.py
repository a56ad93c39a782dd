"""The time zones that people may choose, and the one that each is shown times in."""

from datetime import date
from functools import cache
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import select, update

from pilot import audit, db
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.errors import InvalidError, Issue
from pilot.models.user import User


@cache
def names() -> tuple[str, ...]:
    """Return the time zones that a person may choose."""
    known = available_timezones()
    return ("UTC", *sorted(zone for zone in known if "/" in zone and not zone.startswith("Etc/")))


def today(zone: str) -> date:
    """Return the day that it is in a zone now."""
    return db.now().astimezone(ZoneInfo(zone)).date()


def choose(user_id: UUID, zone: str, *, by: Actor) -> None:
    """Show times to a person in this zone from now on.

    Raises:
        InvalidError: no such zone.
    """
    if zone not in names():
        message = "Choose a time zone of the IANA list, such as Europe/Berlin."
        raise InvalidError([Issue("zone", "/zone", message, got=zone[:100])])
    with transaction("zones.choose", by.user_id) as session:
        before = session.scalar(select(User.zone).where(User.id == user_id).with_for_update())
        if before == zone:
            return
        session.execute(update(User).where(User.id == user_id).values(zone=zone))
        details = {"zone": {"before": before, "after": zone}}
        event = Event.SETTINGS_PREFERENCES_UPDATED
        audit.record(session, event, actor=by, about=("user", user_id), details=details)
