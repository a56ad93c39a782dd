"""What a JSON Schema says about a value that is not there yet: its kinds, its fields, its fit."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from pilot.engine.language import json_schemas
from pilot.plugins import Model

Schema = dict[str, Any]
ANY: Schema = {}
_KINDS = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}
WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


@dataclass(frozen=True)
class Missing:
    """A path that leads nowhere: how far it led, and what stands there instead."""

    depth: int  # keys that were found
    known: tuple[str, ...]  # names that exist in the place of the missing one
    kinds: frozenset[str]  # what stands there


@cache
def output_of(model: type[Model]) -> Schema:
    """Return the output schema of an action without references."""
    schema = model.model_json_schema(by_alias=True, mode="serialization")
    inlined: Schema = _inlined(schema, schema.get("$defs", {}), ())
    return inlined


@cache
def params_of(model: type[Model]) -> Schema:
    """Return the params schema of an action without references."""
    schema = model.model_json_schema(by_alias=True)
    inlined: Schema = _inlined(schema, schema.get("$defs", {}), ())
    return inlined


def declared(schema: Any) -> Schema:
    """Return a schema that somebody wrote; ANY for one that cannot be used."""
    usable = isinstance(schema, dict) and not json_schemas.check_schema(schema, "", root="")
    return schema if usable else ANY


def closed(schema: Any) -> Schema:
    """Return a schema whose objects have no fields but the named ones, as answers of models do."""
    if not isinstance(schema, dict):
        return ANY
    named = schema.get("properties")
    inner = dict(schema)
    if isinstance(named, dict):
        inner["properties"] = {name: closed(part) for name, part in named.items()}
        inner.setdefault("additionalProperties", False)
    if isinstance(schema.get("items"), dict):
        inner["items"] = closed(schema["items"])
    return inner


def options(schema: Any) -> list[Schema]:
    """Return the alternatives of a schema, each with one type; ANY for what may be anything."""
    if not isinstance(schema, dict):
        return [ANY]
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            return [one for part in schema[key] for one in options(part)]
    kinds = schema.get("type")
    if isinstance(kinds, str):
        return [schema]
    if isinstance(kinds, list):
        return [{**schema, "type": kind} for kind in kinds]
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(values, list):
        return [{"type": kind} for kind in sorted({_KINDS[type(v)] for v in values})]
    return [{**schema, "type": "object"} if "properties" in schema else ANY]


def kinds(schema: Any) -> frozenset[str] | None:
    """Return the JSON types that a value may have, or None if it may have any."""
    found = [option.get("type") for option in options(schema)]
    return None if None in found else frozenset(str(kind) for kind in found)


def follow(schema: Any, path: tuple[str | int, ...]) -> Schema | Missing:
    """Return the schema at a path, ANY where nothing is known, or what is missing."""
    found: Schema = schema if isinstance(schema, dict) else ANY
    for depth, key in enumerate(path):
        steps = [_step(option, key) for option in options(found)]
        good = [one for one in steps if one is not None]
        if not good:
            return Missing(depth, tuple(_names(found)), kinds(found) or frozenset())
        found = good[0] if len(good) == 1 else {"anyOf": good}
    return found


def fits(produced: Any, wanted: Any) -> bool:
    """Say whether some value of the one schema can be a value of the other."""
    return any(_fits(one, other) for one in options(produced) for other in options(wanted))


def in_words(schema: Any) -> str:
    """Return what a value is, e.g. "a list of text"."""
    found = dict.fromkeys(_words(option) for option in options(schema))
    return " or ".join(found)


def _words(option: Schema) -> str:
    kind = option.get("type")
    if kind == "array":
        items = kinds(option.get("items", ANY))
        names = {"string": "texts", "object": "objects", "array": "lists"}
        inner = names.get(next(iter(items)), "") if items and len(items) == 1 else ""
        return f"a list of {inner}" if inner else "a list"
    return WORDS.get(str(kind), "any value")


def _fits(produced: Schema, wanted: Schema) -> bool:
    one, other = produced.get("type"), wanted.get("type")
    if one is None or other is None:
        return True
    if {one, other} == {"integer", "number"}:
        return True
    if one != other or one == "null":
        return False
    if one == "array":
        return fits(produced.get("items", ANY), wanted.get("items", ANY))
    return True


def _step(option: Schema, key: str | int) -> Schema | None:
    kind = option.get("type")
    if kind is None:
        return ANY
    if isinstance(key, int):
        return _schema(option.get("items", ANY)) if kind == "array" else None
    if kind != "object":
        return None
    named = option.get("properties")
    if isinstance(named, dict) and key in named:
        return _schema(named[key])
    rest = option.get("additionalProperties", True)
    return None if rest is False else _schema(rest)


def _names(schema: Schema) -> list[str]:
    named = (option.get("properties", {}) for option in options(schema))
    return list(dict.fromkeys(name for one in named for name in one))


def _schema(value: Any) -> Schema:
    return value if isinstance(value, dict) else ANY


def _inlined(schema: Any, named: dict[str, Any], around: tuple[str, ...]) -> Any:
    """Replace references by what they name; one to a schema around it may be anything."""
    if isinstance(schema, list):
        return [_inlined(part, named, around) for part in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name in around:
        return ANY
    if name:
        return _inlined(named.get(name, ANY), named, (*around, name))
    return {k: _inlined(part, named, around) for k, part in schema.items() if k != "$defs"}
