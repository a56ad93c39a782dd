"""JSON Schema 2020-12 as documents may use it: no references, RE2 patterns, checked formats."""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pilot import strictjson
from pilot.engine.language import schema_work
from pilot.engine.language.pointers import pointer
from pilot.errors import BadJsonError, Issue, type_json

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MAX_PATTERN_CHARACTERS = 200
MAX_PROGRAMS = 200_000  # instructions of all patterns: to compile so many takes half a second
REFUSED_PROGRAM = 10_000  # counted of one that RE2 refuses, maybe for its size
MAX_ISSUES = 50
MAX_PARTS = 2_000  # schemas in a schema: to check one takes a while
WIDGETS = ("text", "email", "number", "file", "select", "url", "date", "textarea")
_REFUSED = {
    "$ref": "write the schema out where it is used",
    "$dynamicRef": "write the schema out where it is used",
    "patternProperties": "name each of the properties",
}


def check_schema(schema: type_json, path: str, *, root: str = "object") -> list[Issue]:
    """Return what is wrong with a schema; `root` is the type that it must have, "" for any."""
    try:
        found = _checked(strictjson.canonical(schema), root)
    except BadJsonError as error:  # nested deeper than any decoded document
        return [Issue("E_SCHEMA", path, error.message)]
    return [Issue("E_SCHEMA", path + place, message) for place, message in found]


def check_value(schema: dict[str, Any], value: type_json) -> "list[ValidationError]":
    """Return up to 50 errors of a value, those of the outer parts first."""
    errors: list[ValidationError] = []
    try:
        with schema_work.bounded(value):
            for error in _dialect().validator(strictjson.canonical(schema)).iter_errors(value):
                errors.append(error)
                if len(errors) == MAX_ISSUES:
                    break
    except schema_work.TooMuchWorkError:
        return [_dialect().too_much_work(value, schema)]
    return sorted(errors, key=lambda error: len(error.absolute_path))


def in_words(errors: "list[ValidationError]") -> str:
    """Return the first errors of a value as one text, each with its place."""
    named = [(pointer(*one.absolute_path) or "/", one.message[:200]) for one in errors[:5]]
    return "; ".join(f"{place}: {message}" for place, message in named)


def pattern_problem(pattern: type_json) -> str | None:
    """Say why a pattern cannot be used, or None."""
    if not isinstance(pattern, str):
        return None  # the schema of schemas says it
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        return f"A pattern has at most {MAX_PATTERN_CHARACTERS} characters."
    if _dialect().compiled(pattern):
        return None
    return "The pattern is no RE2 expression (look-around is none)."


@lru_cache(256)
def _checked(text: str, root: str) -> list[tuple[str, str]]:
    schema = strictjson.loads(text)
    if _is_large(schema):
        return [("", f"The schema has more than {MAX_PARTS:,} parts: describe fewer fields.")]
    error = _dialect().fault(schema)
    if error:
        place = pointer(*error.absolute_path)
        return [(place, f"This is no JSON Schema: {error.message[:200]}.")]
    if root and not (isinstance(schema, dict) and schema.get("type", root) == root):
        return [("/type", f"The schema must describe an {root}: set type to {root}.")]
    if _has_large_patterns(schema):
        return [("", "The patterns are too large together: count fewer repetitions in them.")]
    try:
        with schema_work.bounded(schema):
            return list(_problems(schema, "")) or list(_misfits(schema, ""))
    except schema_work.TooMuchWorkError:
        return [("", "The defaults take too long to check: nest fewer alternatives.")]


def _is_large(schema: type_json) -> bool:
    parts, left = 0, [schema]
    while left and parts <= MAX_PARTS:
        value = left.pop()
        if isinstance(value, dict):
            parts += 1
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(one for one in value if isinstance(one, dict | list))
    return parts > MAX_PARTS


def _has_large_patterns(schema: type_json) -> bool:
    programs, left = 0, [schema]
    while left and programs <= MAX_PROGRAMS:
        part = left.pop()
        if not isinstance(part, dict):
            continue
        pattern = part.get("pattern")
        if isinstance(pattern, str) and len(pattern) <= MAX_PATTERN_CHARACTERS:
            compiled = _dialect().compiled(pattern)
            programs += compiled.programsize if compiled else REFUSED_PROGRAM
        left.extend(inner for _, inner in _inner(part))
    return programs > MAX_PROGRAMS


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
    if path and "$schema" in schema:
        yield f"{path}/$schema", "$schema is taken at the top of a schema only."
    for place, inner in _inner(schema):
        yield from _problems(inner, path + place)


def _misfits(schema: type_json, path: str) -> Iterator[tuple[str, str]]:
    """Check the defaults, of a schema that can be used: none of its patterns is long."""
    if not isinstance(schema, dict):
        return
    if "default" in schema and not _dialect().fits(schema["default"], schema):
        yield f"{path}/default", "The default does not fit its own schema."
    for place, inner in _inner(schema):
        yield from _misfits(inner, path + place)


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


def _dialect() -> Any:
    """Load the library with the first schema: a start need not wait for it and its formats."""
    from pilot.engine.language import schema_dialect  # noqa: PLC0415

    return schema_dialect
