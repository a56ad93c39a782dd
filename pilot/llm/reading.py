"""The JSON value in a model's answer: strictly decoded, out of fences and chatter if need be."""

import re
from typing import Any

from pilot import strictjson
from pilot.errors import BadJsonError

MAX_BYTES = 1024 * 1024
_FENCE = re.compile(r"```[a-zA-Z0-9]*[ \t]*\n(.*?)```", re.DOTALL)
_MARKS = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)


def json_value(text: str) -> Any:
    """Return the one JSON value that an answer holds.

    Raises:
        BadJsonError: there is none, or there are several; the message may go back to the model.
    """
    stripped = text.strip()
    if not stripped:
        raise BadJsonError("The answer is empty.")
    try:
        return strictjson.loads(stripped, max_bytes=MAX_BYTES)
    except BadJsonError:
        found = [one.strip() for one in _FENCE.findall(stripped)] or list(_balanced(stripped))
        if len(found) > 1:
            raise BadJsonError("The answer holds several JSON values: give one.") from None
        if not found or found[0] == stripped:
            raise
        return strictjson.loads(found[0], max_bytes=MAX_BYTES)


def _balanced(text: str) -> list[str]:
    """Return the outermost objects and lists in a text."""
    found: list[str] = []
    depth, begin = 0, 0
    for mark in _MARKS.finditer(text):
        if mark.group() in "[{":
            begin = mark.start() if depth == 0 else begin
            depth += 1
        elif mark.group() in "]}" and depth:
            depth -= 1
            if depth == 0:
                found.append(text[begin : mark.end()])
    return found
