"""Five-field cron expressions: read, told in words, and their next local times in a zone.

Each local minute fires once: one that a clock change skips fires at the next valid minute, one that
a clock change repeats fires the first time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NoReturn
from zoneinfo import ZoneInfo

from pilot.errors import InvalidError, Issue

MAX_CHARACTERS = 200
SEARCHED_DAYS = 366 * 40  # the 29th of February on one weekday comes back within 40 years
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MINUTE = timedelta(minutes=1)
SHORT = {  # not taken, but told in five fields
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True)
class Field:
    """One of the five: what it is called, its bounds, and the names that numbers have in it."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()  # of low, low + 1, ...


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, tuple(one[:3].upper() for one in MONTHS)),
    Field("day of the week", 0, 7, tuple(one[:3].upper() for one in WEEKDAYS)),
)


@dataclass(frozen=True)
class Cron:
    """What an expression means: sorted numbers; Sunday is 0."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    either: bool  # both days are restricted: then one of them is enough

    def falls_on(self, day: date) -> bool:
        """Tell whether it fires on a day of a month of its own."""
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (of_month or of_week) if self.either else (of_month and of_week)


@lru_cache(maxsize=1_000)
def parse(text: str) -> Cron:
    """Return what a five-field expression means; lists, ranges, steps and names are known.

    Raises:
        InvalidError: it cannot be read (field and place are named), or it never fires.
    """
    parts = text.split()
    if len(parts) != len(FIELDS) or len(text) > MAX_CHARACTERS:
        meant = SHORT.get(text.strip().lower())
        hint = f"{text.strip()} is {meant}." if meant else "Such as 0 8 * * 1-5."
        _refuse(
            "A cron expression has five fields: minute, hour, day of the month, month, day of the "
            f"week. {hint}",
            text,
        )
    minutes, hours, days, months, weekdays = (
        _numbers(part, field) for part, field in zip(parts, FIELDS, strict=True)
    )
    cron = Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=tuple(sorted({one % 7 for one in weekdays})),
        either=not (parts[2].startswith("*") or parts[4].startswith("*")),
    )
    if next(_days(cron, date(2024, 1, 1)), None) is None:
        named = _joined([MONTHS[one - 1] for one in months], "or")
        _refuse(f"It never fires: there is no day {days[0]} in {named}.", text)
    return cron


def next_after(cron: Cron, zone: ZoneInfo, after: datetime) -> datetime | None:
    """Return the first moment (UTC) after another at which it fires; None: none in 40 years."""
    local = after.astimezone(zone).replace(tzinfo=None)
    for day in _days(cron, local.date()):
        for minute in _minutes(cron, day, local):
            moment = instant(minute, zone)
            if moment > after:
                return moment
    return None


def back(cron: Cron, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    """Yield the moments (UTC) up to another at which it fires, the newest first; of 40 years."""
    latest = moment + timedelta(microseconds=1)
    tomorrow = moment.astimezone(zone).date() + timedelta(days=1)  # clocks go back over midnight
    for day in _days(cron, tomorrow, step=-1):
        for minute in reversed([*_minutes(cron, day, datetime.combine(day, time()))]):
            found = instant(minute, zone)
            if found < latest:
                yield found
                latest = found


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return when a local minute is (UTC): the first of two, or the first one after a gap."""
    aware = local.replace(tzinfo=zone)
    moment = aware.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local:
        return moment
    before = aware.replace(fold=1).astimezone(UTC)  # the clock changes between these two
    offset = moment.astimezone(zone).utcoffset()
    while moment - before > MINUTE:
        middle = before + (moment - before) // 2 // MINUTE * MINUTE
        if middle.astimezone(zone).utcoffset() == offset:
            moment = middle
        else:
            before = middle
    return moment


def in_words(cron: Cron) -> str:
    """Tell days and times, such as `every weekday at 08:00`."""
    times, days = _times_in_words(cron), _days_in_words(cron)
    if days == "every day" and times.startswith("every"):
        return times
    return f"{days} {times}" if times.startswith("at") else f"{days}, {times}"


def _days(cron: Cron, first: date, step: int = 1) -> Iterator[date]:
    for number in range(0, step * SEARCHED_DAYS, step):
        day = first + timedelta(days=number)
        if day.month in cron.months and cron.falls_on(day):
            yield day


def _minutes(cron: Cron, day: date, since: datetime) -> Iterator[datetime]:
    """Yield the minutes of a day at which it fires, those of the hours before a moment left out."""
    for hour in cron.hours:
        if hour < since.hour and day == since.date():
            continue
        for minute in cron.minutes:
            yield datetime.combine(day, time(hour, minute))


def _numbers(part: str, field: Field) -> tuple[int, ...]:
    found: set[int] = set()
    for item in part.split(","):
        body, slash, step = item.partition("/")
        if slash and not (_is_number(step) and 0 < int(step) <= field.high):
            _refuse(
                f"In the field {field.name}, {item!r} has no step from 1 to {field.high}.", part
            )
        low, high = _bounds(body, field, open_end=bool(slash))
        found |= set(range(low, high + 1, int(step or 1)))
    return tuple(sorted(found))


def _bounds(body: str, field: Field, *, open_end: bool) -> tuple[int, int]:
    if body == "*":
        return field.low, field.high
    first, dash, last = body.partition("-")
    low = _number(first, field)
    open_high = field.high if open_end else low
    high = _number(last, field) if dash else open_high
    if low and not high and field.high == 7 and dash:
        high = 7  # Sunday ends a week as well
    if high < low:
        _refuse(f"In the field {field.name}, the range {body} ends before it begins.", body)
    return low, high


def _number(text: str, field: Field) -> int:
    if text.upper() in field.names:
        return field.low + field.names.index(text.upper())
    if _is_number(text) and field.low <= int(text) <= field.high:
        return int(text)
    names = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
    known = f"number from {field.low} to {field.high}{names}"
    return _refuse(f"In the field {field.name}, {text[:20]!r} is no {known}.", text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 4


def _refuse(message: str, got: str) -> NoReturn:
    raise InvalidError([Issue("E_CRON", "/cron", message, got=got[:80])])


def _times_in_words(cron: Cron) -> str:
    every_hour = len(cron.hours) == 24
    step = _step(cron.minutes, 60)
    if not every_hour and len(cron.minutes) * len(cron.hours) <= 4:
        times = [f"{hour:02}:{minute:02}" for hour in cron.hours for minute in cron.minutes]
        return f"at {_joined(times)}"
    if step:
        often = "every minute" if step == 1 else f"every {step} minutes"
    elif cron.minutes == (0,):
        often = "every hour"
    else:
        often = f"every hour at minute {_joined(_ranges(cron.minutes))}"
    if every_hour:
        return often
    hours = _step(cron.hours, 24)
    if hours and often == "every hour":
        return f"every {hours} hours"
    return f"{often} in the hours {_joined(_ranges(cron.hours))}"


def _step(numbers: Sequence[int], size: int) -> int:
    """Return the step of numbers that divide an hour or a day evenly from 0 on; 0: none."""
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 0
    return step if step and tuple(numbers) == tuple(range(0, size, step)) and not size % step else 0


def _days_in_words(cron: Cron) -> str:
    week = _week_in_words(cron.weekdays)
    month = f"on day {_joined(_ranges(cron.days))} of the month" if len(cron.days) < 31 else ""
    if cron.either and month and len(cron.weekdays) < 7:
        words = f"{month} and {week}"
    elif cron.either:  # one of them has every day, which is enough
        words = "every day"
    elif month and len(cron.weekdays) < 7:
        words = f"{month} if it is {_joined(_named(cron.weekdays), 'or')}"
    else:
        words = month or week
    if len(cron.months) < 12:
        words += f" in {_joined([MONTHS[one - 1] for one in cron.months])}"
    return words


def _week_in_words(weekdays: Sequence[int]) -> str:
    if len(weekdays) == 7:
        return "every day"
    if tuple(weekdays) == (1, 2, 3, 4, 5):
        return "every weekday"
    return f"every {_joined(_named(weekdays))}"


def _named(weekdays: Sequence[int]) -> list[str]:
    return [WEEKDAYS[one] for one in sorted(weekdays, key=lambda one: one or 7)]


def _ranges(numbers: Sequence[int]) -> list[str]:
    """Return numbers as texts, three and more in a row as a range."""
    found: list[list[int]] = []
    for one in numbers:
        if found and one == found[-1][-1] + 1:
            found[-1].append(one)
        else:
            found.append([one])
    texts: list[str] = []
    for run in found:
        texts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(one) for one in run]
    return texts


def _joined(texts: Sequence[str], last: str = "and") -> str:
    head = ", ".join(texts[:-1])
    return f"{head} {last} {texts[-1]}" if head else texts[-1]
