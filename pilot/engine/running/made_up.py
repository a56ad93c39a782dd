"""Values made up from a JSON Schema: what a simulated step gives that has never run.

The same schema and seed give the same value. Every property is there, lists have two rows, formats
and bounds are kept; a pattern is not followed.
"""

import hashlib
from decimal import ROUND_CEILING, Decimal
from typing import Any

from pilot.engine.language.catalogue import Column, TableSample

ROWS = 2
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
    for fixed in ("const", "default"):
        if schema.get(fixed) is not None:
            return schema[fixed]
    for listed in ("enum", "examples"):
        if schema.get(listed):
            return schema[listed][0]
    kind = _kind(schema)
    if depth > MAX_DEPTH:
        return {"array": [], "object": {}}.get(kind)
    if kind == "object":
        return {
            key: _value(part, f"{seed}/{key}", key, known, depth + 1)
            for key, part in schema.get("properties", {}).items()
        }
    if kind == "array":
        parts = schema.get("items", {})
        return [
            _value(parts, f"{seed}/{row}", name, known, depth + 1) for row in range(_rows(schema))
        ]
    return _plain(kind, schema, _number(seed), name)


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
    return max(least, min(ROWS, most))


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
    above, below = given.get("exclusiveMinimum"), given.get("exclusiveMaximum")
    most = given.get("maximum", below)
    lowest = Decimal(0) if most is None or most > 0 else most - 101 * step
    least = given.get("minimum", lowest if above is None else above)
    first = (least / step).to_integral_value(ROUND_CEILING) * step
    first += step if above is not None and first <= above else 0
    found = first + n % 100 * step
    over = (most is not None and found > most) or found == below
    kept = first if over else found
    return int(kept) if kept == kept.to_integral_value() else float(kept)


def _number(seed: str) -> int:
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:2], "big") % 1_000
