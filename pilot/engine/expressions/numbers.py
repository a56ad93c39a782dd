"""Functions on numbers."""

import re
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from pilot.engine.expressions.function import Function, deep
from pilot.engine.expressions.scope import Scope
from pilot.engine.expressions.values import (
    DECIMAL,
    decimal,
    extreme,
    is_number,
    need_list,
    need_number,
    number,
    plain_number,
)
from pilot.errors import ExpressionError

MAX_PLACES = 12
_READING = 3  # more units for an element that may be a number or a date in a text
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
    if not isinstance(value, str) or not isinstance(written, str) or written not in FORMATS:
        known = ", ".join(FORMATS)
        raise ExpressionError(f"number(text, format) takes a text and one of {known}.")
    group, point = FORMATS[written]
    text = value.strip().replace("\xa0", " ")
    grouped = rf"-?[0-9]{{1,3}}({re.escape(group)}[0-9]{{3}})+" if group else r"-?[0-9]+"
    whole = rf"(?:{grouped}|-?[0-9]+)({re.escape(point)}[0-9]+)?"
    fits = re.fullmatch(whole, text) is not None
    plain = text.replace(group, "") if group else text
    found = plain_number(plain.replace(point, ".")) if fits else None
    if found is None:
        raise ExpressionError(f"{value[:60]!r} is no number written like {written}.")
    return number(found)


def _round(value: Any, places: Any = 0) -> int | float:
    if not is_number(places) or places not in range(MAX_PLACES + 1):
        raise ExpressionError("round(number, places) takes 0 to 12 places.")
    known = decimal(number(need_number(value)))  # within 2^53, so that 28 digits are enough
    return number(known.quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP))


def _whole(value: Any, way: str) -> int | float:
    return number(need_number(value).to_integral_value(way))


def _extreme(scope: Scope, values: tuple[Any, ...], sign: int) -> Any:
    items = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    if items and _are_numbers(items):
        return max(items) if sign > 0 else min(items)
    scope.work.spend(_READING * len(items))
    return extreme(items, sign, scope.zone)


def _sum(items: list[Any]) -> Decimal:
    with localcontext(DECIMAL):
        if _are_numbers(items):
            return sum(map(Decimal, map(repr, items)), Decimal(0))
        return sum(map(need_number, items), Decimal(0))


def _are_numbers(items: Iterable[Any]) -> bool:
    """Whether all are numbers: what is written for these is fast."""
    return set(map(type, items)) <= {int, float}


def _known(items: Any) -> list[Any]:
    return [one for one in need_list(items) if one is not None]


def total(items: Any) -> int | float:
    """Return the sum of a list; null is left out."""
    return number(_sum(_known(items)))


def average(items: Any) -> int | float | None:
    """Return the mean of a list without its nulls; of nothing null."""
    known = _known(items)
    return number(DECIMAL.divide(_sum(known), Decimal(len(known)))) if known else None


TABLE = {
    "number": Function(to_number, 1, 2, "The number that a text is, written like the example."),
    "round": Function(_round, 1, 2, "Rounded half up."),
    "abs": Function(lambda n: number(abs(need_number(n))), 1, 1, "Without its sign."),
    "floor": Function(lambda n: _whole(n, ROUND_FLOOR), 1, 1, "The whole number below."),
    "ceil": Function(lambda n: _whole(n, ROUND_CEILING), 1, 1, "The whole number above."),
    "min": Function(
        lambda scope, *v: _extreme(scope, v, -1),
        1,
        20,
        "The smallest of a list or of the arguments; null is left out.",
        takes_scope=True,
        cost=deep,
        most_size=None,
    ),
    "max": Function(
        lambda scope, *v: _extreme(scope, v, 1),
        1,
        20,
        "The largest of a list or of the arguments; null is left out.",
        takes_scope=True,
        cost=deep,
        most_size=None,
    ),
    "sum": Function(total, 1, 1, "The sum of a list; null is left out."),
    "avg": Function(average, 1, 1, "The mean of a list without its nulls."),
}
