"""References in fields: templates hold `{{ expression }}`, expression fields hold one expression.

The result of a template is never scanned again. `{{secret:name}}` stays as it is: a handle that
only the egress client fills.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pilot.engine.expressions import Compiled, Expression, Scope, compile_expression
from pilot.engine.expressions.texts import as_text
from pilot.errors import ExpressionError

Formats = Mapping[tuple[str, ...], str]
MAX_TEXT = 1_000_000
_PIECE = re.compile(
    r"""\\\{\{ | \{\{secret:[A-Za-z0-9_.-]{1,100}\}\} |
        \{\{(?P<code>(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?!\}\}).)*)\}\}""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Composed:
    """Several compiled parts as one value."""

    text: str
    reads: frozenset[tuple[str | int, ...]]
    parts: Any  # a plain value, or a list or dict of compiled parts
    escape: str | None = None

    def evaluate(self, scope: Scope) -> Any:
        """Return the value with all references replaced."""
        if isinstance(self.parts, dict):
            return {key: part.evaluate(scope) for key, part in self.parts.items()}
        if isinstance(self.parts, list):
            return [part.evaluate(scope) for part in self.parts]
        return self.parts


@dataclass(frozen=True)
class Template:
    """Text with expressions in it."""

    text: str
    reads: frozenset[tuple[str | int, ...]]
    pieces: tuple[str | Expression, ...]
    escape: str | None
    html_steps: frozenset[str] = frozenset()

    def evaluate(self, scope: Scope) -> Any:
        """Return the text; a template that is one expression keeps the type of its value.

        Raises:
            ExpressionError: a reference is missing, or the text grows too long.
        """
        if len(self.pieces) == 1 and isinstance(self.pieces[0], Expression):
            return self._escaped(self.pieces[0], scope)
        text = "".join(
            piece if isinstance(piece, str) else as_text(self._escaped(piece, scope))
            for piece in self.pieces
        )
        if len(text) > MAX_TEXT:
            raise ExpressionError(f"The text has {len(text):,} characters; 1,000,000 is the limit.")
        return text

    def _escaped(self, piece: Expression, scope: Scope) -> Any:
        """Escape a value for the format of its parameter; what steps rendered is HTML already."""
        value = piece.evaluate(scope)
        if not isinstance(value, str) or self.escape is None:
            return value
        if self.escape == "uri":
            return quote(value, safe="")
        rendered = {("steps", name, "output", "text") for name in self.html_steps}
        return value if piece.reads and piece.reads <= rendered else html.escape(value)


def compile_template(
    value: Any, *, formats: Formats | None = None, html_steps: frozenset[str] = frozenset()
) -> Compiled:
    """Compile a template field: JSON whose texts may hold `{{ expression }}`.

    `formats` names parameters (by path) whose values are escaped: html or uri. The text that one of
    `html_steps` rendered is HTML already.

    Raises:
        ExpressionError: an expression in it is not right.
    """
    return _template(value, _Escapes(dict(formats or {}), html_steps), ())


@dataclass(frozen=True)
class _Escapes:
    formats: Formats
    html_steps: frozenset[str]


def _template(value: Any, escapes: _Escapes, at: tuple[str, ...]) -> Compiled:
    if isinstance(value, str):
        return _text_template(value, escapes.formats.get(at), escapes.html_steps)
    if isinstance(value, dict):
        parts = {key: _template(one, escapes, (*at, str(key))) for key, one in value.items()}
        return Composed("", _reads(parts.values()), parts)
    if isinstance(value, list):
        items = [_template(one, escapes, at) for one in value]
        return Composed("", _reads(items), items)
    return Composed(as_text(value), frozenset(), value)


def _reads(parts: Any) -> frozenset[tuple[str | int, ...]]:
    return frozenset().union(*(part.reads for part in parts))


def _text_template(
    text: str, escape: str | None, html_steps: frozenset[str] = frozenset()
) -> Compiled:
    pieces: list[str | Expression] = []
    end = 0
    for match in _PIECE.finditer(text):
        if match.start() > end:
            pieces.append(_plain(text, end, match.start()))
        pieces.append(_piece(match))
        end = match.end()
    if end < len(text):
        pieces.append(_plain(text, end, len(text)))
    if all(isinstance(piece, str) for piece in pieces):
        return Composed(text, frozenset(), "".join(str(piece) for piece in pieces))
    reads = _reads(piece for piece in pieces if isinstance(piece, Expression))
    return Template(text, reads, tuple(pieces), escape, html_steps)


def _plain(text: str, start: int, end: int) -> str:
    piece = text[start:end]
    if "{{" in piece:
        column = start + piece.index("{{") + 1
        raise ExpressionError("This {{ has no }}: write \\{{ for literal braces.", column)
    return piece


def _piece(match: re.Match[str]) -> str | Expression:
    code = match.group("code")
    if code is None:
        return match.group().removeprefix("\\")
    try:
        return compile_expression(code.strip())
    except ExpressionError as error:
        lead = len(code) - len(code.lstrip())
        column = match.start("code") + lead + (error.column or 1)
        raise ExpressionError(error.message, column, error_class=error.error_class) from None


def compile_field(value: Any) -> Compiled:
    """Compile an expression field: one expression, or JSON whose texts are expressions.

    `"{{ e }}"` equals `e`; a text with `{{` inside other text is a template.

    Raises:
        ExpressionError: an expression in it is not right.
    """
    if isinstance(value, str):
        return _text_template(value, None) if "{{" in value else compile_expression(value)
    if isinstance(value, dict):
        parts = {key: compile_field(one) for key, one in value.items()}
        return Composed("", _reads(parts.values()), parts)
    if isinstance(value, list):
        items = [compile_field(one) for one in value]
        return Composed("", _reads(items), items)
    return Composed(as_text(value), frozenset(), value)
