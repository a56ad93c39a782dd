"""References in fields: templates hold `{{ expression }}`, expression fields hold one expression.

The result of a template is never scanned again. `{{secret:name}}` stays as it is: a handle that
only the egress client fills.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from pilot.egress.handles import HANDLE
from pilot.engine.expressions import Compiled, Expression, Scope, compile_expression
from pilot.engine.expressions.texts import as_text
from pilot.engine.expressions.tokens import MAX_CHARACTERS, tokens
from pilot.errors import ErrorClass, ExpressionError

Formats = Mapping[tuple[str, ...], str]
MAX_TEXT = 1_000_000
MAX_CODE = 4 * MAX_CHARACTERS  # searched for the }} of one expression
# Quoted text may hold }}. Nothing is tried twice (++, ?>), so that hostile text takes no time.
_CODE = re.compile(
    r"""\{\{((?>'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"|(?!\}\}).)*+)\}\}""", re.DOTALL
)


@dataclass(frozen=True)
class Composed:
    """Several compiled parts as one value."""

    text: str
    reads: frozenset[tuple[str | int, ...]]
    parts: Any  # a plain value, or a list or dict of compiled parts

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
            value = self.pieces[0].evaluate(scope)
            return self._escaped(self.pieces[0], value, 0) if isinstance(value, str) else value
        text = "".join(
            piece
            if isinstance(piece, str)
            else self._escaped(piece, as_text(piece.evaluate(scope)), place)
            for place, piece in enumerate(self.pieces)
        )
        if len(text) > MAX_TEXT:
            message = f"The text has {len(text):,} characters; 1,000,000 is the limit."
            raise ExpressionError(message, error_class=ErrorClass.LIMIT)
        return text

    def _escaped(self, piece: Expression, value: str, place: int) -> str:
        """Escape a value for the format of its parameter.

        What steps rendered is HTML already; what an address begins with is an address itself.
        """
        if self.escape == "uri":
            return quote(value, safe="") if place else value
        rendered = {("steps", name, "output", "text") for name in self.html_steps}
        if self.escape is None or (piece.reads and piece.reads <= rendered):
            return value
        return html.escape(value)


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


def handles(text: str) -> list[str]:
    """Return the names of the secrets that stand in a template itself, not in its expressions.

    Raises:
        ExpressionError: an expression in it is not right.
    """
    names, at = [], 0
    while at < len(text):
        piece, at = _piece(text, at)
        found = HANDLE.fullmatch(piece) if isinstance(piece, str) else None
        names += [found[1]] if found else []
    return names


def calls(text: str) -> set[str]:
    """Return the names of the functions that the expressions in a template call.

    Raises:
        ExpressionError: an expression in it is not right.
    """
    names, at = set(), 0
    while at < len(text):
        piece, at = _piece(text, at)
        found = tokens(piece.text) if isinstance(piece, Expression) else []
        names |= {
            one.value
            for one, after in pairwise(found)
            if (one.kind, after.kind, after.value) == ("name", "mark", "(")
        }
    return names


def _text_template(
    text: str, escape: str | None, html_steps: frozenset[str] = frozenset()
) -> Compiled:
    pieces: list[str | Expression] = []
    at = 0
    while at < len(text):
        piece, at = _piece(text, at)
        pieces.append(piece)
    if all(isinstance(piece, str) for piece in pieces):
        return Composed(text, frozenset(), "".join(str(piece) for piece in pieces))
    reads = _reads(piece for piece in pieces if isinstance(piece, Expression))
    return Template(text, reads, tuple(pieces), escape, html_steps)


def _piece(text: str, at: int) -> tuple[str | Expression, int]:
    """Return the piece that begins here, plain text or an expression, and where the next begins."""
    start = text.find("{{", at)
    if start < 0:
        return text[at:], len(text)
    if start > 0 and text[start - 1] == "\\":
        return text[at : start - 1] + "{{", start + 2
    if start > at:
        return text[at:start], start
    secret = HANDLE.match(text, start)
    if secret is not None:
        return secret.group(), secret.end()
    found = _CODE.match(text, start, start + MAX_CODE)
    if found is None:
        message = "This {{ has no }}: write \\{{ for literal braces."
        raise ExpressionError(message, start + 1)
    code = found.group(1)
    try:
        return compile_expression(code.strip()), found.end()
    except ExpressionError as error:
        column = found.start(1) + len(code) - len(code.lstrip()) + (error.column or 1)
        raise ExpressionError(error.message, column, error_class=error.error_class) from None


def compile_field(value: Any) -> Compiled:
    """Compile an expression field: one expression, or JSON whose texts are expressions.

    `"{{ e }}"` equals `e`; a text with `{{` inside other text is a template.

    Raises:
        ExpressionError: an expression in it is not right.
    """
    if isinstance(value, str):
        if "{{" not in value:
            return compile_expression(value)
        compiled = _text_template(value.strip(), None)
        alone = isinstance(compiled, Template) and len(compiled.pieces) == 1
        return compiled if alone else _text_template(value, None)
    if isinstance(value, dict):
        parts = {key: compile_field(one) for key, one in value.items()}
        return Composed("", _reads(parts.values()), parts)
    if isinstance(value, list):
        items = [compile_field(one) for one in value]
        return Composed("", _reads(items), items)
    return Composed(as_text(value), frozenset(), value)
