"""What differs between two JSON values, as the step `comparison` tells it."""

from dataclasses import dataclass, field
from typing import Any

from pilot import strictjson
from pilot.engine.expressions.values import equal, kind
from pilot.engine.language.pointers import pointer
from pilot.engine.transforms.keys import Index
from pilot.errors import ErrorClass, StepError, type_json

MAX_ELEMENTS = 100_000  # of one list
_NAMED = 5  # keys that a message names

Path = tuple[str | int, ...]


@dataclass
class Difference:
    """What only one side has, what both have otherwise, and how much is the same."""

    added: list[type_json] = field(default_factory=list)
    removed: list[type_json] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)  # path, from, to
    unchanged: int = 0
    exact: bool = False  # whether values of two kinds differ

    @property
    def none(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.removed or self.changed)

    def same(self, left: type_json, right: type_json) -> bool:
        """Whether two values are no difference."""
        return exactly(left, right) if self.exact else equal(left, right)


def difference(
    left: type_json, right: type_json, key: str | None = None, *, exact: bool = False
) -> Difference:
    """Return what makes `right` of `left`; with `exact`, 4 and "4" differ.

    Objects are compared field by field, at every depth; lists by their elements, whatever their
    order, or row by row where a `key` names the field that rows are known by.

    Raises:
        StepError: class input (a row without the key, or two with one), limit (a list too long).
    """
    found = Difference(exact=exact)
    _compare(left, right, key, (), found)
    return found


def exactly(left: type_json, right: type_json) -> bool:
    """Whether two values are equal and of equal kinds at every depth: 4 is not "4", 1 not true."""
    if kind(left) != kind(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(exactly, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(exactly(left[k], right[k]) for k in left)
    return bool(left == right)


def holds(whole: type_json, part: type_json, key: str | None = None) -> bool:
    """Whether one value holds all of another.

    A text holds its parts; a list each element of the other list, or the value itself; an object
    each field of the other, at every depth. With a `key`, a row holds the row that it names.

    Raises:
        StepError: class input, where the one is none of these, or rows lack the key.
    """
    match whole, part:
        case str(), str():
            return part in whole
        case list(), list() if key:
            rows = _by_key(whole, key, "left and right")
            parts = _by_key(part, key, "left and right")
            return all(_holds_field(rows.get(name), row) for name, row in parts.items())
        case list(), _:
            known = _index(whole)
            return all(one in known for one in (part if isinstance(part, list) else [part]))
        case dict(), dict():
            return _holds_field(whole, part)
        case _:
            message = f"{kind(whole)} holds no {kind(part)}: give two lists, objects or texts."
            raise StepError(ErrorClass.INPUT, message)


def _holds_field(whole: type_json, part: type_json) -> bool:
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(k in whole and _holds_field(whole[k], part[k]) for k in part)
    return equal(whole, part)


def _compare(
    left: type_json, right: type_json, key: str | None, path: Path, found: Difference
) -> None:
    if isinstance(left, dict) and isinstance(right, dict):
        _compare_objects(left, right, path, found)
    elif isinstance(left, list) and isinstance(right, list) and not path:
        if key:
            _compare_rows(left, right, key, found)
        else:
            _compare_elements(left, right, found)
    elif found.same(left, right):
        found.unchanged += 1
    else:
        found.changed.append({"path": pointer(*path), "from": left, "to": right})


def _compare_objects(
    left: dict[str, type_json], right: dict[str, type_json], path: Path, found: Difference
) -> None:
    for name in left | right:
        place = (*path, name)
        if name not in left:
            found.added.append({"path": pointer(*place), "value": right[name]})
        elif name not in right:
            found.removed.append({"path": pointer(*place), "value": left[name]})
        else:
            _compare(left[name], right[name], None, place, found)


def _compare_rows(
    left: list[type_json], right: list[type_json], key: str, found: Difference
) -> None:
    old, new = _by_key(left, key, "left"), _by_key(right, key, "right")
    for name, row in old.items():
        if name not in new:
            found.removed.append(row)
            continue
        inner = Difference(exact=found.exact)
        _compare_objects(row, new[name], (name,), inner)
        # A field that one row lacks is a change of this row, from or to null.
        found.changed += inner.changed
        found.changed += [
            {"path": one["path"], "from": one["value"], "to": None} for one in inner.removed
        ]
        found.changed += [
            {"path": one["path"], "from": None, "to": one["value"]} for one in inner.added
        ]
        found.unchanged += inner.none
    found.added += [row for name, row in new.items() if name not in old]


def _compare_elements(left: list[type_json], right: list[type_json], found: Difference) -> None:
    """Compare lists as bags: an element that is there twice is met twice."""
    known = strictjson.canonical if found.exact else _itself  # 4 and 4.0 have one such text
    places, alone = _index(list(map(known, left))), set(range(len(left)))
    for one in right:
        match = next((group for group in places.find(known(one)) if group), None)
        if match is None:
            found.added.append(one)
        else:
            alone.discard(match.pop())
            found.unchanged += 1
    found.removed += [left[at] for at in sorted(alone)]


def _itself(value: type_json) -> type_json:
    return value


def _index(values: list[type_json]) -> Index[int]:
    """Return the places of equal values, the last first."""
    _bounded(values)
    index = Index[int]()
    for at in reversed(range(len(values))):
        index.add(values[at], at)
    return index


def _by_key(rows: list[type_json], key: str, side: str) -> dict[str, dict[str, type_json]]:
    """Return rows by the text of their key; 4, 4.0 and "4" are one key.

    Raises:
        StepError: class input, if one has no key or two have the same.
    """
    _bounded(rows)
    found: dict[str, dict[str, type_json]] = {}
    doubles: list[str] = []
    for number, row in enumerate(rows, 1):
        name = row.get(key) if isinstance(row, dict) else None
        if not isinstance(row, dict) or isinstance(name, dict | list | bool | None):
            message = f"Row {number} of {side} has no {key!r} to match it by."
            raise StepError(ErrorClass.INPUT, message)
        text = name if isinstance(name, str) else strictjson.canonical(name)
        if text in found:
            doubles.append(text)
        found[text] = row
    if doubles:
        named = ", ".join(doubles[:_NAMED])
        message = f"Several rows of {side} have the same {key!r}: {named}. Deduplicate them first."
        raise StepError(ErrorClass.INPUT, message)
    return found


def _bounded(values: list[type_json]) -> None:
    if len(values) > MAX_ELEMENTS:
        message = f"{len(values):,} elements are more than {MAX_ELEMENTS:,}: compare fewer."
        raise StepError(ErrorClass.LIMIT, message)
