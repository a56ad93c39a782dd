"""Bounds the work of checking a value: alternatives within alternatives multiply it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pilot.errors import type_json

MAX_WORK = 50_000  # rules applied, of a small value
WORK_PER_PART = 6  # more for each part of a large one: a plain schema takes about three
PARTS_PER_WORK = 64  # a rule may print or compare all parts of a value; each is quick
PATTERN_WORK = 4096  # instructions of a pattern times characters


class TooMuchWorkError(Exception):
    """A value takes too long to check against its schema."""


class _Work:
    def __init__(self, value: type_json) -> None:
        self._sizes: dict[int, int] = {}
        self.left = MAX_WORK + WORK_PER_PART * self._measure(value)

    def size(self, value: Any) -> int:
        if isinstance(value, str):
            return len(value)
        return self._sizes.get(id(value), 1)

    def _measure(self, value: type_json) -> int:
        if not isinstance(value, dict | list):
            return 1
        parts = value.values() if isinstance(value, dict) else value
        size = 1 + sum(map(self._measure, parts))
        self._sizes[id(value)] = size
        return size


_WORK: ContextVar[_Work | None] = ContextVar("schema_work", default=None)


@contextmanager
def bounded(value: type_json) -> Iterator[None]:
    """Let what is checked inside take as much work as the value is worth.

    Raises:
        TooMuchWorkError: from within, as soon as it is more.
    """
    token = _WORK.set(_Work(value))
    try:
        yield
    finally:
        _WORK.reset(token)


def spend(amount: int) -> None:
    """Count work that is done next."""
    work = _WORK.get()
    if work is None:
        return
    work.left -= amount
    if work.left < 0:
        raise TooMuchWorkError


def counted(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Return a rule of the library that counts its work first."""

    def count(checks: Any, limit: Any, value: type_json, schema: Any) -> Any:
        work = _WORK.get()
        if work is not None:
            listed = len(limit) if isinstance(limit, list | dict) else 0
            spend(1 + (work.size(value) + listed) // PARTS_PER_WORK)
        return rule(checks, limit, value, schema)

    return count
