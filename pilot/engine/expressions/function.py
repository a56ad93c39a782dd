"""What the language knows of a function besides its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pilot.engine.expressions.scope import MAX_WORK
from pilot.engine.expressions.values import MAX_SIZE, size_of, work_of


def once(*_arguments: Any) -> int:
    """Return the work of a function that looks at nothing inside its arguments."""
    return 1


def through(*arguments: Any) -> int:
    """Return the work of a function that goes through its arguments."""
    return 1 + sum(size_of(one) for one in arguments)


def deep(*arguments: Any) -> int:
    """Return the work of a function that goes through its arguments at every depth."""
    return 1 + sum(work_of(one, MAX_WORK) for one in arguments)


@dataclass(frozen=True)
class Function:
    """One function of the language.

    `run` takes the values, or, if `lazy`, the scope and the closures of its arguments. `most` is
    the number of arguments it takes at most. A text or list that it makes has at most `most_size`
    characters or elements; None: it only gives back what it was given, or a part of it.
    """

    run: Callable[..., Any]
    least: int
    most: int
    doc: str
    null_is_null: bool = True  # null as first argument gives null
    takes_scope: bool = False
    lazy: bool = False
    cost: Callable[..., int] = through
    most_size: int | None = MAX_SIZE
