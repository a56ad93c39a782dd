"""Values made up from a JSON Schema: what a simulated step gives that has never run.

The same schema and seed give the same value. Every property is there, lists have two rows (fewer
where all must differ and no two do), formats and bounds are kept; a pattern is not followed.
"""

import hashlib
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from typing import Any

from pilot.engine.language.catalogue import Column, TableSample

ROWS = 2
FINEST = Decimal("1e-12")  # step between numbers
TRIES = 20  # rows made up for one that has to differ from those before
_BOUNDS = ("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
MAX_DEPTH = 8  # of nested values: deeper ones of a schema that contains itself are null
_FORMATS = {
    "email": "sample{n}@example.com",
    "date": "2026-05-{day:02}",
    "date-time": "2026-05-{day:02}T09:00:00+00:00",
    "time": "09:00:00+00:00",
    "duration": "PT{day}M",
    "hostname": "sample{n}.example.com",
    "ipv4": "192.0.2.{day}",
    "ipv6": "2001:db8::{day}",
    "uri": "https://example.com/{n}",
    "url": "https://example.com/{n}",
    "uuid": "00000000-0000-4000-8000-{n:012}",
}


def value(schema: dict[str, Any], seed: str, name: str = "text") -> Any:
    """Return a value that fits a schema; `name` is what its texts are called."""
    return _value(schema, seed, name, schema.get("$defs", {}), 0)


def table(sample: TableSample) -> dict[str, Any]:
    """Return what reading a tab gives: its header, and two rows of what its columns hold."""
    header = [column.name for column in sample.columns]
    rows = [[_cell(column, row) for column in sample.columns] for row in range(ROWS)]
    return {"values": [header, *rows], "rows": ROWS + 1, "truncated": False}


def _cell(column: Column, row: int) -> str:
    return column.examples[row % len(column.examples)] if column.examples else ""


def _value(schema: Any, seed: str, name: str, known: dict[str, Any], depth: int) -> Any:
    schema = _resolved(schema, known)
    if "const" in schema or schema.get("default") is not None:
        return schema.get("const", schema.get("default"))
    for listed in ("enum", "examples"):
        if schema.get(listed):
            return schema[listed][0]
    kind = _kind(schema)
    if depth > MAX_DEPTH:
        return {"array": [], "object": {}}.get(kind)
    if kind == "object":
        return {
            key: _value(part, f"{seed}/{key}", key, known, depth + 1)
            for key, part in _properties(schema).items()
        }
    if kind == "array":
        return _list(schema, seed, name, known, depth)
    return _plain(kind, schema, _number(seed), name)


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas of all properties by name: also of those that are only required."""
    known: dict[str, Any] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    return known | {one: others for one in schema.get("required", []) if one not in known}


def _list(
    schema: dict[str, Any], seed: str, name: str, known: dict[str, Any], depth: int
) -> list[Any]:
    """Return the rows of a list; where each must be another one, those that are found to differ."""
    unlike = schema.get("uniqueItems") is True
    rest = {"type": "object"} if schema.get("format") == "table" else {}
    parts, first = schema.get("items", rest), schema.get("prefixItems", [])
    choices = _choices(_resolved(parts, known)) if unlike else []
    found: list[Any] = []
    for row in range(_rows(schema) + (TRIES if unlike else 0)):
        if len(found) == _rows(schema):
            break
        part = first[len(found)] if len(found) < len(first) else parts
        made = _value(part, f"{seed}/{row}", name, known, depth + 1)
        made = choices[row] if part is parts and row < len(choices) else made
        if not unlike or made not in found:
            found.append(made)
    return found


def _choices(schema: dict[str, Any]) -> list[Any]:
    """Return all values of a schema that has few."""
    return [True, False] if _kind(schema) == "boolean" else list(schema.get("enum", []))


def _resolved(schema: Any, known: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with what it refers to, its first choice and all of its parts in one."""
    found = dict(schema) if isinstance(schema, dict) else {}
    for _ in range(MAX_DEPTH):
        if "$ref" in found:
            found |= known.get(str(found.pop("$ref")).rpartition("/")[2], {})
        elif "allOf" in found:
            for part in found.pop("allOf"):
                found |= _resolved(part, known)
        elif "anyOf" in found or "oneOf" in found:
            choices = found.pop("anyOf", None) or found.pop("oneOf")
            given = [one for one in choices if one.get("type") != "null"]
            found |= (given or choices)[0]
        else:
            break
    return found


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is not None:
        return str(kind)
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema or schema.get("format") == "table" else "string"


def _rows(schema: dict[str, Any]) -> int:
    least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", ROWS))
    first = len(schema.get("prefixItems", []))
    most = min(first, most) if schema.get("items") is False else most
    return max(least, min(max(ROWS, first), most))


def _plain(kind: str, schema: dict[str, Any], n: int, name: str) -> Any:
    if kind == "null":
        return None
    if kind == "boolean":
        return True
    if kind in {"integer", "number"}:
        return _within(schema, n)
    pattern = _FORMATS.get(str(schema.get("format")))
    if pattern is not None:
        return pattern.format(n=n, day=n % 28 + 1)
    text = f"sample {name} {n}"
    least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", len(text)))
    return text.ljust(max(least, 1), ".")[: max(most, least)]


def _within(schema: dict[str, Any], n: int) -> int | float:
    """Return a small number that keeps the bounds of a schema, counted in decimals as they are."""
    given = {key: Decimal(str(schema[key])) for key in _BOUNDS if schema.get(key) is not None}
    step = given.get("multipleOf") or Decimal(1)
    if _kind(schema) == "integer":
        step = Decimal(Fraction(step).numerator)  # the least whole one of its multiples
    first = _lowest(given, step)
    while step > FINEST and _kind(schema) == "number" and "multipleOf" not in given:
        if not _is_above(given, first):
            break
        step /= 10
        first = _lowest(given, step)
    found = first + n % 100 * step
    kept = first if _is_above(given, found) else found
    return int(kept) if kept == kept.to_integral_value() else float(kept)


def _lowest(given: dict[str, Decimal], step: Decimal) -> Decimal:
    """Return the lowest multiple of a step within the lower bounds; without any, a small one."""
    above = given.get("exclusiveMinimum")
    bounds = [given[key] for key in ("minimum", "exclusiveMinimum") if key in given]
    tops = [given[key] for key in ("maximum", "exclusiveMaximum") if key in given]
    small = min(tops) - 101 * step if tops and min(tops) <= 0 else Decimal(0)
    first = (max(bounds, default=small) / step).to_integral_value(ROUND_CEILING) * step
    return first + step if above is not None and first <= above else first


def _is_above(given: dict[str, Decimal], number: Decimal) -> bool:
    most, below = given.get("maximum"), given.get("exclusiveMaximum")
    return (most is not None and number > most) or (below is not None and number >= below)


def _number(seed: str) -> int:
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:2], "big") % 1_000
