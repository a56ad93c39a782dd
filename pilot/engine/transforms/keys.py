"""Finds values by keys that are equal as expressions compare them: 4 equals "4", "4" not "4.0"."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from pilot.engine.expressions.values import equal, match_key
from pilot.errors import type_json

T = TypeVar("T")


class Index(Generic[T]):
    """Values by key; the values of equal keys are kept together, in the order they came."""

    def __init__(self) -> None:
        self._buckets: dict[Hashable, list[tuple[type_json, list[T]]]] = {}

    def find(self, key: type_json) -> list[list[T]]:
        """Return the values of each key that equals this one; two only where 4 meets 4 and 4.0."""
        bucket = self._buckets.get(match_key(key), ())
        return [values for known, values in bucket if equal(known, key)]

    def add(self, key: type_json, value: T) -> list[T]:
        """Keep a value with those of the first equal key; return all of them."""
        bucket = self._buckets.setdefault(match_key(key), [])
        for known, values in bucket:
            if equal(known, key):
                values.append(value)
                return values
        bucket.append((key, [value]))
        return bucket[-1][1]

    def __contains__(self, key: type_json) -> bool:
        return bool(self.find(key))


def key_of(row: type_json, columns: list[str]) -> type_json:
    """Return what a row is known by: the value of one column, those of several, or all of it."""
    if not columns:
        return row
    return row[columns[0]] if len(columns) == 1 else [row[column] for column in columns]
