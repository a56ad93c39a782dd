"""Functions on dates: ISO texts; days are calendar days in the scope's zone."""

import calendar
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pilot.engine.expressions.scope import Scope
from pilot.engine.expressions.values import NullOperandError, kind
from pilot.errors import ExpressionError

SECONDS = {"minutes": 60, "hours": 3600}
DAYS = {"days": 1, "weeks": 7}
MONTHS = {"months": 1, "quarters": 3, "years": 12}
UNITS = (*SECONDS, *DAYS, *MONTHS)
NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?")
_TOKEN = re.compile("YYYY|MMM|MM|DD|HH|mm|ss")
_PATTERNS = {
    "YYYY": r"([0-9]{4})",
    "MM": r"([0-9]{1,2})",
    "DD": r"([0-9]{1,2})",
    "HH": r"([0-9]{1,2})",
    "mm": r"([0-9]{2})",
    "ss": r"([0-9]{2})",
    "MMM": r"([A-Za-z]{3})",
}
_PARTS = {
    "YYYY": "year",
    "MM": "month",
    "MMM": "month",
    "DD": "day",
    "HH": "hour",
    "mm": "minute",
    "ss": "second",
}


def read(text: Any, written: str | None = None) -> date | datetime:
    """Return the date or moment of a text: ISO, or as the format says.

    Raises:
        NullOperandError: null.
        ExpressionError: another text; an ambiguous date is refused, never guessed.
    """
    if text is None:
        raise NullOperandError("A date is needed here, not null: use default() or exists().")
    if not isinstance(text, str):
        raise ExpressionError(f"A date is a text like 2026-05-01, not a {kind(text)}.")
    trimmed = text.strip()
    if written is not None:
        return _read_as(trimmed, written)
    if not _ISO.fullmatch(trimmed):
        hint = "give a format like date(t, 'DD/MM/YYYY')"
        raise ExpressionError(f"{text[:60]!r} is no ISO date like 2026-05-01: {hint}.")
    try:
        if len(trimmed) == 10:
            return date.fromisoformat(trimmed)
        return datetime.fromisoformat(trimmed)
    except ValueError:
        raise ExpressionError(f"{text[:60]!r} is no date of the calendar.") from None


def _read_as(text: str, written: str) -> date | datetime:
    tokens = _TOKEN.findall(written)
    if not {"YYYY", "DD"} <= set(tokens) or not {"MM", "MMM"} & set(tokens):
        raise ExpressionError(f"The date format {written!r} needs YYYY, MM or MMM, and DD.")
    pattern = "".join(
        _PATTERNS.get(part, re.escape(part)) for part in re.split(f"({_TOKEN.pattern})", written)
    )
    found = re.fullmatch(pattern, text)
    if found is None:
        raise ExpressionError(f"{text[:60]!r} is no date written as {written}.")
    parts: dict[str, Any] = {
        _PARTS[token]: _part(token, value)
        for token, value in zip(tokens, found.groups(), strict=True)
    }
    try:
        if {"HH", "mm", "ss"} & set(tokens):
            return datetime(**parts)  # noqa: DTZ001 -- the zone is the scope's, added by moment()
        return date(**parts)
    except ValueError:
        raise ExpressionError(f"{text[:60]!r} is no date of the calendar as {written}.") from None


def _part(symbol: str, value: str) -> int:
    if symbol != "MMM":
        return int(value)
    name = value.capitalize()
    if name not in NAMES:
        raise ExpressionError(f"{value!r} is no month name like Jan.")
    return NAMES.index(name) + 1


def iso(found: date | datetime) -> str:
    """Return the ISO text of a date or moment."""
    return found.isoformat()


def day(scope: Scope, found: date | datetime) -> date:
    """Return the calendar day in the scope's zone."""
    if not isinstance(found, datetime):
        return found
    return found.astimezone(scope.zone).date() if found.tzinfo else found.date()


def moment(scope: Scope, found: date | datetime) -> datetime:
    """Return the moment; a day begins at midnight of the scope's zone."""
    if not isinstance(found, datetime):
        return datetime(found.year, found.month, found.day, tzinfo=scope.zone)
    return found if found.tzinfo else found.replace(tzinfo=scope.zone)


def today(scope: Scope) -> date:
    """Return the day of the step's start, in the scope's zone."""
    return scope.now.astimezone(scope.zone).date()


def _unit(name: Any) -> str:
    text = name if isinstance(name, str) else ""
    plural = text if text.endswith("s") else text + "s"
    if plural not in UNITS:
        raise ExpressionError(f"{name!r} is no unit: use {', '.join(UNITS)}.")
    return plural


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ExpressionError(f"A whole number is needed here, not {value!r}.")
    return value


def add(scope: Scope, text: Any, count: Any, unit: Any) -> str:
    """Return a date moved by a number of units; days keep the time of day across clock changes."""
    found, amount, name = read(text), _count(count), _unit(unit)
    try:
        if name in SECONDS:
            there = moment(scope, found).astimezone(UTC) + timedelta(seconds=SECONDS[name] * amount)
            return iso(there.astimezone(scope.zone))
        if name in DAYS:
            return iso(found + timedelta(days=DAYS[name] * amount))
        return iso(_add_months(found, MONTHS[name] * amount))
    except (OverflowError, ValueError):
        raise ExpressionError("The date is outside the calendar (years 1 to 9999).") from None


def _add_months(found: date | datetime, months: int) -> date | datetime:
    index = found.year * 12 + found.month - 1 + months
    year, month = divmod(index, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return found.replace(year=year, month=month + 1, day=min(found.day, last))


def difference(scope: Scope, start: Any, end: Any, unit: Any) -> int | None:
    """Return whole units from start to end, null for null; days are calendar days."""
    if end is None:
        return None
    a, b, name = read(start), read(end), _unit(unit)
    if name in SECONDS:
        seconds = (moment(scope, b) - moment(scope, a)).total_seconds()
        return int(seconds / SECONDS[name])
    first, last = day(scope, a), day(scope, b)
    if name in DAYS:
        return int((last - first).days / DAYS[name])
    months = (last.year - first.year) * 12 + last.month - first.month
    if months > 0 and last.day < first.day:
        months -= 1
    elif months < 0 and last.day > first.day:
        months += 1
    return int(months / MONTHS[name])


def written_as(scope: Scope, text: Any, form: Any) -> str:
    """Return a date written in a format."""
    if not isinstance(form, str):
        raise ExpressionError("format_date(date, format) takes a format like 'DD.MM.YYYY'.")
    found = read(text)
    here = found.astimezone(scope.zone) if isinstance(found, datetime) and found.tzinfo else found
    at = here if isinstance(here, datetime) else datetime(here.year, here.month, here.day)  # noqa: DTZ001
    parts: dict[str, Any] = {
        "YYYY": f"{at.year:04}",
        "MMM": NAMES[at.month - 1],
        "MM": f"{at.month:02}",
        "DD": f"{at.day:02}",
        "HH": f"{at.hour:02}",
        "mm": f"{at.minute:02}",
        "ss": f"{at.second:02}",
    }
    return _TOKEN.sub(lambda match: parts[match.group()], form)


def within(scope: Scope, text: Any, count: Any, unit: Any, sign: int) -> bool:
    """Whether a date lies in the last (today included) or next (today excluded) units."""
    found, amount, name = read(text), _count(count), _unit(unit)
    if name in SECONDS:
        there = moment(scope, found)
        edge = scope.now + timedelta(seconds=sign * SECONDS[name] * amount)
        return edge <= there <= scope.now if sign < 0 else scope.now < there <= edge
    now = today(scope)
    edge_day = read(add(scope, now.isoformat(), sign * amount, name))
    there_day = day(scope, found)
    assert not isinstance(edge_day, datetime)
    return edge_day <= there_day <= now if sign < 0 else now < there_day <= edge_day


def _date(scope: Scope, text: Any, form: Any = None) -> str:
    if form is not None and not isinstance(form, str):
        raise ExpressionError("date(text, format) takes a format like 'DD/MM/YYYY'.")
    found = read(text, form)
    return iso(moment(scope, found) if isinstance(found, datetime) and form else found)


TABLE: dict[str, tuple[Callable[..., Any], int, int, str]] = {
    "today": (lambda scope: today(scope).isoformat(), 0, 0, "The day of the step's start."),
    "now": (
        lambda scope: scope.now.astimezone(scope.zone).isoformat(),
        0,
        0,
        "The moment of the step's start.",
    ),
    "date": (_date, 1, 2, "The ISO date of a text; other forms than ISO need a format."),
    "date_add": (add, 3, 3, "A date moved by a number of units."),
    "date_diff": (difference, 3, 3, "Whole units from one date to another."),
    "day_of_week": (
        lambda scope, t: WEEKDAYS[day(scope, read(t)).weekday()],
        1,
        1,
        "The name of the weekday.",
    ),
    "format_date": (written_as, 2, 2, "A date written in a format."),
    "within_last": (
        lambda s, t, n, u: within(s, t, n, u, -1),
        3,
        3,
        "Whether a date lies in the last units, today included.",
    ),
    "within_next": (
        lambda s, t, n, u: within(s, t, n, u, 1),
        3,
        3,
        "Whether a date lies in the next units, today excluded.",
    ),
}
