"""The expression language: bounded by its text, without side effects, never code.

An expression compiles to closures and tells which paths it reads.
"""

from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

from pilot.engine.expressions.function import Function
from pilot.engine.expressions.functions import FUNCTIONS
from pilot.engine.expressions.parser import Closure, Parser
from pilot.engine.expressions.scope import Scope
from pilot.engine.expressions.values import NullOperandError

__all__ = [
    "FUNCTIONS",
    "ROOTS",
    "Compiled",
    "Expression",
    "Function",
    "NullOperandError",
    "Scope",
    "compile_expression",
]

ROOTS = frozenset(
    {"inputs", "steps", "item", "index", "loop", "memory", "execution", "error", "event"}
)


@runtime_checkable
class Compiled(Protocol):
    """Something that can be evaluated, and tells what it reads."""

    @property
    def text(self) -> str:
        """The source, as printed."""

    @property
    def reads(self) -> frozenset[tuple[str | int, ...]]:
        """The paths that it reads."""

    def evaluate(self, scope: Scope) -> Any:
        """Return the value in a scope."""


class Expression:
    """One compiled expression."""

    __slots__ = ("_nodes", "_run", "reads", "text")

    def __init__(
        self, text: str, reads: frozenset[tuple[str | int, ...]], run: Closure, nodes: int
    ) -> None:
        """Keep what was compiled."""
        self.text = text
        self.reads = reads
        self._run = run
        self._nodes = nodes

    def evaluate(self, scope: Scope) -> Any:
        """Return the value in a scope.

        Raises:
            ExpressionError: a path is missing (class reference), or values do not fit.
        """
        own = Scope(scope.roots, scope.now, scope.zone)  # with work of its own
        own.work.spend(self._nodes)
        return self._run(own)


@lru_cache(maxsize=10_000)
def compile_expression(text: str, *, roots: frozenset[str] | None = None) -> Expression:
    """Compile an expression; `roots` are the names that paths may begin with, without it any.

    Which roots there are depends on where a step stands: loops name their items.

    Raises:
        ExpressionError: syntax, an unknown name or a bound, with its column.
    """
    parser = Parser(text, roots)
    run = parser.parse()
    return Expression(text, frozenset(parser.reads), run, parser.nodes)
