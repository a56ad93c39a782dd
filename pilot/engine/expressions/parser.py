"""The grammar: precedence climbing over tokens, compiled to closures. Nothing is ever executed."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from pilot.engine.expressions import paths
from pilot.engine.expressions.function import Function
from pilot.engine.expressions.functions import FUNCTIONS
from pilot.engine.expressions.scope import MAX_WORK, Scope
from pilot.engine.expressions.texts import compile_pattern
from pilot.engine.expressions.tokens import Token, tokens
from pilot.engine.expressions.values import (
    MAX_INTEGER,
    MAX_SIZE,
    arithmetic,
    boolean,
    check_size,
    compare,
    contains,
    equal,
    size_of,
    work_of,
)
from pilot.errors import ExpressionError

MAX_NODES = 200
MAX_DEPTH = 32
Closure = Callable[[Scope], Any]
CONSTANTS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
WORDS = frozenset({"and", "or", "not", "in"})
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})


class Parser:
    """Parses one expression; keeps the paths that it reads, and counts its nodes."""

    def __init__(self, source: str, roots: frozenset[str] | None) -> None:
        """Read `source`, whose paths begin with one of `roots`, or with any name."""
        self._tokens = tokens(source)
        self._at = 0
        self.nodes = 0
        self._depth = 0
        self._roots = roots
        self.reads: set[tuple[str | int, ...]] = set()

    def parse(self) -> Closure:
        """Return the closure of the whole expression.

        Raises:
            ExpressionError: with the column of the first fault.
        """
        if self._token.kind == "end":
            raise ExpressionError("The expression is empty.", 1)
        found = self._or()
        if self._token.kind != "end":
            raise self._unexpected()
        return found

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._token
        self._at += 1
        return token

    def _is(self, *values: str) -> bool:
        return self._token.kind in {"mark", "name"} and self._token.value in values

    def _expect(self, mark: str) -> None:
        if not self._is(mark):
            raise ExpressionError(f"{mark!r} is missing here.", self._token.column)
        self._take()

    def _unexpected(self) -> ExpressionError:
        token = self._token
        if token.kind == "end":
            return ExpressionError("The expression ends too early.", token.column)
        if token.value in COMPARISONS:
            return ExpressionError("Comparisons cannot be chained: use and.", token.column)
        return ExpressionError(f"{token.value[:40]!r} is not expected here.", token.column)

    def _node(self, run: Closure) -> Closure:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise ExpressionError(
                f"The expression has more than {MAX_NODES} parts.", self._token.column
            )
        return run

    def _or(self) -> Closure:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(
                f"The expression is nested deeper than {MAX_DEPTH} levels.", self._token.column
            )
        left = self._and()
        while self._is("or"):
            self._take()
            left = self._node(_either(left, self._and()))
        self._depth -= 1
        return left

    def _and(self) -> Closure:
        left = self._not()
        while self._is("and"):
            self._take()
            left = self._node(_both(left, self._not()))
        return left

    def _not(self) -> Closure:
        turns = 0
        while self._is("not"):
            self._take()
            turns += 1
        found = self._comparison()
        for _ in range(turns):
            found = self._node(_negated(found))
        return found

    def _comparison(self) -> Closure:
        left = self._sum()
        token = self._token
        if token.kind == "mark" and token.value in COMPARISONS:
            self._take()
            return self._node(_compared(token.value, left, self._sum()))
        if self._is("in"):
            self._take()
            return self._node(_inside(left, self._sum()))
        following = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if self._is("not") and (following.kind, following.value) == ("name", "in"):
            self._at += 2
            return self._node(_negated(_inside(left, self._sum())))
        return left

    def _sum(self) -> Closure:
        left = self._product()
        while self._is("+", "-"):
            left = self._node(_computed(self._take().value, left, self._product()))
        return left

    def _product(self) -> Closure:
        left = self._unary()
        while self._is("*", "/", "%"):
            left = self._node(_computed(self._take().value, left, self._unary()))
        return left

    def _unary(self) -> Closure:
        signs = 0
        while self._is("-"):
            self._take()
            signs += 1
        found = self._primary()
        for _ in range(signs):
            found = self._node(_minus(found))
        return found

    def _primary(self) -> Closure:
        token = self._take()
        if token.kind == "number":
            return self._node(_constant(_literal(token)))
        if token.kind == "text":
            return self._node(_constant(token.value))
        if token.kind == "mark" and token.value == "(":
            found = self._or()
            self._expect(")")
            return found
        if token.kind == "mark" and token.value == "[":
            return self._node(_listed(self._arguments("]")))
        if token.kind == "name" and token.value not in WORDS:
            return self._named(token)
        self._at -= 1
        raise self._unexpected()

    def _named(self, token: Token) -> Closure:
        if self._is("("):
            self._take()
            return self._call(token)
        if token.value in CONSTANTS:
            return self._node(_constant(CONSTANTS[token.value]))
        if self._roots is not None and token.value not in self._roots:
            raise paths.unknown_root(token.value, token.column, self._roots)
        path: list[str | int] = [token.value]
        while self._is(".", "["):
            path.append(self._member())
        found = tuple(path)
        self.reads.add(found)
        return self._node(paths.reader(found))

    def _member(self) -> str | int:
        if self._take().value == ".":
            token = self._take()
            if token.kind != "name":
                raise ExpressionError("A name is missing after the point.", token.column)
            if self._is("("):
                raise ExpressionError("There are no methods: write name(value).", token.column)
            return token.value
        sign = 1
        if self._is("-"):
            self._take()
            sign = -1
        token = self._take()
        if token.kind == "text" and sign == 1:
            self._expect("]")
            return token.value
        if token.kind != "number" or "." in token.value or len(token.value) > 15:
            raise ExpressionError("[...] holds a whole number or a text.", token.column)
        self._expect("]")
        return sign * int(token.value)

    def _arguments(self, closing: str) -> list[Closure]:
        found: list[Closure] = []
        if self._is(closing):
            self._take()
            return found
        while True:
            found.append(self._or())
            if self._is(","):
                self._take()
                continue
            self._expect(closing)
            return found

    def _call(self, token: Token) -> Closure:
        function = FUNCTIONS.get(token.value)
        if function is None:
            raise paths.unknown_function(token.value, token.column, FUNCTIONS)
        first = self._token
        arguments = self._arguments(")")
        if not function.least <= len(arguments) <= function.most:
            wanted = (
                str(function.least)
                if function.least == function.most
                else f"{function.least} to {function.most}"
            )
            text = f"{token.value}() takes {wanted} arguments, not {len(arguments)}."
            raise ExpressionError(text, token.column)
        if token.value == "matches":
            self._check_pattern(first)
        return self._node(_called(function, arguments))

    def _check_pattern(self, first: Token) -> None:
        last = self._tokens[self._at - 2]
        before = self._tokens[self._at - 3]
        if last.kind != "text" or before.value != ",":
            raise ExpressionError("The pattern of matches() must be a literal.", first.column)
        try:
            compile_pattern(last.value)
        except ExpressionError as error:
            raise ExpressionError(error.message, last.column) from None


def _literal(token: Token) -> int | float:
    # The length first: a long text takes long to be read as a number.
    if len(token.value.partition(".")[0]) > 16 or Decimal(token.value) > MAX_INTEGER:
        raise ExpressionError("The number is beyond 2^53.", token.column)
    return float(token.value) if "." in token.value else int(token.value)


def _constant(value: Any) -> Closure:
    return lambda _scope: value


def _either(left: Closure, right: Closure) -> Closure:
    return lambda scope: boolean(left(scope)) or boolean(right(scope))


def _both(left: Closure, right: Closure) -> Closure:
    return lambda scope: boolean(left(scope)) and boolean(right(scope))


def _negated(inner: Closure) -> Closure:
    return lambda scope: not boolean(inner(scope))


def _compared(operator: str, left: Closure, right: Closure) -> Closure:
    match operator:
        case "==":
            return _equal(left, right)
        case "!=":
            same = _equal(left, right)
            return lambda scope: not same(scope)
        case "<":
            return lambda scope: compare(left(scope), right(scope), scope.zone) < 0
        case "<=":
            return lambda scope: compare(left(scope), right(scope), scope.zone) <= 0
        case ">":
            return lambda scope: compare(left(scope), right(scope), scope.zone) > 0
        case _:
            return lambda scope: compare(left(scope), right(scope), scope.zone) >= 0


def _equal(left: Closure, right: Closure) -> Closure:
    def run(scope: Scope) -> bool:
        a, b = left(scope), right(scope)
        if isinstance(a, dict | list) and type(a) is type(b):
            scope.work.spend(2 * work_of(a, MAX_WORK))
        return equal(a, b)

    return run


def _inside(left: Closure, right: Closure) -> Closure:
    def run(scope: Scope) -> bool:
        value, container = left(scope), right(scope)
        if isinstance(value, str):
            scope.work.spend(size_of(container))
        else:
            scope.work.spend(2 * work_of(container, MAX_WORK))
        return contains(container, value)

    return run


def _computed(operator: str, left: Closure, right: Closure) -> Closure:
    return lambda scope: arithmetic(operator, left(scope), right(scope))


def _minus(inner: Closure) -> Closure:
    return lambda scope: arithmetic("-", 0, inner(scope))


def _listed(parts: list[Closure]) -> Closure:
    return lambda scope: [one(scope) for one in parts]


def _called(function: Function, arguments: list[Closure]) -> Closure:
    if function.lazy:
        return lambda scope: function.run(scope, *arguments)
    run = function.run

    def call(scope: Scope) -> Any:
        values = [one(scope) for one in arguments]
        if values and values[0] is None and function.null_is_null:
            return None
        scope.work.spend(function.cost(*values))
        result = run(scope, *values) if function.takes_scope else run(*values)
        if function.most_size is not None:
            _check_result(result, function.most_size)
        return result

    return call


def _check_result(result: Any, most: int) -> None:
    if isinstance(result, str):
        check_size(len(result), "characters", most)
    elif isinstance(result, list):
        check_size(len(result), "elements", MAX_SIZE)
