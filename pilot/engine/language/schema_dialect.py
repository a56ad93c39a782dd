"""The library that checks values, with Pilot's own rules; `json_schemas` says what is wrong."""

from collections.abc import Iterator
from datetime import time
from fractions import Fraction
from functools import lru_cache
from typing import Any

import re2
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend

from pilot import strictjson
from pilot.engine.language import schema_work
from pilot.engine.language.emails import is_email
from pilot.errors import type_json

_TIME = re2.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?")
_FORMATS = FormatChecker(
    [
        *("date", "date-time", "duration", "hostname", "ipv4", "ipv6"),
        *("uri", "uuid"),
    ]
)

# Not "regex": that is Python's, which knows less than RE2 and recurses deeply.
_SCHEMA_FORMATS = FormatChecker(["uri", "uri-reference"])


@_FORMATS.checks("table")
def is_table(value: type_json) -> bool:
    """Say whether a value is a list of objects with equal keys."""
    if not isinstance(value, list):
        return False
    keys = {frozenset(row) if isinstance(row, dict) else None for row in value}
    return None not in keys and len(keys) <= 1


@_FORMATS.checks("email")
def _is_email(value: type_json) -> bool:
    return not isinstance(value, str) or is_email(value)


@_FORMATS.checks("time")
def _is_time(value: type_json) -> bool:
    """Say whether a text is a time of RFC 3339, with its zone or without."""
    if not isinstance(value, str):
        return True
    try:
        time.fromisoformat(value)
    except ValueError:
        return False
    return _TIME.fullmatch(value) is not None


@lru_cache(512)
def compiled(pattern: str) -> Any:
    """Return an RE2 pattern, or None for what is none."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None


def _match(_: Any, pattern: str, value: type_json, __: Any) -> Iterator[ValidationError]:
    """`pattern` by RE2: Python's own could be made to hang."""
    expression = compiled(pattern)
    if expression and isinstance(value, str):
        schema_work.spend(len(value) * int(expression.programsize) // schema_work.PATTERN_WORK)
    if isinstance(value, str) and not (expression and expression.search(value)):
        yield ValidationError(f"{value[:60]!r} does not match the pattern {pattern}")


def _unique(_: Any, wanted: bool, value: type_json, __: Any) -> Iterator[ValidationError]:  # noqa: FBT001  the library's signature
    """`uniqueItems` in linear time: the library's own compares each with each."""
    if wanted and isinstance(value, list):
        texts = [strictjson.canonical(one) for one in value]
        if len(set(texts)) < len(texts):
            yield ValidationError("has the same element twice")


def _multiple(checks: Any, step: float, value: type_json, _: Any) -> Iterator[ValidationError]:
    """`multipleOf` of the numbers as they are written: as floats, 0.07 / 0.01 is above 7."""
    if checks.is_type(value, "number") and _exact(value) % _exact(step):
        yield ValidationError(f"{value!r} is not a multiple of {step}")


def _exact(number: float) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


_extend: Any = extend  # the library leaves it untyped
_RULES = {
    **Draft202012Validator.VALIDATORS,
    "pattern": _match,
    "uniqueItems": _unique,
    "multipleOf": _multiple,
}
_Validator = _extend(
    Draft202012Validator, {name: schema_work.counted(rule) for name, rule in _RULES.items()}
)
_descend = _Validator.descend


def _counted_descend(checks: Any, *given: Any, **named: Any) -> Any:
    """Count what `unevaluatedProperties` looks at, too: it applies no rule to it."""
    schema_work.spend(1)
    return _descend(checks, *given, **named)


_Validator.descend = _counted_descend


def fault(schema: type_json) -> SchemaError | None:
    """Return what keeps a value from being a schema."""
    try:
        Draft202012Validator.check_schema(schema, format_checker=_SCHEMA_FORMATS)
    except SchemaError as error:
        return error
    return None


def fits(value: type_json, schema: dict[str, Any]) -> bool:
    """Say whether a value fits a schema; formats are not looked at."""
    return next(_Validator(schema).iter_errors(value), None) is None


@lru_cache(256)
def validator(text: str) -> Any:
    """Return what checks values against a schema, formats included."""
    return _Validator(strictjson.loads(text), format_checker=_FORMATS)


def too_much_work(value: type_json, schema: dict[str, Any]) -> ValidationError:
    """Return the error of a value that takes too long to check."""
    message = "This value takes too long to check against its schema: nest fewer alternatives."
    return ValidationError(message, validator="work", instance=value, schema=schema)
