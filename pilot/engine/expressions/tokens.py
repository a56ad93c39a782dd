"""The tokens of an expression, each with its column."""

import re
import string
from dataclasses import dataclass

from pilot.errors import ExpressionError

MAX_CHARACTERS = 500
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+(?:\.\d+)?(?![\w.]))
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<mark>==|!=|<=|>=|\|\||&&|[-+*/%<>!()\[\],.])
    )""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_ALIASES = {"||": "or", "&&": "and", "!": "not"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `kind` is number, text, name, mark or end. `||` is the mark `or`, and so on."""

    kind: str
    value: str
    column: int


def tokens(source: str) -> list[Token]:
    """Split an expression.

    Raises:
        ExpressionError: it is too long, or a character does not belong into expressions.
    """
    if len(source) > MAX_CHARACTERS:
        text = f"The expression has {len(source):,} characters; {MAX_CHARACTERS} is the limit."
        raise ExpressionError(text, MAX_CHARACTERS + 1)
    found, at, end = [], 0, len(source.rstrip(string.whitespace))
    while at < end:
        match = _TOKEN.match(source, at)
        if match is None or match.lastgroup is None:
            raise _refused(source, at)
        kind, value = match.lastgroup, match.group(match.lastgroup)
        column = match.start(match.lastgroup) + 1
        if kind == "text":
            value = _unescape(value[1:-1], column)
        elif kind == "mark":
            value = _ALIASES.get(value, value)
        found.append(Token(kind, value, column))
        at = match.end()
    return [*found, Token("end", "", len(source) + 1)]


def _refused(source: str, at: int) -> ExpressionError:
    start = at + len(source[at:]) - len(source[at:].lstrip(string.whitespace))
    character = source[start]
    if character in "'\"":
        return ExpressionError("This text has no closing quote.", start + 1)
    if character.isdigit():
        return ExpressionError("This is no number: write it like 12 or 12.5.", start + 1)
    if character == "=":
        return ExpressionError("Compare with == (one = does not exist here).", start + 1)
    if character in "\u2018\u2019\u201c\u201d":
        return ExpressionError("Quote texts with ' or \", not with curved quotes.", start + 1)
    return ExpressionError(f"{character!r} does not belong into an expression.", start + 1)


def _unescape(text: str, column: int) -> str:
    def replace(match: re.Match[str]) -> str:
        code = match.group(1)
        if len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            raise ExpressionError(f"\\{code} is no escape: write \\\\ for a backslash.", column)
        return _ESCAPES[code]

    value = _ESCAPE.sub(replace, text)
    if any("\ud800" <= one <= "\udfff" or one == "\0" for one in value):
        raise ExpressionError("A text may not hold NUL or half a surrogate pair.", column)
    return value
