"""The JSON value in a model's answer: strictly decoded, out of fences and chatter if need be."""

import re
from typing import Any

from pilot import strictjson
from pilot.errors import BadJsonError

MAX_BYTES = 1024 * 1024
_FENCE = re.compile(r"```[a-zA-Z0-9]*[ \t]*\n(.*?)```", re.DOTALL)
# A text without its closing quote goes on to the end: one pass, whatever is in it.
_DOUBLE = r'"(?:[^"\\]++|\\.)*+"?'
_SINGLE = r"'(?:[^'\\]++|\\.)*+'?"
_OUTSIDE = re.compile(rf"{_DOUBLE}|[\[\]{{}}]", re.DOTALL)  # an apostrophe is a letter of prose
_COMMENT = r"//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?"
_INSIDE = re.compile(rf"{_DOUBLE}|{_SINGLE}|{_COMMENT}|[\[\]{{}}]", re.DOTALL)
_LITERAL = re.compile(
    rf"(?P<double>{_DOUBLE})|(?P<single>{_SINGLE})|(?P<word>\b(?:None|True|False)\b)"
    rf"|(?P<comma>,)(?=\s*+[\]}}])|(?P<comment>{_COMMENT})",
    re.DOTALL,
)
_QUOTES = re.compile(r'\\.|"', re.DOTALL)
_BREAKS = re.compile(r"[\n\r\t]")
_WORDS = {"None": "null", "True": "true", "False": "false"}


def json_value(text: str) -> Any:
    """Return the one JSON value that an answer holds.

    Single quotes, Python's None, True and False, commas before a closing bracket, comments, and
    line breaks within texts are read as what they mean; keys that occur twice, NaN and the like are
    refused in any spelling. Nothing is completed: what was cut off is no value.

    Raises:
        BadJsonError: there is none, or there are several; the message may go back to the model.
    """
    stripped = text.strip()
    if not stripped:
        raise BadJsonError("The answer is empty.")
    try:
        return _value(stripped)
    except BadJsonError:
        if len(stripped) > MAX_BYTES:
            raise
        found = [one.strip() for one in _FENCE.findall(stripped)] or list(_balanced(stripped))
        if len(found) > 1:
            raise BadJsonError("The answer holds several JSON values: give one.") from None
        if not found or found[0] == stripped:
            raise
        return _value(found[0])


def _value(text: str) -> Any:
    """Decode a text strictly, else as a literal of Python or JavaScript; tell the first fault."""
    try:
        return strictjson.loads(text, max_bytes=MAX_BYTES)
    except BadJsonError:
        if len(text) > MAX_BYTES:
            raise
        as_json = _LITERAL.sub(_json, text)
        if as_json == text:
            raise
        return strictjson.loads(as_json, max_bytes=MAX_BYTES)


def _json(found: re.Match[str]) -> str:
    """Return a piece of a literal as JSON writes it."""
    piece = found.group()
    match found.lastgroup:
        case "single" if piece.endswith("'") and len(piece) > 1:
            return _unbroken(f'"{_QUOTES.sub(_requoted, piece[1:-1])}"')
        case "double":
            return _unbroken(piece)
        case "word":
            return _WORDS[piece]
        case "comma" | "comment":
            return ""
    return piece


def _unbroken(text: str) -> str:
    return _BREAKS.sub(lambda found: strictjson.dumps(found.group())[1:-1], text)


def _requoted(found: re.Match[str]) -> str:
    return {'"': '\\"', "\\'": "'"}.get(found.group(), found.group())


def _balanced(text: str) -> list[str]:
    """Return the outermost objects and lists in a text; none if a bracket has no partner.

    Then a part of the answer is missing, and what is left would pass for the whole.
    """
    found: list[str] = []
    depth, begin, at = 0, 0, 0
    while mark := (_INSIDE if depth else _OUTSIDE).search(text, at):
        at = mark.end()
        if mark.group() in "[{":
            begin = mark.start() if depth == 0 else begin
            depth += 1
        elif mark.group() in "]}":
            depth -= 1
            if depth < 0:
                return []
            if depth == 0:
                found.append(text[begin:at])
    return [] if depth else found
