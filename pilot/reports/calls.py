"""The calls of one execution: which model was asked why, what it took, and their exact sums."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.models.execution import Execution
from pilot.reports import why
from pilot.reports.spending import ANSWERED, ESTIMATES, RECORDED, SENT, known

CALLS = text(f"""
SELECT c.id, c.path, c.attempt, c.number, c.role, c.state, c.model_asked, c.model_billed,
       c.input_tokens AS fresh, c.cache_read_tokens AS cache_read,
       c.cache_write_tokens + c.cache_write_long_tokens AS cache_write,
       c.output_tokens AS output, c.reasoning_tokens AS reasoning, {SENT} AS sent,
       {ANSWERED} AS answered, c.cost, c.reserved, c.wasted, c.latency_ms, c.outcome, c.reason,
       c.routing, c.tier, c.price_input, c.price_output, c.at, {RECORDED} AS recorded,
       c.flags
  FROM call c WHERE c.execution_id = :id ORDER BY c.at, c.id
""")  # noqa: S608 -- constants
PARTS = ("fresh", "cache_read", "cache_write", "output", "reasoning")
ZERO = Decimal(0)


@dataclass(frozen=True)
class Call:
    """One attempt at a model."""

    id: UUID
    path: str
    attempt: int
    number: int
    role: str
    state: str  # reserved: under way
    model_asked: str
    model_billed: str | None
    fresh: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int
    sent: int
    answered: int
    cost: Decimal | None  # None, once it has ended: unpriced
    reserved: Decimal | None
    wasted: bool
    latency_ms: int | None
    outcome: str | None
    reason: str | None
    routing: Any
    tier: str | None
    price_input: Decimal | None  # USD per million tokens, as it was counted
    price_output: Decimal | None
    at: datetime
    recorded: bool
    flags: list[str]
    why: str
    decision: dict[str, Any]  # what `why` says, for programs

    @property
    def ended(self) -> bool:
        """Whether it counts."""
        return self.state != "reserved"

    @property
    def estimated(self) -> bool:
        """Whether nobody knows exactly what it took, so it counts at most or by its texts."""
        return not ESTIMATES.isdisjoint(self.flags)

    @property
    def other_model(self) -> bool:
        """Whether the reply names another model than was asked."""
        return "other_model" in self.flags

    @property
    def tokens(self) -> int:
        """All that were sent and answered."""
        return self.sent + self.answered

    @property
    def parts(self) -> list[tuple[str, int]]:
        """Tokens by kind, those that there are."""
        known = [(name.replace("_", " "), getattr(self, name)) for name in PARTS]
        return [(name, number) for name, number in known if number]


class Deleted(NamedTuple):
    """What those calls of an execution took that retention deleted: its row keeps the sums."""

    cost: Decimal = ZERO
    tokens: int = 0
    unpriced: int = 0
    recorded: int = 0


NONE_DELETED = Deleted()


@dataclass(frozen=True)
class Calls:
    """Calls and their sums; recorded answers and calls under way are in none."""

    all: list[Call]
    deleted: Deleted = NONE_DELETED

    @property
    def counted(self) -> list[Call]:
        """The calls that a model has answered, or failed to."""
        return [one for one in self.all if one.ended and not one.recorded]

    @property
    def cost(self) -> Decimal:
        """USD of those with a price."""
        return self._sum(lambda one: one.cost) + self.deleted.cost

    @property
    def known_cost(self) -> Decimal | None:
        """USD of those with a price; None where none has one."""
        return known(self.cost, self.unpriced)

    @property
    def estimated(self) -> Decimal | None:
        """USD of it that nobody knows exactly; None: some calls are deleted, so nobody can say."""
        return self._if_all(self._sum(lambda one: one.cost if one.estimated else None))

    @property
    def unpriced(self) -> int:
        """How many have none."""
        return sum(one.cost is None for one in self.counted) + self.deleted.unpriced

    @property
    def wasted(self) -> Decimal | None:
        """USD of those whose answer was not used; None: some are deleted, so nobody can say."""
        return self._if_all(self._sum(lambda one: one.cost if one.wasted else None))

    @property
    def wasted_unpriced(self) -> int:
        """How many of those have no price."""
        return sum(one.wasted and one.cost is None for one in self.counted)

    @property
    def tokens(self) -> int:
        """All that were sent and answered."""
        return sum(one.tokens for one in self.counted) + self.deleted.tokens

    @property
    def parts(self) -> list[tuple[str, int]]:
        """Tokens by kind; the kinds never overlap."""
        sums = [(name, sum(getattr(one, name) for one in self.counted)) for name in PARTS]
        return [(name.replace("_", " "), number) for name, number in sums if number]

    @property
    def recorded(self) -> int:
        """How many answers came from a file: nobody was asked, nothing was paid."""
        return sum(one.recorded for one in self.all) + self.deleted.recorded

    @property
    def is_whole(self) -> bool:
        """Whether none was deleted."""
        return not any(self.deleted)

    @property
    def reserved(self) -> Decimal:
        """The most that the calls under way can cost, where that is known."""
        return sum((one.reserved or ZERO for one in self.all if not one.ended), ZERO)

    def of(self, path: str, attempt: int) -> list[Call]:
        """Return the calls of an attempt at a step."""
        return [one for one in self.all if (one.path, one.attempt) == (path, attempt)]

    def _if_all(self, amount: Decimal) -> Decimal | None:
        return amount if self.is_whole else None

    def _sum(self, amount: Callable[[Call], Decimal | None]) -> Decimal:
        return sum((amount(one) or ZERO for one in self.counted), ZERO)


def of_execution(session: Session, row: Execution) -> Calls:
    """Return the calls of an execution, oldest first, with the sums of what is deleted of them."""
    rows = session.execute(CALLS, {"id": row.id}).mappings()
    left = Calls(list(_told(rows)))
    # Those that ended since the row was read are not in it.
    return Calls(
        left.all,
        Deleted(
            max(ZERO, row.cost_usd - left.cost),
            max(row.tokens - left.tokens, 0),
            max(row.unpriced_calls - left.unpriced, 0),
            max(row.recorded_calls - sum(one.ended for one in left.all if one.recorded), 0),
        ),
    )


def _told(rows: Iterable[Any]) -> Iterable[Call]:
    before: dict[tuple[str, int], Any] = {}
    for row in rows:
        place = (row["path"], row["attempt"])
        yield Call(**row, why=why.why(row, before.get(place)), decision=why.facts(row))
        before[place] = row


def facts(calls: Calls) -> dict[str, Any]:
    """Return what programs read of them."""
    names = ("path", "attempt", "number", "role", "state", "model_asked", "model_billed", *PARTS)
    more = (
        "recorded",
        "tier",
        "cost",
        "reserved",
        "wasted",
        "estimated",
        "other_model",
        "latency_ms",
        "outcome",
        "reason",
        "why",
        "decision",
    )
    return {
        "cost_usd": calls.known_cost,
        "estimated_usd": calls.estimated,
        "unpriced_calls": calls.unpriced,
        "wasted_usd": calls.wasted,
        "tokens": calls.tokens,
        "recorded_calls": calls.recorded,
        "calls": [{name: getattr(one, name) for name in (*names, *more)} for one in calls.all],
    }
