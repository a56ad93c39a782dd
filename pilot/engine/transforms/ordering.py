"""Brings values into order: as numbers, as moments, or as texts by code point."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pilot.engine.expressions import Scope, dates
from pilot.engine.expressions.texts import as_text
from pilot.engine.transforms.amounts import number_of
from pilot.engine.transforms.dating import is_iso
from pilot.engine.transforms.incoming import kind_of
from pilot.errors import ExpressionError, type_json

Order = Literal["number", "date", "text", "boolean"]


def moment(value: type_json, scope: Scope) -> datetime | None:
    """Return the moment that an ISO text names, a date being its midnight in the zone, or None."""
    if not isinstance(value, str) or not is_iso(value):
        return None
    try:
        return dates.moment(scope, dates.read(value))
    except ExpressionError:
        return None


def sort_keys(
    values: Sequence[type_json],
    order: Order | None,
    scope: Scope,
    numbers: Sequence[int] | None = None,
) -> list[Any]:
    """Return a key for each value; null, and a blank text among numbers or dates, has None.

    Without an order, that of the values is taken: all of them numbers, all dates, all texts.
    `numbers` are those of the rows that the values stand in, 1, 2, .. by default.

    Raises:
        ValueError: a value does not fit the order, or the values fit none; it names the row.
    """
    numbered = list(zip(numbers or range(1, len(values) + 1), values, strict=True))
    order = order or _order_of(numbered, scope)
    return [_key(value, order, scope, number) for number, value in numbered]


def _order_of(numbered: list[tuple[int, type_json]], scope: Scope) -> Order:
    """Return the one order that fits, as `<` would compare the values."""
    first: dict[Order, int] = {}
    for number, value in numbered:
        if not _is_blank(value):
            first.setdefault(_own_order(value, scope), number)
    if len(first) > 1:
        seen = ", ".join(f"{kind} in row {number}" for kind, number in first.items())
        raise ValueError(f"the values are of several kinds ({seen}): say which order with `as`")
    return next(iter(first), "text")


def _own_order(value: type_json, scope: Scope) -> Order:
    if isinstance(value, bool):
        return "boolean"
    if number_of(value) is not None:
        return "number"
    return "date" if moment(value, scope) is not None else "text"


def _key(value: type_json, order: Order, scope: Scope, number: int) -> Any:
    if value is None or (order != "text" and _is_blank(value)):
        return None
    if order == "number":
        key: Any = number_of(value)
    elif order == "date":
        key = moment(value, scope)
    elif order == "boolean":
        key = value if isinstance(value, bool) else None
    else:
        key = None if isinstance(value, bool | list | dict) else as_text(value)
    if key is None:
        shown = repr(value[:60]) if isinstance(value, str) else kind_of(value)
        raise ValueError(f"row {number}: {shown} is no {order}")
    return key


def _is_blank(value: type_json) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
