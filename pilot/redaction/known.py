"""The secrets that this process knows, looked for in every form in which a text may hold them."""

import base64
import threading
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import re2

SHORTEST = 8  # characters: shorter ones would be found in any text
CHUNK = 200  # characters: longer secrets are looked for in parts
MARK = "[redacted:"
GROUP = 200  # values in one pattern: more would take too much memory
MAX_PATTERN_BYTES = 512 * 1024 * 1024

_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


class _Process:
    """What this process knows; the patterns are made when they are needed."""

    names: Mapping[str, str] = MappingProxyType({})  # of secrets, by their values
    patterns: tuple[tuple[Any, str], ...] | None = ()  # each with what takes the place of a match
    version = 0  # another one after every change
    lock = threading.Lock()


def know(names: Mapping[str, str]) -> None:
    """Look for these values from now on, and for no others; each is shown as its name."""
    kept = {value: name for value, name in names.items() if _may_be_hidden(value)}
    with _Process.lock:
        if kept != _Process.names:
            _take(kept)


def learn(value: str, name: str) -> None:
    """Look for one more value."""
    if value in _Process.names or not _may_be_hidden(value):
        return
    with _Process.lock:
        _take({**_Process.names, value: name})


def version() -> int:
    """Return a number that is another one after every change of what is known."""
    return _Process.version


def _take(names: Mapping[str, str]) -> None:
    _Process.names, _Process.patterns = names, None
    _Process.version += 1


def hide(text: str) -> str:
    """Return the text with every known value replaced by `[redacted:NAME]`."""
    patterns = _Process.patterns
    for pattern, shown in _compiled() if patterns is None else patterns:
        text = pattern.sub(shown, text)
    return text


def _may_be_hidden(value: str) -> bool:
    """Refuse what is too short, and what the mark of a hidden value would itself hold."""
    return len(value) >= SHORTEST and MARK not in value and value not in MARK


def _compiled() -> tuple[tuple[Any, str], ...]:
    with _Process.lock:
        by_name: dict[str, list[str]] = {}
        for value, name in _Process.names.items():
            by_name.setdefault(name, []).append(value)
        _Process.patterns = tuple(
            (_pattern(tuple(values[start : start + GROUP])), f"{MARK}{name}]")
            for name, values in by_name.items()
            for start in range(0, len(values), GROUP)
        )
        return _Process.patterns


@lru_cache(64)  # one more value changes the last group only
def _pattern(values: tuple[str, ...]) -> Any:
    options = re2.Options()
    options.max_mem = MAX_PATTERN_BYTES
    options.longest_match = True  # of values that begin alike
    options.never_capture = True
    options.log_errors = False
    return re2.compile("|".join(form for value in values for form in _forms(value)), options)


def _forms(value: str) -> list[str]:
    """Return patterns for a value as it is, in JSON, in an address, in hexadecimal, in base64."""
    found = []
    for part in _parts(value):
        raw = part.encode("utf-8", "replace")
        found += ["".join(map(_character, part)), f"(?i:{raw.hex()})", *_base64(raw)]
    return found


def _parts(value: str) -> list[str]:
    starts = range(0, len(value), CHUNK)
    parts = [value[start : start + CHUNK] for start in starts]
    if len(parts) > 1 and len(parts[-1]) < SHORTEST:
        parts[-2:] = ["".join(parts[-2:])]
    return parts


def _character(one: str) -> str:
    """Return a pattern for a character: itself, escaped for JSON, or encoded for an address."""
    units = one.encode("utf-16-be", "surrogatepass")
    code = "".join(rf"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    percent = "".join(f"%{byte:02x}" for byte in one.encode("utf-8", "replace"))
    ways = [re2.escape(one), f"(?i:{code}|{percent})"]
    if one in _ESCAPES:
        ways.append(r"\\" + re2.escape(_ESCAPES[one]))
    if one == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join(ways)})"


def _base64(raw: bytes) -> list[str]:
    """Return patterns for the digits that stand for these bytes, wherever they stand in a text.

    A digit is six bits: of three places where the bytes may begin, each has digits of its own.
    """
    found = []
    for before in range(3):
        digits = base64.b64encode(b"\0" * before + raw).decode()
        whole = digits[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        found.append("".join(_DIGITS.get(digit, digit) for digit in whole))
    return found


_DIGITS = {"+": r"(?:[+-]|%2[Bb])", "/": r"(?:[/_]|%2[Ff])"}
