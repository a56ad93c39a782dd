"""Reading paths: keys of objects and indices of lists, never attributes."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any

from pilot.engine.expressions.scope import Scope
from pilot.errors import ErrorClass, ExpressionError

Path = tuple[str | int, ...]
SHOWN = 10
COMPARED = 200  # names among which the nearest is looked for
MAX_NAME = 60


def printed(path: Iterable[str | int]) -> str:
    """Return a path as it is written in expressions."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.isidentifier() and part.isascii():
            text += f".{part}" if text else part
        else:
            text += "['" + part.replace("\\", "\\\\").replace("'", "\\'") + "']"
    return text


def reader(path: Path) -> Callable[[Scope], Any]:
    """Return a closure that reads a path; a missing part is an error that names what is there."""
    root, rest = path[0], path[1:]

    def read(scope: Scope) -> Any:
        try:
            value = scope.roots[str(root)]
            for part in rest:
                value = _member(value, part)
        except (KeyError, IndexError, TypeError):
            raise _missing(path, scope) from None
        return value

    return read


def _member(value: Any, part: str | int) -> Any:
    """Return a key of an object or an index of a list; nothing else has members."""
    if isinstance(part, str) is not isinstance(value, Mapping) or isinstance(value, str):
        raise KeyError(part)
    return value[part]


def _missing(path: Path, scope: Scope) -> ExpressionError:
    value: Any = scope.roots
    for place, part in enumerate(path):
        try:
            value = _member(value, part)
        except (KeyError, IndexError, TypeError):
            return _error(path, place, value)
    return _error(path, len(path) - 1, value)


def _error(path: Path, place: int, value: Any) -> ExpressionError:
    where, part = printed(path[:place]), path[place]
    if not where:
        return ExpressionError(f"There is no {part} here.", error_class=ErrorClass.REFERENCE)
    if isinstance(value, Mapping):
        present = [str(one)[:MAX_NAME] for one in islice(value, COMPARED)]
        near = get_close_matches(str(part)[:MAX_NAME], present, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        text = f"{where} has no {part!r}.{hint} Present: {', '.join(present[:SHOWN]) or 'nothing'}."
    elif isinstance(value, list):
        text = f"{where} is a list of {len(value)}: there is no [{part}]."
    else:
        text = f"{where} has no {part!r}: it is {'null' if value is None else 'a plain value'}."
    return ExpressionError(text, error_class=ErrorClass.REFERENCE)


def unknown_root(name: str, column: int, roots: Iterable[str]) -> ExpressionError:
    """Return the error for a name that is no root: a text without quotes, often."""
    near = get_close_matches(name[:MAX_NAME], list(roots), 1)
    hint = f"did you mean {near[0]}?" if near else f"text needs quotes: '{name}'."
    known = ", ".join(sorted(roots))
    return ExpressionError(f"There is no {name!r} here: {hint} Known: {known}.", column)


def unknown_function(name: str, column: int, known: Iterable[str]) -> ExpressionError:
    """Return the error for a function that does not exist."""
    near = get_close_matches(name[:MAX_NAME], list(known), 3)
    hint = f" Nearest: {', '.join(near)}." if near else ""
    return ExpressionError(f"There is no function {name}().{hint}", column)
