"""How values compare and compute: one table for expressions, conditions, keys and sorting."""

import re
from datetime import UTC, date, datetime
from decimal import Context, Decimal, DecimalException, localcontext
from typing import Any

from pilot.errors import ErrorClass, ExpressionError

MAX_INTEGER = 2**53
MAX_SIZE = 10_000
DIGITS = 28
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?")
DECIMAL = Context(prec=DIGITS)


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
    """Return the number that a trimmed text plainly is, or None."""
    trimmed = text.strip()
    return DECIMAL.create_decimal(trimmed) if _PLAIN.fullmatch(trimmed) else None


def decimal(value: float) -> Decimal:
    """Return a JSON number as decimal, by its shortest text: 0.1 is 0.1."""
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value))


def number(value: Decimal) -> int | float:
    """Return a decimal as JSON number.

    Raises:
        ExpressionError: it is beyond 2^53.
    """
    if abs(value) > MAX_INTEGER:
        raise ExpressionError("A number is beyond 2^53.")
    return int(value) if value == value.to_integral_value() else float(value)


def equal(left: Any, right: Any) -> bool:
    """Whether two values are equal; a text equals a number when it plainly is that number."""
    a, b = kind(left), kind(right)
    if a == b == "list":
        return len(left) == len(right) and all(map(equal, left, right))
    if a == b == "object":
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    if a == b:
        return bool(left == right)
    if {a, b} == {"number", "text"}:
        text, value = (left, right) if a == "text" else (right, left)
        found = plain_number(text)
        return found is not None and found == decimal(value)
    return False


def compare(left: Any, right: Any) -> int:
    """Return -1, 0 or 1 as left is below, equal to or above right.

    Raises:
        NullOperandError: one is null.
        ExpressionError: the two have no order.
    """
    if left is None or right is None:
        raise NullOperandError("null has no order: use default(value, ...) or exists(path).")
    a, b = _ordered(left), _ordered(right)
    if type(a) is not type(b):
        text = f"{_short(left)} ({kind(left)}) and {_short(right)} ({kind(right)}) have no order."
        raise ExpressionError(text)
    return int(a > b) - int(a < b)


def _ordered(value: Any) -> Any:
    """Return a number as decimal, a date text as moment, other text as it is."""
    if is_number(value):
        return decimal(value)
    if not isinstance(value, str):
        raise ExpressionError(f"A {kind(value)} has no order: compare numbers, texts or dates.")
    found = plain_number(value)
    if found is not None:
        return found
    return moment(value) or value


def moment(text: str) -> datetime | None:
    """Return an ISO date or moment (UTC where it names no zone), or None."""
    trimmed = text.strip()
    if not _ISO.fullmatch(trimmed):
        return None
    try:
        found = datetime.fromisoformat(trimmed)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def arithmetic(operator: str, left: Any, right: Any) -> Any:
    """Compute with two numbers, exactly to 28 digits; + also joins two texts.

    Raises:
        NullOperandError: one is null.
        ExpressionError: other kinds, division by zero, a result too large.
    """
    if left is None or right is None:
        raise NullOperandError(f"null {operator} ... has no result: use default(value, ...).")
    if operator == "+" and isinstance(left, str) and isinstance(right, str):
        return sized(left + right)
    if not (is_number(left) and is_number(right)):
        text = f"{kind(left)} {operator} {kind(right)} does not work: use number() or text()."
        raise ExpressionError(text)
    return number(_compute(operator, decimal(left), decimal(right)))


def _compute(operator: str, a: Decimal, b: Decimal) -> Decimal:
    try:
        with localcontext(DECIMAL):
            match operator:
                case "+":
                    return a + b
                case "-":
                    return a - b
                case "*":
                    return a * b
                case "/":
                    return a / b
                case _:
                    return a - b * (a / b).to_integral_value("ROUND_FLOOR")
    except DecimalException:
        raise ExpressionError("This division is by zero, or its result is too large.") from None


def sized(value: Any) -> Any:
    """Return a computed text or list that is not too long.

    Raises:
        ExpressionError: more than 10,000 characters or elements.
    """
    if len(value) > MAX_SIZE:
        unit = "characters" if isinstance(value, str) else "elements"
        raise ExpressionError(
            f"A computed value has {len(value):,} {unit}; 10,000 is the limit.",
            error_class=ErrorClass.LIMIT,
        )
    return value


def contains(container: Any, value: Any) -> bool:
    """Whether a list has an element, an object a key, or a text a part.

    Raises:
        NullOperandError: the container is null.
        ExpressionError: other kinds.
    """
    if container is None:
        raise NullOperandError("null contains nothing that can be asked: use default(value, []).")
    if isinstance(container, list):
        return any(equal(one, value) for one in container)
    if isinstance(container, dict):
        return isinstance(value, str) and value in container
    if isinstance(container, str) and isinstance(value, str):
        return value in container
    raise ExpressionError(f"'in' does not work with {kind(value)} and {kind(container)}.")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"


def calendar_day(found: datetime | date) -> date:
    """Return the day of a date or moment."""
    return found.date() if isinstance(found, datetime) else found
