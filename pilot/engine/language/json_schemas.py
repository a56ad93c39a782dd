"""JSON Schema 2020-12 as documents may use it: no references, RE2 patterns, checked formats."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jsonschema
import re2
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from pilot import strictjson
from pilot.engine.language.pointers import pointer
from pilot.errors import BadJsonError, Issue, type_json

MAX_PATTERN_CHARACTERS = 200
MAX_ISSUES = 50
WIDGETS = ("text", "email", "number", "file", "select", "url", "date", "textarea")
_REFUSED = {
    "$ref": "write the schema out where it is used",
    "$dynamicRef": "write the schema out where it is used",
    "patternProperties": "name each of the properties",
}
_FORMATS = FormatChecker(
    [
        *("date", "date-time", "time", "duration", "email", "hostname", "ipv4", "ipv6"),
        *("uri", "uuid"),
    ]
)


@_FORMATS.checks("table")
def is_table(value: type_json) -> bool:
    """Say whether a value is a list of objects with equal keys."""
    if not isinstance(value, list):
        return False
    keys = {frozenset(row) if isinstance(row, dict) else None for row in value}
    return None not in keys and len(keys) <= 1


def check_schema(schema: type_json, path: str, *, root: str = "object") -> list[Issue]:
    """Return what is wrong with a schema; `root` is the type that it must have, "" for any."""
    try:
        found = _checked(strictjson.canonical(schema), root)
    except BadJsonError as error:  # nested deeper than any decoded document
        return [Issue("E_SCHEMA", path, error.message)]
    return [Issue("E_SCHEMA", path + place, message) for place, message in found]


def check_value(schema: dict[str, Any], value: type_json) -> list[ValidationError]:
    """Return up to 50 errors of a value, those of the outer parts first."""
    errors: list[ValidationError] = []
    for error in _validator(strictjson.canonical(schema)).iter_errors(value):
        errors.append(error)
        if len(errors) == MAX_ISSUES:
            break
    return sorted(errors, key=lambda error: len(error.absolute_path))


def in_words(errors: list[ValidationError]) -> str:
    """Return the first errors of a value as one text, each with its place."""
    named = [(pointer(*one.absolute_path) or "/", one.message[:200]) for one in errors[:5]]
    return "; ".join(f"{place}: {message}" for place, message in named)


def pattern_problem(pattern: type_json) -> str | None:
    """Say why a pattern cannot be used, or None."""
    if not isinstance(pattern, str):
        return None  # the schema of schemas says it
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        return f"A pattern has at most {MAX_PATTERN_CHARACTERS} characters."
    return None if _compiled(pattern) else "The pattern is no RE2 expression (look-around is none)."


@lru_cache(256)
def _checked(text: str, root: str) -> list[tuple[str, str]]:
    schema = strictjson.loads(text)
    try:
        Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        place = pointer(*error.absolute_path)
        return [(place, f"This is no JSON Schema: {error.message[:200]}.")]
    if root and not (isinstance(schema, dict) and schema.get("type", root) == root):
        return [("/type", f"The schema must describe an {root}: set type to {root}.")]
    return list(_problems(schema, ""))


def _problems(schema: type_json, path: str) -> Iterator[tuple[str, str]]:
    """Walk where schemas stand: not into the names of properties, constants or examples."""
    if not isinstance(schema, dict):
        return
    for key, instead in _REFUSED.items():
        if key in schema:
            yield path + pointer(key), f"{key} is not taken in a schema: {instead}."
    reason = pattern_problem(schema.get("pattern"))
    if reason:
        yield f"{path}/pattern", reason
    if "x-widget" in schema and schema["x-widget"] not in WIDGETS:
        yield f"{path}/x-widget", f"x-widget is one of: {', '.join(WIDGETS)}."
    if "default" in schema and next(_Validator(schema).iter_errors(schema["default"]), None):
        yield f"{path}/default", "The default does not fit its own schema."
    for place, inner in _inner(schema):
        yield from _problems(inner, path + place)


def _inner(schema: dict[str, Any]) -> Iterator[tuple[str, type_json]]:
    for key in ("properties", "$defs", "dependentSchemas"):
        named = schema.get(key)
        for name, inner in named.items() if isinstance(named, dict) else ():
            yield pointer(key, name), inner
    for key in ("anyOf", "allOf", "oneOf", "prefixItems"):
        for number, inner in enumerate(schema.get(key, ())):
            yield pointer(key, number), inner
    for key in (
        *("items", "additionalProperties", "not", "if", "then", "else", "contains"),
        *("propertyNames", "unevaluatedItems", "unevaluatedProperties"),
    ):
        yield pointer(key), schema.get(key)


@lru_cache(512)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None


def _match(_: Any, pattern: str, value: type_json, __: Any) -> Iterator[ValidationError]:
    """`pattern` by RE2: Python's own could be made to hang."""
    compiled = _compiled(pattern)
    if isinstance(value, str) and not (compiled and compiled.search(value)):
        yield ValidationError(f"{value[:60]!r} does not match the pattern {pattern}")


def _unique(_: Any, wanted: bool, value: type_json, __: Any) -> Iterator[ValidationError]:  # noqa: FBT001  the library's signature
    """`uniqueItems` in linear time: the library's own compares each with each."""
    if wanted and isinstance(value, list):
        texts = [strictjson.canonical(one) for one in value]
        if len(set(texts)) < len(texts):
            yield ValidationError("has the same element twice")


_extend: Any = extend  # the library leaves it untyped
_Validator = _extend(Draft202012Validator, {"pattern": _match, "uniqueItems": _unique})


@lru_cache(256)
def _validator(text: str) -> Any:
    return _Validator(strictjson.loads(text), format_checker=_FORMATS)
