"""How values compare and compute: one table for expressions, conditions, keys and sorting."""

import re
from collections.abc import Hashable, Iterable
from datetime import UTC, date, datetime, tzinfo
from decimal import Context, Decimal, DecimalException
from functools import lru_cache
from typing import Any

from pilot.errors import ErrorClass, ExpressionError

MAX_INTEGER = 2**53
MAX_SIZE = 10_000
MAX_RECASED = 1_000_000
MAX_PLAIN = 1_000  # characters of a text that is read as a number
DIGITS = 28
OUTSIDE = "The date is outside the calendar (years 1 to 9999)."
DECIMAL = Context(prec=DIGITS)
_KIB = 1024
_CACHED_TEXT = 40  # characters; plain numbers and dates are shorter
_SCALARS = frozenset({str, int, float, bool, type(None)})
_PLAIN = re.compile(r"\s*-?[0-9]+(?:\.[0-9]+)?\s*")
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)


class NullOperandError(ExpressionError):
    """A comparison or a computation met null."""


def kind(value: Any) -> str:
    """Return what a value is, in the words of messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else "object"


def is_number(value: Any) -> bool:
    """Whether a value is a number; booleans are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def plain_number(text: str) -> Decimal | None:
    """Return the number that a trimmed text plainly is, exactly, or None."""
    if len(text) > MAX_PLAIN or not _PLAIN.fullmatch(text):
        return None
    return Decimal(text)


def decimal(value: float) -> Decimal:
    """Return a JSON number as decimal, by its shortest text: 0.1 is 0.1."""
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value))


def number(value: Decimal) -> int | float:
    """Return a decimal as JSON number.

    Raises:
        ExpressionError: it is beyond 2^53.
    """
    if abs(value) > MAX_INTEGER:
        raise ExpressionError("A number is beyond 2^53.", error_class=ErrorClass.LIMIT)
    return int(value) if value == value.to_integral_value() else float(value)


def equal(left: Any, right: Any) -> bool:  # noqa: PLR0911 -- one return per pair of kinds
    """Whether two values are equal; a text equals a number when it plainly is that number."""
    if type(left) is type(right) and type(left) in _SCALARS:
        return bool(left == right)
    a, b = kind(left), kind(right)
    if a == "text" and b == "number":
        return plain_number(left) == decimal(right)
    if a == "number" and b == "text":
        return plain_number(right) == decimal(left)
    if a != b:
        return False
    if a == "list":
        return len(left) == len(right) and all(map(equal, left, right))
    if a == "object":
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    return bool(left == right)


def compare(left: Any, right: Any, zone: tzinfo = UTC) -> int:
    """Return -1, 0 or 1 as left is below, equal to or above right.

    A date without a time, and a time without a zone, are of `zone`.

    Raises:
        NullOperandError: one is null.
        ExpressionError: the two have no order.
    """
    if is_number(left) and is_number(right):
        return int(left > right) - int(left < right)
    if left is None or right is None:
        raise NullOperandError("null has no order: use default(value, ...) or exists(path).")
    return _order(left, right, _ordered(left, zone), _ordered(right, zone))


def extreme(values: Iterable[Any], sign: int, zone: tzinfo = UTC) -> Any:
    """Return the first of the largest (sign 1) or smallest (-1) values, null left out, or None.

    Raises:
        ExpressionError: two have no order.
    """
    found: Any = None
    key: Any = None
    for one in values:
        if one is None:
            continue
        own = _ordered(one, zone)
        if found is None or _order(one, found, own, key) == sign:
            found, key = one, own
    return found


def _order(left: Any, right: Any, a: Any, b: Any) -> int:
    if type(a) is not type(b):
        text = f"{_short(left)} ({kind(left)}) and {_short(right)} ({kind(right)}) have no order."
        raise ExpressionError(text)
    return int(a > b) - int(a < b)


def _ordered(value: Any, zone: tzinfo) -> Any:
    if isinstance(value, str):
        return _read_cached(value, zone) if len(value) <= _CACHED_TEXT else _read(value, zone)
    if is_number(value):
        return decimal(value)
    raise ExpressionError(f"A {kind(value)} has no order: compare numbers, texts or dates.")


def _read(text: str, zone: tzinfo) -> Decimal | datetime | str:
    """Return a number as decimal, an ISO date as moment, other text as it is."""
    found = plain_number(text)
    if found is not None:
        return found
    dated = iso_date(text)
    return text if dated is None else moment_of(dated, zone)


_read_cached = lru_cache(maxsize=10_000)(_read)


def iso_date(text: str) -> date | datetime | None:
    """Return the date or the moment that a trimmed text is, written in ISO 8601, or None."""
    trimmed = text.strip()
    found = _ISO.fullmatch(trimmed)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(trimmed) if found.group(1) else date.fromisoformat(trimmed)
    except ValueError:
        return None


def moment_of(found: date | datetime, zone: tzinfo) -> datetime:
    """Return a moment in UTC; a day begins at midnight of the zone.

    In UTC, since Python compares and subtracts wall clocks where both sides have one zone object.
    """
    if not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day, tzinfo=zone)
    elif found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    try:
        return found.astimezone(UTC)
    except (OverflowError, ValueError):
        raise ExpressionError(OUTSIDE) from None


def arithmetic(operator: str, left: Any, right: Any) -> Any:
    """Compute with two numbers, exactly to 28 digits; + also joins two texts.

    Raises:
        NullOperandError: one is null.
        ExpressionError: other kinds, division by zero, a result too large.
    """
    if left is None or right is None:
        raise NullOperandError(f"null {operator} ... has no result: use default(value, ...).")
    if operator == "+" and isinstance(left, str) and isinstance(right, str):
        check_size(len(left) + len(right), "characters")
        return left + right
    if not (is_number(left) and is_number(right)):
        text = f"{kind(left)} {operator} {kind(right)} does not work: use number() or text()."
        raise ExpressionError(text)
    try:
        return number(_compute(operator, decimal(left), decimal(right)))
    except DecimalException:
        raise ExpressionError("This division is by zero, or its result is too large.") from None


def _compute(operator: str, a: Decimal, b: Decimal) -> Decimal:
    match operator:
        case "+":
            return DECIMAL.add(a, b)
        case "-":
            return DECIMAL.subtract(a, b)
        case "*":
            return DECIMAL.multiply(a, b)
        case "/":
            return DECIMAL.divide(a, b)
        case _:
            rest = DECIMAL.remainder(a, b)  # has the sign of a; ours has that of b, as in Python
            return DECIMAL.add(rest, b) if rest and (rest < 0) is not (b < 0) else rest


def need_list(value: Any) -> list[Any]:
    """Return a value that must be a list.

    Raises:
        NullOperandError: null.
        ExpressionError: another kind.
    """
    if not isinstance(value, list):
        raise _misfit("A list", value)
    return value


def need_text(value: Any) -> str:
    """Return a value that must be a text.

    Raises:
        NullOperandError: null.
        ExpressionError: another kind.
    """
    if not isinstance(value, str):
        raise _misfit("A text", value, "text()")
    return value


def need_number(value: Any) -> Decimal:
    """Return a value that must be a number, as decimal.

    Raises:
        NullOperandError: null.
        ExpressionError: another kind.
    """
    if not is_number(value):
        raise _misfit("A number", value, "number()")
    return decimal(value)


def need_whole(value: Any) -> int:
    """Return a value that must be a whole number.

    Raises:
        NullOperandError: null.
        ExpressionError: another kind, or a part of a whole.
    """
    if not is_number(value) or value != int(value):
        raise _misfit("A whole number", value, "round()")
    return int(value)


def boolean(value: Any) -> bool:
    """Return a value that must be true or false: nothing else stands for them.

    Raises:
        NullOperandError: null.
        ExpressionError: another kind.
    """
    if value is None:
        raise NullOperandError("null is neither true nor false: use default() or exists().")
    if not isinstance(value, bool):
        raise ExpressionError(f"A condition is true or false, not a {kind(value)}: compare it.")
    return value


def _misfit(wanted: str, value: Any, use: str | None = None) -> ExpressionError:
    if value is None:
        return NullOperandError(f"{wanted} is needed here, not null: use default() or exists().")
    hint = f": use {use}" if use else ""
    return ExpressionError(f"{wanted} is needed here, not {_short(value)} ({kind(value)}){hint}.")


def check_size(size: int, unit: str, most: int = MAX_SIZE) -> None:
    """Refuse a computed value that is too long.

    Raises:
        ExpressionError: more than 10,000 characters or elements.
    """
    if size > most:
        text = f"A computed value has more than {most:,} {unit}: use a transform for large data."
        raise ExpressionError(text, error_class=ErrorClass.LIMIT)


def size_of(value: Any) -> int:
    """Return the work of looking through a value, not into its elements."""
    if isinstance(value, str):
        return 1 + len(value) // _KIB
    return len(value) if isinstance(value, list) else 1


def work_of(value: Any, most: int) -> int:
    """Return the work of looking at all that is in a value, counted until it passes `most`."""
    return _walked(value, most, _KIB)


def least_characters(value: Any, most: int) -> int:
    """Return how many characters JSON text of a value has at least, counted until past `most`."""
    return _walked(value, most, 1)


def _walked(value: Any, most: int, text_unit: int) -> int:
    found, waiting = 0, [value]
    while waiting and found <= most:
        one = waiting.pop()
        found += 1
        if isinstance(one, str):
            found += len(one) // text_unit
        elif isinstance(one, list | dict):
            if len(one) > most:
                return most + 1
            waiting.extend(one.values() if isinstance(one, dict) else one)
    return found


def contains(container: Any, value: Any) -> bool:
    """Whether a list has an element, an object a key, or a text a part.

    Raises:
        NullOperandError: the container is null.
        ExpressionError: other kinds.
    """
    if container is None:
        raise NullOperandError("null contains nothing that can be asked: use default(value, []).")
    if isinstance(container, list):
        return _is_element(container, value)
    if isinstance(container, dict):
        return isinstance(value, str) and value in container
    if isinstance(container, str) and isinstance(value, str):
        return value in container
    if isinstance(container, str) and value is None:
        raise NullOperandError("null is part of no text: use default(value, '').")
    raise ExpressionError(
        f"'in' does not work with {kind(value)} and {kind(container)}: use text()."
    )


def _is_element(items: list[Any], value: Any) -> bool:
    if isinstance(value, str):
        written = plain_number(value)
        if value in items or written is None:
            return value in items
        return any(is_number(one) and decimal(one) == written for one in items)
    return any(equal(one, value) for one in items)


def match_key(value: Any) -> Hashable:
    """Return a value to look up by: equal values have equal ones; texts need one more look."""
    if isinstance(value, bool) or value is None:
        return (type(value).__name__, value)
    if isinstance(value, str):
        written = plain_number(value)
        return value if written is None else written
    if isinstance(value, list):
        return ("list", tuple(match_key(inner) for inner in value))
    if isinstance(value, dict):
        return ("object", frozenset((name, match_key(inner)) for name, inner in value.items()))
    return decimal(value)


def _short(value: Any) -> str:
    text = repr(value[:40] if isinstance(value, str | list) else value)
    return text if len(text) <= 40 else text[:39] + "…"
