"""Functions on text; on a list, they mean its elements."""

import html
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

from pilot import strictjson
from pilot.engine.expressions.function import Function, deep
from pilot.engine.expressions.values import (
    MAX_RECASED,
    MAX_SIZE,
    check_size,
    contains,
    decimal,
    least_characters,
    need_list,
    need_text,
    need_whole,
    size_of,
)
from pilot.errors import ExpressionError

MAX_PATTERN = 200
PATTERN_WORK = 10  # of one instruction of a pattern on one KiB of text, at worst


def as_text(value: Any) -> str:
    """Return a value as it stands in text: null is empty, lists and objects are compact JSON.

    Numbers have no exponent: people read them, and comparisons know plain numbers only in texts.
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{decimal(value):f}"
    return value if isinstance(value, str) else strictjson.dumps(value)


def as_json(value: Any) -> str:
    """Return a value as JSON text."""
    check_size(least_characters(value, MAX_SIZE), "characters")
    return strictjson.dumps(value)


def _text(value: Any) -> str:
    return as_json(value) if isinstance(value, dict | list) else as_text(value)


def _has(value: Any, part: Any) -> bool:
    """Whether a text has a part, or a list an element."""
    return contains(value if isinstance(value, list) else need_text(value), part)


def _search(value: Any, part: Any) -> int:
    """Return the work of looking for one part."""
    return deep(value, part) if isinstance(part, dict | list) else 1 + size_of(value)


def _searches(value: Any, parts: Any) -> int:
    """Return the work of looking for several parts."""
    return 1 + sum(_search(value, one) for one in parts) if isinstance(parts, list) else 1


def _some(value: Any, fits: Callable[[str], bool]) -> bool:
    """Whether a text fits, or one of a list's texts."""
    if isinstance(value, list):
        return any(fits(one) for one in value if isinstance(one, str))
    return fits(need_text(value))


def _cased(value: Any, change: Callable[[str], str]) -> Any:
    """Return a text, or a list's texts, changed."""
    if isinstance(value, list):
        check_size(len(value), "elements")
        texts = sum(len(one) for one in value if isinstance(one, str))
        check_size(texts, "characters", MAX_RECASED)
        return [change(one) if isinstance(one, str) else one for one in value]
    return change(need_text(value))


def substring(text: Any, start: Any, length: Any = None) -> str:
    """Return a part of a text, counted from 0, or from its end if below 0."""
    rest = need_text(text)[need_whole(start) :]
    return rest if length is None else rest[: max(need_whole(length), 0)]


def join(items: Any, separator: Any = ", ") -> str:
    """Join a list's elements as texts."""
    between, parts = need_text(separator), need_list(items)
    least = len(between) * (len(parts) - 1)
    check_size(least + least_characters(parts, MAX_SIZE + len(parts)) - len(parts), "characters")
    return between.join(as_text(one) for one in parts)


def split(text: Any, separator: Any) -> list[str]:
    """Split a text at a separator."""
    source, at = need_text(text), need_text(separator)
    if not at:
        raise ExpressionError("split() needs a separator of at least one character.")
    return source.split(at, MAX_SIZE)  # one part more than a list may have is refused


def replace(text: Any, old: Any, new: Any) -> str:
    """Replace all occurrences of a part."""
    source, what, by = need_text(text), need_text(old), need_text(new)
    if not what:
        raise ExpressionError("replace() needs a part of at least one character.")
    check_size(len(source) + source.count(what) * (len(by) - len(what)), "characters")
    return source.replace(what, by)


def escape(text: Any) -> str:
    """Return a text escaped for HTML."""
    source = need_text(text)
    check_size(len(source), "characters")
    return html.escape(source)


def matches(text: Any, pattern: Any) -> bool:
    """Whether an RE2 pattern is found in a text."""
    compiled = compile_pattern(need_text(pattern))
    return _some(text, lambda one: compiled.search(one) is not None)


def _matching(text: Any, pattern: Any) -> int:
    """Return the work of a search: RE2 takes time in proportion to text and pattern."""
    return deep(text) * PATTERN_WORK * int(compile_pattern(need_text(pattern)).programsize)


@lru_cache(maxsize=200)
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
        why = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        raise ExpressionError(f"This is no RE2 pattern: {why}.") from None


TABLE = {
    "text": Function(_text, 1, 1, "The value as text.", most_size=None),
    "lower": Function(
        lambda t: _cased(t, str.lower),
        1,
        1,
        "In lower case; of a list, its texts.",
        most_size=MAX_RECASED,
    ),
    "upper": Function(
        lambda t: _cased(t, str.upper),
        1,
        1,
        "In upper case; of a list, its texts.",
        most_size=MAX_RECASED,
    ),
    "trim": Function(
        lambda t: need_text(t).strip(), 1, 1, "Without spaces at both ends.", most_size=None
    ),
    "contains": Function(
        _has, 2, 2, "Whether a text has a part, or a list an element.", cost=_search
    ),
    "contains_any": Function(
        lambda t, parts: any(_has(t, p) for p in need_list(parts)),
        2,
        2,
        "Whether a text has one of several parts, or a list one of several elements.",
        cost=_searches,
    ),
    "contains_all": Function(
        lambda t, parts: all(_has(t, p) for p in need_list(parts)),
        2,
        2,
        "Whether a text has all of several parts, or a list all of several elements.",
        cost=_searches,
    ),
    "starts_with": Function(
        lambda t, p: _some(t, lambda one: one.startswith(need_text(p))),
        2,
        2,
        "Whether a text, or one of a list's texts, begins with a part.",
    ),
    "ends_with": Function(
        lambda t, p: _some(t, lambda one: one.endswith(need_text(p))),
        2,
        2,
        "Whether a text, or one of a list's texts, ends with a part.",
    ),
    "replace": Function(replace, 3, 3, "Replaces all occurrences."),
    "split": Function(split, 2, 2, "The parts between separators."),
    "join": Function(join, 1, 2, "The elements of a list as one text."),
    "substring": Function(
        substring,
        2,
        3,
        "A part of a text: from a place, counted from 0, and how long.",
        most_size=None,
    ),
    "matches": Function(
        matches,
        2,
        2,
        "Whether an RE2 pattern is found in a text, or in one of a list's; it is a literal.",
        cost=_matching,
    ),
    "html_escape": Function(escape, 1, 1, "Escaped for HTML."),
}
