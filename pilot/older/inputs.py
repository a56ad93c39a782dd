"""The inputs of an older document: a list of fields, which becomes a schema."""

from collections.abc import Iterable
from typing import Any

from pilot.errors import type_json

_TYPES = {name: name for name in ("number", "integer", "boolean", "array", "object")}
_FORMATS = {"email": "email", "url": "uri", "date": "date"}


def schema(fields: type_json, read: Iterable[str], notes: list[str]) -> dict[str, Any] | None:
    """Return the schema for a list of fields; one that is a schema already stays as it is.

    Older builders let steps read inputs that no list named: they may be given.
    """
    if isinstance(fields, dict):
        return fields
    found = _listed(fields, notes) if isinstance(fields, list) and fields else {}
    properties = found.get("properties", {})
    more = [name for name in read if name not in properties]
    if more:
        found |= {"type": "object", "properties": properties | {name: {} for name in more}}
        notes.append(f"Inputs that steps read and nothing listed may be given: {', '.join(more)}.")
    return found or None


def _listed(fields: list[Any], notes: list[str]) -> dict[str, Any]:
    named = [one for one in fields if isinstance(one, dict) and isinstance(one.get("name"), str)]
    found: dict[str, Any] = {"type": "object", "properties": {}}
    for one in named:
        found["properties"][one["name"]] = _property(one)
    required = [one["name"] for one in named if one.get("required") is True]
    if required:
        found["required"] = required
    notes.append("The list of inputs became a schema.")
    return found


def _property(one: dict[str, Any]) -> dict[str, Any]:
    kind = str(one.get("type", "text"))
    found: dict[str, Any] = {"type": _TYPES.get(kind, "string")}
    if kind in _FORMATS:
        found["format"] = _FORMATS[kind]
    if isinstance(one.get("description"), str):
        found["description"] = one["description"]
    options = one.get("options")
    if isinstance(options, list) and options:
        found["enum"] = [o.get("value") if isinstance(o, dict) else o for o in options]
    return found
