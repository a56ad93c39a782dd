"""Functions on lists, and general ones."""

from collections.abc import Callable
from typing import Any

from pilot.engine.expressions.values import equal, kind
from pilot.errors import ExpressionError


def coalesce(*values: Any) -> Any:
    """Return the first value that is not null."""
    return next((one for one in values if one is not None), None)


def type_name(value: Any) -> str:
    """Return the kind of a value."""
    return kind(value)


def length(value: Any) -> int:
    """Return the number of characters, elements or keys."""
    if isinstance(value, str | list | dict):
        return len(value)
    raise ExpressionError(f"len() needs a text, list or object, not a {kind(value)}.")


def if_else(condition: Any, yes: Any, no: Any) -> Any:
    """Return one of two values."""
    if not isinstance(condition, bool):
        raise ExpressionError(f"if_else() needs true or false first, not a {kind(condition)}.")
    return yes if condition else no


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ExpressionError(f"A list is needed here, not a {kind(value)}.")
    return value


def cut(items: Any, start: Any, end: Any = None) -> list[Any]:
    """Return elements from start to before end, counted from 0."""
    if not isinstance(start, int) or not (end is None or isinstance(end, int)):
        raise ExpressionError("slice(list, start, end?) counts in whole numbers.")
    return _items(items)[start:end]


def pluck(items: Any, key: Any) -> list[Any]:
    """Return one field of each object; absent is null."""
    return [one.get(key) if isinstance(one, dict) else None for one in _items(items)]


def unique(items: Any) -> list[Any]:
    """Return a list without doubles, first ones kept."""
    found: list[Any] = []
    seen: set[str] = set()
    for one in _items(items):
        if isinstance(one, str):
            if one not in seen:
                seen.add(one)
                found.append(one)
        elif not any(equal(one, other) for other in found):
            found.append(one)
    return found


def _booleans(items: Any) -> list[bool]:
    found = _items(items)
    if not all(isinstance(one, bool) for one in found):
        raise ExpressionError("any() and all() need a list of true and false.")
    return found


TABLE: dict[str, tuple[Callable[..., Any], int, int, str]] = {
    "first": (lambda v: _items(v)[0] if _items(v) else None, 1, 1, "The first element or null."),
    "last": (lambda v: _items(v)[-1] if _items(v) else None, 1, 1, "The last element or null."),
    "slice": (cut, 2, 3, "A part of a list, counted from 0."),
    "pluck": (pluck, 2, 2, "One field of each object."),
    "unique": (unique, 1, 1, "Without doubles."),
    "any": (lambda v: any(_booleans(v)), 1, 1, "Whether one is true."),
    "all": (lambda v: all(_booleans(v)), 1, 1, "Whether all are true."),
}
