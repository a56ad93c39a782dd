"""The values that a clause states: quoted texts, addresses, dates, numbers, names."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Literal

from pilot.engine.clause_planner.words import VERBS, normal
from pilot.engine.shortlist import STOP_WORDS

Kind = Literal[
    "text", "list", "email", "url", "channel", "path", "date", "time", "phone", "number", "name"
]
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?:{'|'.join(_MONTHS)})[a-z]*\.?"
_DATE = re.compile(
    rf"\d{{4}}-\d\d?-\d\d?|\d\d?/\d\d?/\d{{2,4}}|{_MONTH}\s+\d\d?(?:st|nd|rd|th)?"
    rf"(?:,?\s*\d{{4}})?\b|\d\d?(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}(?:,?\s+\d{{4}})?\b",
    re.IGNORECASE,
)
_WORDY = re.compile(rf"(?P<month>{_MONTH})|(?P<year>\d{{4}})|(?P<day>\d\d?)", re.IGNORECASE)
_TEXT = r"\"[^\"]+\"|“[^”]+”|(?<!\w)'(?:[^']|(?<=\w)'(?=\w))+'(?!\w)"
_REST = r"(?:[\w&'\u2019-]|\.(?=\w))*"
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("list", re.compile(r"\[[^\[\]]+\]")),
    ("list", re.compile(rf"(?:{_TEXT})(?:(?:,\s*(?:and\s+)?|\s+and\s+)(?:{_TEXT}))+")),
    ("text", re.compile(_TEXT)),
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.\w+")),
    ("url", re.compile(r"(?:https?://|www\.)[^\s,;'\"]+[^\s,;.'\"?!]", re.IGNORECASE)),
    ("channel", re.compile(r"(?<!\w)#[A-Za-z][\w-]*")),
    ("path", re.compile(r"(?<![\w/])/(?:[\w.-]+/)*[\w.-]*\w")),
    ("time", re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?!\d)")),
    ("date", _DATE),
    ("time", re.compile(r"\b\d\d?:\d\d(?:\s?[ap]m\b)?|\b\d\d?\s?[ap]m\b", re.IGNORECASE)),
    ("phone", re.compile(r"\+\d[\d -]{7,}\d|\b\d{3}-\d{3}-\d{4}\b|\b\d{3}-\d{4}\b|\b\d{10}\b")),
    (
        "name",
        re.compile(rf"(?<![\w'])[A-Z]{_REST}(?:[ ](?:[A-Z]{_REST}|\d+(?= [A-Z])|of(?= [A-Z])))*"),
    ),
    (
        "number",
        re.compile(r"(?<![\w.-])-?[$€£]?\d{1,30}(?:,\d{3}){0,9}(?:\.\d{1,30})?(?!\d|[\w]*@)"),
    ),
)


@dataclass(frozen=True)
class Value:
    """One stated value; `start` and `end` are its place in the clause."""

    kind: Kind
    value: Any
    start: int
    end: int


@lru_cache(256)
def values(clause: str) -> tuple[Value, ...]:
    """Return the values that a clause states, in their order; references are no values."""
    found: list[Value] = []
    taken = bytearray(len(clause) + 1)
    for kind, pattern in _PATTERNS:
        first = _first_verb(clause) if kind == "name" else 0
        for match in pattern.finditer(clause, first):
            start, end = match.span()
            if any(taken[start:end]) or "{{" in match[0] or "}}" in match[0]:
                continue
            if kind == "name" and _is_plain(clause, start, match[0]):
                continue
            taken[start:end] = b"\1" * (end - start)
            found.append(_value(kind, match[0], start, end))
    return tuple(sorted(found, key=lambda one: one.start))


def _value(kind: Kind, text: str, start: int, end: int) -> Value:
    read: Callable[[str], Any] | None = _READERS.get(kind)
    value = read(text) if read else text
    if kind == "text":
        inner = values(value)
        if len(inner) == 1 and (inner[0].start, inner[0].end) == (0, len(value)):
            specific = inner[0].kind not in {"name", "number", "list"}
            kind = inner[0].kind if specific else kind
    return Value(kind, value, start, end)


def _first_verb(clause: str) -> int:
    """Return where a verb ends that begins the clause: no part of a name."""
    word = re.match(r"\W*([A-Za-z]+)", clause)
    return word.end() if word and normal(word[1].lower()) in VERBS else 0


def _is_plain(clause: str, start: int, text: str) -> bool:
    """Say whether a capital letter is only that of a sentence's first word, or of "I"."""
    first = not re.search(r"\w", clause[:start])
    return text.lower() in STOP_WORDS or (first and " " not in text)


def _listed(text: str) -> list[Any]:
    quoted = [found[0][1:-1] for found in re.finditer(_TEXT, text)]
    if quoted:
        return quoted
    plain = [one.strip() for one in text.strip("[]").split(",")]
    numbers = [_number(one) for one in plain if re.fullmatch(r"-?\d+(?:\.\d+)?", one)]
    return numbers if len(numbers) == len(plain) else plain


def _number(text: str) -> int | float:
    clean = re.sub(r"[$€£,]", "", text)
    return float(clean) if "." in clean else int(clean)


def _date(text: str) -> str:
    """Return a date with a year as ISO text where its order is sure, else as written."""
    parts = {one.lastgroup: one[0] for one in _WORDY.finditer(text)}
    if set(parts) != {"month", "year", "day"}:
        return text
    month = _MONTHS.index(parts["month"][:3].lower()) + 1
    try:
        return date(int(parts["year"]), month, int(parts["day"])).isoformat()
    except ValueError:
        return text


_READERS: dict[str, Callable[[str], Any]] = {
    "text": lambda text: text[1:-1],
    "list": _listed,
    "number": _number,
    "date": _date,
    "name": lambda text: text.rstrip(".'\u2019-"),
}
