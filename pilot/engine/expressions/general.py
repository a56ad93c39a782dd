"""Functions on any value; these alone accept paths that are missing, or choose what is read."""

from collections.abc import Callable
from typing import Any

from pilot.engine.expressions.function import Function, once
from pilot.engine.expressions.scope import Scope
from pilot.engine.expressions.texts import as_json
from pilot.engine.expressions.values import boolean, kind
from pilot.errors import ErrorClass, ExpressionError

Argument = Callable[[Scope], Any]


def _known(scope: Scope, argument: Argument) -> Any:
    """Return a value, or None if a path in it is missing at any depth."""
    try:
        return argument(scope)
    except ExpressionError as error:
        if error.error_class is not ErrorClass.REFERENCE:
            raise
        return None


def exists(scope: Scope, argument: Argument) -> bool:
    """Whether a path is there and not null."""
    return _known(scope, argument) is not None


def is_empty(scope: Scope, argument: Argument) -> bool:
    """Whether a value is missing or null, or has nothing in it."""
    value = _known(scope, argument)
    return value is None or (isinstance(value, str | list | dict) and not value)


def default(scope: Scope, argument: Argument, other: Argument) -> Any:
    """Return a value, or another one if it is missing or null."""
    value = _known(scope, argument)
    return other(scope) if value is None else value


def coalesce(scope: Scope, *arguments: Argument) -> Any:
    """Return the first value that is not null."""
    return next((one for one in (give(scope) for give in arguments) if one is not None), None)


def if_else(scope: Scope, condition: Argument, yes: Argument, no: Argument) -> Any:
    """Return one of two values; the other one is not computed."""
    return yes(scope) if boolean(condition(scope)) else no(scope)


def length(value: Any) -> int:
    """Return the number of characters, elements or keys."""
    if isinstance(value, str | list | dict):
        return len(value)
    raise ExpressionError(f"len() needs a text, list or object, not a {kind(value)}.")


def _lazy(run: Callable[..., Any], least: int, most: int, doc: str) -> Function:
    return Function(run, least, most, doc, null_is_null=False, lazy=True, most_size=None)


TABLE = {
    "exists": _lazy(exists, 1, 1, "Whether a path is there and not null."),
    "default": _lazy(default, 2, 2, "The value, or another one if it is missing or null."),
    "coalesce": _lazy(coalesce, 1, 20, "The first argument that is not null."),
    "is_empty": _lazy(is_empty, 1, 1, 'Whether a value is missing, null, "", [] or {}.'),
    "type": Function(
        kind,
        1,
        1,
        "null, boolean, number, text, list or object.",
        null_is_null=False,
        cost=once,
    ),
    "len": Function(length, 1, 1, "Characters, elements or keys.", cost=once),
    "if_else": _lazy(if_else, 3, 3, "The second argument if the first is true, else the third."),
    "json": Function(as_json, 1, 1, "The value as JSON text.", null_is_null=False),
}
