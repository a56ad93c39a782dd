"""Where lists of steps stand in an older document."""

from collections.abc import Iterator
from typing import Any

from pilot.errors import type_json


def numbered(body: list[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the steps of a list with their numbers; what is no object is left out."""
    for number, step in enumerate(body, 1):
        if isinstance(step, dict):
            yield number, step


def within(step: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield holder and key of each list of steps within a step; a sub_workflow has its own."""
    if step.get("type") == "sub_workflow":
        return
    places: list[tuple[Any, Any]] = [(step, key) for key in ("loopSteps", "steps", "then", "else")]
    places.append((step.get("scatter"), "steps"))
    cases, branches = step.get("cases"), step.get("branches")
    places += [(case, "steps") for case in cases] if isinstance(cases, list) else []
    places += [(branches, name) for name in branches] if isinstance(branches, dict) else []
    for holder, key in places:
        if isinstance(holder, dict) and isinstance(holder.get(key), list):
            yield holder, key


def walk(body: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield all steps, however deep they stand, outer before inner."""
    waiting: list[Any] = [body]
    while waiting:
        for _, step in numbered(waiting.pop()):
            yield step
            waiting += [holder[key] for holder, key in within(step)]


def copied(value: type_json) -> type_json:
    """Return a copy, in which also what stood there twice as one object is two."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value


def is_deeper(value: type_json, limit: int) -> bool:
    """Say whether a value is nested deeper than so many levels."""
    level = [value]
    for _ in range(limit + 1):
        found = [one.values() if isinstance(one, dict) else one for one in level if _holds(one)]
        if not found:
            return False
        level = [one for each in found for one in each]
    return True


def _holds(value: type_json) -> bool:
    return isinstance(value, dict | list)
