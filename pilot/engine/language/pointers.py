"""JSON Pointers: the places that issues name."""

from typing import Any

from pilot.errors import type_json


def pointer(*parts: str | int) -> str:
    """Return a JSON Pointer (RFC 6901)."""
    return "".join(["/" + _escaped(str(part)) for part in parts])


def texts(value: type_json, path: str = "") -> list[tuple[str, str]]:
    """Return path and text of every text in a JSON value."""
    if isinstance(value, str):
        return [(path, value)]
    found: list[tuple[str, str]] = []
    if isinstance(value, dict | list):
        _gather(value, path, found)
    return found


def _gather(value: dict[str, Any] | list[Any], path: str, found: list[tuple[str, str]]) -> None:
    """Add the texts of a container; a list is filled, as validation asks for them all the time."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        if isinstance(inner, str):
            found.append((f"{path}/{_escaped(str(key))}", inner))
        elif isinstance(inner, dict | list):
            _gather(inner, f"{path}/{_escaped(str(key))}", found)


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1") if "~" in part or "/" in part else part
