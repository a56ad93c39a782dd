"""Functions on numbers."""

import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from pilot.engine.expressions.values import (
    NullOperandError,
    compare,
    decimal,
    is_number,
    kind,
    number,
    plain_number,
)
from pilot.errors import ExpressionError

MAX_PLACES = 12
FORMATS = {
    "1,234.56": (",", "."),
    "1.234,56": (".", ","),
    "1 234,56": (" ", ","),
    "1'234.56": ("'", "."),
    "1234.56": ("", "."),
    "1234,56": ("", ","),
}


def to_number(value: Any, written: Any = "1234.56") -> int | float:
    """Return the number that a text is, written as the given example.

    Raises:
        ExpressionError: it is no such number.
    """
    if is_number(value):
        return number(decimal(value))
    if not isinstance(value, str) or written not in FORMATS:
        known = ", ".join(FORMATS)
        raise ExpressionError(f"number(text, format) takes a text and one of {known}.")
    group, point = FORMATS[written]
    text = value.strip().replace("\xa0", " ")
    grouped = rf"-?[0-9]{{1,3}}({re.escape(group)}[0-9]{{3}})+" if group else r"-?[0-9]+"
    whole = rf"(?:{grouped}|-?[0-9]+)({re.escape(point)}[0-9]+)?"
    if not re.fullmatch(whole, text):
        raise ExpressionError(f"{value[:60]!r} is no number written like {written}.")
    plain = text.replace(group, "") if group else text
    found = plain_number(plain.replace(point, "."))
    assert found is not None
    return number(found)


def need_number(value: Any) -> Decimal:
    """Return a value that must be a number, as decimal.

    Raises:
        ExpressionError: it is none.
    """
    if value is None:
        raise NullOperandError("A number is needed here, not null: use default().")
    if not is_number(value):
        raise ExpressionError(f"A number is needed here, not a {kind(value)}: use number().")
    return decimal(value)


def _round(value: Any, places: Any = 0) -> int | float:
    if not isinstance(places, int) or not 0 <= places <= MAX_PLACES:
        raise ExpressionError("round(number, places) takes 0 to 12 places.")
    return number(need_number(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def _whole(value: Any, way: str) -> int | float:
    return number(need_number(value).to_integral_value(way))


def _extreme(values: tuple[Any, ...], sign: int) -> Any:
    items = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
    found = None
    for one in items:
        if one is not None and (found is None or compare(one, found) * sign > 0):
            found = one
    return found


def total(items: Any) -> int | float:
    """Return the sum of a list; null is left out."""
    if not isinstance(items, list):
        raise ExpressionError(f"sum() needs a list, not a {kind(items)}.")
    return number(sum((need_number(one) for one in items if one is not None), Decimal(0)))


def average(items: Any) -> int | float | None:
    """Return the mean of a list without its nulls; of nothing null."""
    known = [one for one in items if one is not None] if isinstance(items, list) else items
    if isinstance(known, list) and not known:
        return None
    return number(decimal(total(known)) / len(known))


TABLE: dict[str, tuple[Callable[..., Any], int, int, str]] = {
    "number": (to_number, 1, 2, "The number that a text is, written like the example."),
    "round": (_round, 1, 2, "Rounded half up."),
    "abs": (lambda n: number(abs(need_number(n))), 1, 1, "Without its sign."),
    "floor": (lambda n: _whole(n, ROUND_FLOOR), 1, 1, "The whole number below."),
    "ceil": (lambda n: _whole(n, ROUND_CEILING), 1, 1, "The whole number above."),
    "min": (lambda *v: _extreme(v, -1), 1, 20, "The smallest of a list or of the arguments."),
    "max": (lambda *v: _extreme(v, 1), 1, 20, "The largest of a list or of the arguments."),
    "sum": (total, 1, 1, "The sum of a list."),
    "avg": (average, 1, 1, "The mean of a list."),
}
