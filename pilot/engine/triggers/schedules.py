"""When a schedule fires: its times, checked and told in words; what a downtime left to catch up."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice, takewhile
from typing import Any, Self
from zoneinfo import ZoneInfo

from pilot.engine.triggers import cron, zones
from pilot.errors import InvalidError, Issue

OVERLAPS = ("skip", "queue", "allow", "cancel_previous")
CATCH_UPS = ("none", "one", "all")
LEAST_S, MOST_S = 60, 366 * 86_400
MAX_JITTER_S = 3_600
MOST_CAUGHT_UP = 100
CAUGHT_UP = timedelta(hours=24)
GRACE = timedelta(seconds=60)  # what is later has been missed
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Far enough from the ends of the calendar that a time after it, in any zone, is within.
FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True)
class Timing:
    """When it fires, and what is done when it could not, or has not ended."""

    cron: str | None = None  # five fields, in the zone; or
    every_s: int | None = None  # 60 and more, counted from `starts_at`, else from full days in UTC
    zone: str = "UTC"
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    jitter_s: int = 0  # each fire is late by up to this, always by the same
    overlap: str = "skip"
    catch_up: str = "one"

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return that of a stored trigger."""
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Due:
    """What to do now: the times that fire, and which of those that came do not."""

    fires: tuple[datetime, ...]
    missed: tuple[datetime, datetime] | None = None  # the first and the last of them


def check(timing: Timing, now: datetime) -> None:
    """Refuse what is no schedule, or one that never fires from now on.

    Raises:
        InvalidError: every issue, by its field.
    """
    found = [*_issues(timing)]
    if timing.cron is not None:
        try:
            cron.parse(timing.cron)
        except InvalidError as error:
            found += error.issues
    if not found and next_after(timing, now) is None:
        told = "It never fires: no time of it lies between now and its end."
        found.append(Issue("E_SCHEDULE", "/ends_at", told))
    if found:
        raise InvalidError(found)


def next_after(timing: Timing, after: datetime) -> datetime | None:
    """Return the first time (UTC) after a moment; None: it fires no more."""
    start = timing.starts_at
    if start is not None and start > after:
        after = start - timedelta(microseconds=1)
    if timing.cron is not None:
        found = cron.next_after(cron.parse(timing.cron), ZoneInfo(timing.zone), after)
    else:
        step, first = timedelta(seconds=timing.every_s or LEAST_S), start or EPOCH
        found = first + ((after - first) // step + 1) * step
    if found is None or (timing.ends_at is not None and found > timing.ends_at):
        return None
    return found


def times(timing: Timing, after: datetime) -> Iterator[datetime]:
    """Yield the times after a moment."""
    found = next_after(timing, after)
    while found is not None:
        yield found
        found = next_after(timing, found)


def back(timing: Timing, moment: datetime) -> Iterator[datetime]:
    """Yield the times up to a moment, the newest first."""
    first, moment = timing.starts_at or EPOCH, min(moment, timing.ends_at or moment)
    found: Iterator[datetime]
    if timing.cron is not None:
        found = cron.back(cron.parse(timing.cron), ZoneInfo(timing.zone), moment)
    else:
        step = timedelta(seconds=timing.every_s or LEAST_S)
        found = (first + step * number for number in count((moment - first) // step, -1))
    return takewhile(lambda one: one >= first, found)


def next_times(timing: Timing, after: datetime, most: int = 5) -> list[datetime]:
    """Return the next times, each in the schedule's zone."""
    zone = ZoneInfo(timing.zone)
    return [one.astimezone(zone) for one in islice(times(timing, after), most)]


def due(timing: Timing, first: datetime, now: datetime) -> Due:
    """Return what fires of the times from `first` on that have come.

    After a downtime `none` of what was missed fires, `one` (the newest), or `all` of the last
    24 hours, 100 at most.
    """
    following = next_after(timing, first)
    came = [first]
    if following is not None and following <= now:
        since_first = takewhile(lambda one: one >= first, back(timing, now))
        came = [*islice(since_first, MOST_CAUGHT_UP + 1)]
    if timing.catch_up == "all":
        fires = [one for one in came[:MOST_CAUGHT_UP] if one >= now - CAUGHT_UP]
    else:
        fires = came[:1] if timing.catch_up == "one" or now - came[0] <= GRACE else []
    missed = (first, came[len(fires)]) if len(fires) < len(came) else None
    return Due((*reversed(fires),), missed)


def lateness(timing: Timing, trigger_id: Any, fire_at: datetime) -> timedelta:
    """Return by how much a fire is late on purpose: always the same for the same fire."""
    digest = hashlib.sha256(f"{trigger_id} {fire_at.timestamp()}".encode()).digest()
    return timedelta(seconds=int.from_bytes(digest[:4]) / 2**32 * timing.jitter_s)


def in_words(timing: Timing) -> str:
    """Tell when it fires, such as `every weekday at 08:00 Europe/Berlin`."""
    if timing.cron is not None:
        return f"{cron.in_words(cron.parse(timing.cron))} {timing.zone}"
    seconds = timing.every_s or LEAST_S
    size, unit = next(one for one in UNITS if not seconds % one[0])
    many = seconds // size
    return f"every {unit}" if many == 1 else f"every {many} {unit}s"


def _issues(timing: Timing) -> Iterator[Issue]:
    if (timing.cron is None) == (timing.every_s is None):
        yield Issue("E_SCHEDULE", "/cron", "Give either a cron expression or every_s.")
    if timing.every_s is not None and not LEAST_S <= timing.every_s <= MOST_S:
        told = f"every_s is from {LEAST_S} to {MOST_S:,} seconds."
        yield Issue("E_SCHEDULE", "/every_s", told, got=str(timing.every_s))
    if timing.zone not in zones.names():
        told = "Choose a time zone of the IANA list, such as Europe/Berlin."
        yield Issue("E_SCHEDULE", "/zone", told, got=timing.zone[:100])
    if not 0 <= timing.jitter_s <= MAX_JITTER_S:
        told = f"jitter_s is from 0 to {MAX_JITTER_S:,} seconds."
        yield Issue("E_SCHEDULE", "/jitter_s", told, got=str(timing.jitter_s))
    for name, known in (("overlap", OVERLAPS), ("catch_up", CATCH_UPS)):
        if getattr(timing, name) not in known:
            told = f"{name} is one of {', '.join(known)}."
            yield Issue("E_SCHEDULE", f"/{name}", told, got=str(getattr(timing, name))[:80])
    for name in ("starts_at", "ends_at"):
        moment = getattr(timing, name)
        if moment is not None and not FIRST <= moment < LAST:
            told = f"{name} is a moment from {FIRST.year} to {LAST.year - 1}."
            yield Issue("E_SCHEDULE", f"/{name}", told, got=str(moment))
    if timing.starts_at and timing.ends_at and timing.ends_at <= timing.starts_at:
        yield Issue("E_SCHEDULE", "/ends_at", "It ends before it starts.")
