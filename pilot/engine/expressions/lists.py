"""Functions on lists."""

from collections.abc import Hashable
from typing import Any

from pilot.engine.expressions.function import Function, deep, once
from pilot.engine.expressions.scope import MAX_WORK, Scope
from pilot.engine.expressions.values import (
    check_size,
    equal,
    match_key,
    need_list,
    need_text,
    need_whole,
    work_of,
)
from pilot.errors import ExpressionError


def cut(items: Any, start: Any, end: Any = None) -> list[Any]:
    """Return elements from start to before end, counted from 0."""
    return need_list(items)[need_whole(start) : None if end is None else need_whole(end)]


def pluck(items: Any, key: Any) -> list[Any]:
    """Return one field of each object; absent is null."""
    name = need_text(key)
    return [one.get(name) if isinstance(one, dict) else None for one in need_list(items)]


def unique(scope: Scope, items: Any) -> list[Any]:
    """Return a list without doubles, first ones kept."""
    found: list[Any] = []
    buckets: dict[Hashable, list[Any]] = {}
    for one in need_list(items):
        known = buckets.setdefault(match_key(one), [])
        scope.work.spend(work_of(one, MAX_WORK) * (1 + len(known)))
        if not any(equal(one, other) for other in known):
            known.append(one)
            found.append(one)
            check_size(len(found), "elements")
    return found


def _booleans(items: Any) -> list[bool]:
    found = need_list(items)
    if not all(isinstance(one, bool) for one in found):
        raise ExpressionError("any() and all() need a list of true and false.")
    return found


def _end(items: Any, index: int) -> Any:
    found = need_list(items)
    return found[index] if found else None


TABLE = {
    "first": Function(
        lambda v: _end(v, 0), 1, 1, "The first element or null.", cost=once, most_size=None
    ),
    "last": Function(
        lambda v: _end(v, -1), 1, 1, "The last element or null.", cost=once, most_size=None
    ),
    "slice": Function(cut, 2, 3, "Elements from start to before end, counted from 0."),
    "pluck": Function(pluck, 2, 2, "One field of each object; absent is null."),
    "unique": Function(unique, 1, 1, "Without doubles.", takes_scope=True, cost=deep),
    "any": Function(lambda v: any(_booleans(v)), 1, 1, "Whether one is true."),
    "all": Function(lambda v: all(_booleans(v)), 1, 1, "Whether all are true."),
}
