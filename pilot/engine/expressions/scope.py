"""What an expression may read while it is evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pilot.errors import ErrorClass, ExpressionError

MAX_WORK = 100_000


class Work:
    """Counts the work of one evaluation: a node, a list element, a KiB of text are one each.

    An element that has to be read as number or date, or compared at every depth, counts more, so
    that the same limit keeps every evaluation short.
    """

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_WORK

    def spend(self, units: int) -> None:
        """Take units; the evaluation ends when none are left.

        Raises:
            ExpressionError: the limit is reached.
        """
        self.left -= units
        if self.left < 0:
            text = "The expression does too much work: use a transform for large lists."
            raise ExpressionError(text, error_class=ErrorClass.LIMIT)


@dataclass(frozen=True)
class Scope:
    """The roots by name, the recorded start of the step (aware), and the zone of its days."""

    roots: Mapping[str, Any]
    now: datetime
    zone: ZoneInfo
    work: Work = field(default_factory=Work, compare=False, repr=False)

    def child(self, **roots: Any) -> "Scope":
        """Return this scope with further roots, and work of its own."""
        return Scope({**self.roots, **roots}, self.now, self.zone)
