"""Reads and shows dates with the functions that expressions have, so that both agree."""

import re

from pilot.engine.expressions import FUNCTIONS, Scope
from pilot.errors import ExpressionError, type_json

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?")
_TOKENS = re.compile(r"YYYY|MMM|MM|DD|HH|mm|ss")


def is_iso(text: str) -> bool:
    """Say whether a text has the form of an ISO date, with or without a time."""
    return _ISO.fullmatch(text.strip()) is not None


def check_pattern(pattern: str, *, whole: bool) -> str:
    """Return a pattern such as DD.MM.YYYY or DD.MM.YYYY HH:mm.

    Args:
        pattern: the date format.
        whole: it must name day, month and year, so that dates can be read by it.

    Raises:
        ValueError: it has not the parts it needs, one of them twice, or other letters.
    """
    parts = _TOKENS.findall(pattern)
    letters = [letter for letter in _TOKENS.sub("", pattern) if letter.isalnum()]
    if not parts or len(set(parts)) < len(parts) or {"MM", "MMM"} <= set(parts):
        raise ValueError(f"{pattern!r} is no date format, such as YYYY-MM-DD or DD.MM.YYYY HH:mm.")
    if letters not in ([], ["T"]):
        raise ValueError(f"{pattern!r}: a date format has YYYY MM MMM DD HH mm ss and signs only.")
    if whole and not ({"YYYY", "DD"} <= set(parts) and {"MM", "MMM"} & set(parts)):
        raise ValueError(f"{pattern!r} does not name year, month and day.")
    return pattern


def read_date(text: str, pattern: str, scope: Scope) -> type_json:
    """Return an ISO text for one written by a pattern, or None if it is not.

    An ISO text is read too, since spreadsheets give real dates as such; unless the pattern begins
    with the year, where 2026-05-14 could be both.
    """
    found = _called("date", scope, text, pattern) if pattern else _called("date", scope, text)
    if found is None and pattern and not pattern.startswith("YYYY") and is_iso(text):
        found = _called("date", scope, text)
    return found


def show_date(value: type_json, pattern: str, scope: Scope) -> str | None:
    """Return an ISO date written by a pattern, or None if it is none."""
    shown = _called("format_date", scope, value, pattern) if isinstance(value, str) else None
    return shown if isinstance(shown, str) else None


def _called(function: str, scope: Scope, *arguments: type_json) -> type_json:
    try:
        return FUNCTIONS[function].run(scope, *arguments)
    except ExpressionError:
        return None
