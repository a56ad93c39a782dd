"""Functions on dates: ISO texts; days are calendar days in the scope's zone."""

import calendar
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import wraps
from typing import Any

from pilot.engine.expressions.function import Function
from pilot.engine.expressions.scope import Scope
from pilot.engine.expressions.values import (
    OUTSIDE,
    NullOperandError,
    iso_date,
    kind,
    moment_of,
    need_whole,
)
from pilot.errors import ExpressionError

SECONDS = {"minutes": 60, "hours": 3600}
DAYS = {"days": 1, "weeks": 7}
MONTHS = {"months": 1, "quarters": 3, "years": 12}
MAX_FORMAT = 40
UNITS = (*SECONDS, *DAYS, *MONTHS)
NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
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
    if written is not None:
        return _read_as(text.strip(), written)
    found = iso_date(text)
    if found is None:
        hint = "give a format like date(t, 'DD/MM/YYYY')"
        raise ExpressionError(f"{text[:60]!r} is no ISO date like 2026-05-01: {hint}.")
    return found


def _read_as(text: str, written: str) -> date | datetime:
    tokens = _TOKEN.findall(written[:MAX_FORMAT])
    whole = {"YYYY", "DD"} <= set(tokens) and bool({"MM", "MMM"} & set(tokens))
    # A part given twice could be read in so many ways that a search takes for ever.
    twice = len(set(tokens)) < len(tokens) or {"MM", "MMM"} <= set(tokens)
    if not whole or twice or len(written) > MAX_FORMAT:
        shown = written[:MAX_FORMAT]
        raise ExpressionError(
            f"The date format {shown!r} needs YYYY, MM or MMM, and DD, once each."
        )
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


def day(scope: Scope, found: date | datetime) -> date:
    """Return the calendar day in the scope's zone."""
    if not isinstance(found, datetime):
        return found
    return found.astimezone(scope.zone).date() if found.tzinfo else found.date()


def moment(scope: Scope, found: date | datetime) -> datetime:
    """Return the moment in UTC; a day begins at midnight of the scope's zone.

    Raises:
        ExpressionError: it is outside the calendar.
    """
    return moment_of(found, scope.zone)


def today(scope: Scope) -> date:
    """Return the day of the step's start, in the scope's zone."""
    return scope.now.astimezone(scope.zone).date()


def _unit(name: Any) -> str:
    text = name if isinstance(name, str) else ""
    plural = text if text.endswith("s") else text + "s"
    if plural not in UNITS:
        raise ExpressionError(f"{name!r} is no unit: use {', '.join(UNITS)}.")
    return plural


def add(scope: Scope, text: Any, count: Any, unit: Any) -> str:
    """Return a date moved by a number of units; days keep the time of day across clock changes."""
    found, amount, name = read(text), need_whole(count), _unit(unit)
    if name in SECONDS:
        there = moment(scope, found) + timedelta(seconds=SECONDS[name] * amount)
        return there.astimezone(scope.zone).isoformat()
    if isinstance(found, datetime) and found.tzinfo:
        found = found.astimezone(scope.zone)
    if name in DAYS:
        return (found + timedelta(days=DAYS[name] * amount)).isoformat()
    return _add_months(found, MONTHS[name] * amount).isoformat()


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
    found, amount, name = read(text), need_whole(count), _unit(unit)
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
    if isinstance(found, datetime) and form:
        found = moment(scope, found).astimezone(scope.zone)
    return found.isoformat()


def _function(run: Callable[..., Any], least: int, most: int, doc: str) -> Function:
    """Return a function whose dates beyond the calendar are errors that say so."""

    @wraps(run)
    def bounded(*arguments: Any) -> Any:
        try:
            return run(*arguments)
        except (OverflowError, ValueError):
            raise ExpressionError(OUTSIDE) from None

    return Function(bounded, least, most, doc, takes_scope=True)


TABLE = {
    "today": _function(
        lambda scope: today(scope).isoformat(), 0, 0, "The day of the step's start."
    ),
    "now": _function(
        lambda scope: scope.now.astimezone(scope.zone).isoformat(),
        0,
        0,
        "The moment of the step's start.",
    ),
    "date": _function(_date, 1, 2, "The ISO date of a text; other forms than ISO need a format."),
    "date_add": _function(add, 3, 3, "A date moved by a number of units."),
    "date_diff": _function(difference, 3, 3, "Whole units from one date to another."),
    "day_of_week": _function(
        lambda scope, t: WEEKDAYS[day(scope, read(t)).weekday()], 1, 1, "The name of the weekday."
    ),
    "format_date": _function(written_as, 2, 2, "A date written in a format."),
    "within_last": _function(
        lambda scope, t, n, unit: within(scope, t, n, unit, -1),
        3,
        3,
        "Whether a date lies in the last units, today included.",
    ),
    "within_next": _function(
        lambda scope, t, n, unit: within(scope, t, n, unit, 1),
        3,
        3,
        "Whether a date lies in the next units, today excluded.",
    ),
}
