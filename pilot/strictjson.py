"""The one decoder of hostile JSON, and the two ways to write JSON.

Refused everywhere alike (reliability: security requirements, JSON): text that is not UTF-8, too
large or too deep, duplicate keys, NaN and infinities, integers beyond 2**53, NUL characters and
lone surrogates.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pilot.errors import BadJsonError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_MEMBERS = 100_000
MAX_INTEGER = 2**53

# Possessive, so that a text without its closing quote costs one pass and no memory.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_NUL, _SURROGATE = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000"), re.compile("[\ud800-\udfff]")
_COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def loads(data: bytes | str, *, max_bytes: int = MAX_BYTES) -> Any:
    """Return the value of a JSON text.

    Raises:
        BadJsonError: it is no JSON, or JSON that Pilot refuses; says what and where.
    """
    text = _text(data, max_bytes)
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadJsonError(f"This is not JSON: {error.msg} at {where}.", error.pos) from None
    except RecursionError:
        raise BadJsonError(f"The JSON is nested deeper than {MAX_DEPTH} levels.") from None
    _check_members(value)
    return value


def whole(text: str) -> int | None:
    """Return the whole number that a text is, or None: it is none, or too large for JSON."""
    try:
        found = loads(text)
    except BadJsonError:
        return None
    return found if type(found) is int else None


def dumps(value: Any) -> str:
    """Return a value as compact JSON; keys keep their order, non-ASCII text stays readable.

    What `loads` refuses in a text, and no database stores, comes out as U+FFFD: a NUL in a file or
    in an answer must not undo the rest of it.
    """
    text = _COMPACT.encode(value)
    if "\\u0000" in text:
        text = _NUL.sub("\\1\ufffd", text)
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def written(value: Any) -> tuple[str, Any]:
    """Return a value as `dumps` writes it, and as it is read back from that."""
    text = dumps(value)
    return text, json.loads(text) if "\ufffd" in text else value


def canonical(value: Any) -> str:
    """Return the one text of a value: sorted keys, no spaces, shortest numbers."""
    return json.dumps(
        _shortest(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False, sort_keys=True
    )


def plain(value: Any) -> Any:
    """Return a value as JSON data: UTC times with Z, money with its currency, exact decimals."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return _plain_single(value)


def _plain_single(value: Any) -> Any:
    match value:
        case datetime():
            return _moment(value)
        case date() | UUID():
            return str(value)
        case Decimal():
            return {"amount": format(value, "f"), "currency": "USD"}
    return value


def _moment(value: datetime) -> str:
    try:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:  # at an end of the calendar
        return value.isoformat()


def _shortest(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_INTEGER:
        return int(value)
    if isinstance(value, dict):
        return {key: _shortest(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortest(item) for item in value]
    return value


def _text(data: bytes | str, max_bytes: int) -> str:
    size = len(data) if isinstance(data, bytes) else len(data.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        raise BadJsonError(f"The JSON has {size:,} bytes; at most {max_bytes:,} are accepted.")
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJsonError("The JSON is not valid UTF-8.", error.start) from None


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:  # as in most texts
        return
    depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = match.group()
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadJsonError(
                    f"The JSON is nested deeper than {MAX_DEPTH} levels.", match.start()
                )
        elif mark in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJsonError(f"The key {_twice(pairs)[:80]!r} occurs twice in one object.")
    return found


def _twice(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            break
        seen.add(key)
    return key


def _refuse_constant(name: str) -> Any:
    raise BadJsonError(f"{name} is not a JSON number.")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadJsonError(f"The number {text[:40]} is too large.")
    return number


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise BadJsonError(f"The integer {text[:40]} is beyond 2^53; send it as text.")
    return int(text)


def _check_members(value: Any) -> None:
    members, open_values = 0, [value]
    while open_values:
        item = open_values.pop()
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, dict):
            members += len(item)
            open_values.extend(item.keys())
            open_values.extend(item.values())
        elif isinstance(item, list):
            members += len(item)
            open_values.extend(item)
        if members > MAX_MEMBERS:
            raise BadJsonError(f"The JSON has more than {MAX_MEMBERS:,} members.")


def _check_text(text: str) -> None:
    if _FORBIDDEN.search(text):
        raise BadJsonError("A text holds a NUL character or half a surrogate pair.")
