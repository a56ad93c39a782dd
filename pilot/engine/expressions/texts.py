"""Functions on text."""

import html
from collections.abc import Callable
from typing import Any

import re2

from pilot import strictjson
from pilot.engine.expressions.values import kind, sized
from pilot.errors import ExpressionError

MAX_PATTERN = 200


def as_text(value: Any) -> str:
    """Return a value as it stands in text: null is empty, lists and objects are compact JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else strictjson.dumps(value)


def as_json(value: Any) -> str:
    """Return a value as JSON text."""
    return str(sized(strictjson.dumps(value)))


def need_text(value: Any) -> str:
    """Return a value that must be a text.

    Raises:
        ExpressionError: it is none.
    """
    if not isinstance(value, str):
        raise ExpressionError(f"A text is needed here, not a {kind(value)}: use text().")
    return value


def need_texts(value: Any) -> list[str]:
    """Return a value that must be a list of texts."""
    if not isinstance(value, list):
        raise ExpressionError(f"A list of texts is needed here, not a {kind(value)}.")
    return [need_text(one) for one in value]


def _has(value: Any, part: Any) -> bool:
    """Whether a text has a part, or one of a list's texts has it."""
    if isinstance(value, list):
        return any(need_text(part) in as_text(one) for one in value)
    return need_text(part) in need_text(value)


def substring(text: Any, start: Any, length: Any = None) -> str:
    """Return a part of a text, counted from 0."""
    source = need_text(text)
    if not isinstance(start, int) or not (length is None or isinstance(length, int)):
        raise ExpressionError("substring(text, start, length?) counts in whole numbers.")
    rest = source[max(start, 0) :] if start >= 0 else source[start:]
    return rest if length is None else rest[: max(length, 0)]


def join(items: Any, separator: Any = ", ") -> str:
    """Join a list's elements as texts."""
    if not isinstance(items, list):
        raise ExpressionError(f"join() needs a list, not a {kind(items)}.")
    return str(sized(need_text(separator).join(as_text(one) for one in items)))


def split(text: Any, separator: Any) -> list[str]:
    """Split a text at a separator."""
    if not separator:
        raise ExpressionError("split() needs a separator of at least one character.")
    found: list[str] = sized(need_text(text).split(need_text(separator)))
    return found


def replace(text: Any, old: Any, new: Any) -> str:
    """Replace all occurrences of a part."""
    source, what, by = need_text(text), need_text(old), need_text(new)
    if not what:
        raise ExpressionError("replace() needs a part of at least one character.")
    if source.count(what) * len(by) > 100_000:
        raise ExpressionError("The result of replace() would be too long.")
    return str(sized(source.replace(what, by)))


def matches(text: Any, pattern: Any) -> bool:
    """Whether an RE2 pattern is found in a text."""
    compiled = compile_pattern(need_text(pattern))
    return compiled.search(need_text(text)) is not None


def compile_pattern(pattern: str) -> Any:
    """Compile an RE2 pattern of at most 200 characters.

    Raises:
        ExpressionError: too long, or not RE2.
    """
    if len(pattern) > MAX_PATTERN:
        raise ExpressionError("A pattern has at most 200 characters.")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise ExpressionError(f"This is no RE2 pattern: {error}") from None


TABLE: dict[str, tuple[Callable[..., Any], int, int, str]] = {
    "text": (as_text, 1, 1, "The value as text."),
    "lower": (lambda t: need_text(t).lower(), 1, 1, "In lower case."),
    "upper": (lambda t: need_text(t).upper(), 1, 1, "In upper case."),
    "trim": (lambda t: need_text(t).strip(), 1, 1, "Without spaces at both ends."),
    "contains": (_has, 2, 2, "Whether a text has a part."),
    "contains_any": (
        lambda t, parts: any(_has(t, p) for p in need_texts(parts)),
        2,
        2,
        "Whether a text has one of several parts.",
    ),
    "contains_all": (
        lambda t, parts: all(_has(t, p) for p in need_texts(parts)),
        2,
        2,
        "Whether a text has all of several parts.",
    ),
    "starts_with": (
        lambda t, p: need_text(t).startswith(need_text(p)),
        2,
        2,
        "Whether a text begins with a part.",
    ),
    "ends_with": (
        lambda t, p: need_text(t).endswith(need_text(p)),
        2,
        2,
        "Whether a text ends with a part.",
    ),
    "replace": (replace, 3, 3, "Replaces all occurrences."),
    "split": (split, 2, 2, "The parts between separators."),
    "join": (join, 1, 2, "The elements of a list as one text."),
    "substring": (substring, 2, 3, "A part of a text, counted from 0."),
    "matches": (matches, 2, 2, "Whether an RE2 pattern is found; the pattern is a literal."),
    "html_escape": (lambda t: html.escape(need_text(t)), 1, 1, "Escaped for HTML."),
}
