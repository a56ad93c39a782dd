"""Sums over the ledger: exact, what has no price counted apart, recorded answers outside."""

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

# Tables of `call` are named c. A reserved row is under way: it counts once it has ended.
ENDED = "c.state <> 'reserved'"
RECORDED = "c.provider = 'scripted'"
COUNTED = f"{ENDED} AND NOT {RECORDED}"
ZERO = Decimal(0)
SENT = (
    "c.input_tokens::bigint + c.cache_read_tokens + c.cache_write_tokens"
    " + c.cache_write_long_tokens"
)
ANSWERED = "c.output_tokens::bigint + c.reasoning_tokens"
TOKENS = f"{SENT} + {ANSWERED}"
MODEL = "coalesce(c.model_billed, c.model_asked)"
# What the used calls would have cost at the baseline model's price of their day. Only calls with
# both prices are compared; 0.000001 instead of a division, which would round.
COMPARED = "c.cost IS NOT NULL AND c.baseline_input IS NOT NULL"
AT_BASELINE = f"""0.000001 * ((c.input_tokens::bigint + c.tokens_saved) * c.baseline_input
  + c.cache_read_tokens * c.baseline_cache_read + c.cache_write_tokens * c.baseline_cache_write
  + c.cache_write_long_tokens * c.baseline_cache_write_long
  + ({ANSWERED}) * c.baseline_output)"""
SUMS = f"""count(*) AS calls,
  coalesce(sum({TOKENS}), 0)::bigint AS tokens,
  coalesce(sum(c.input_tokens), 0) AS input_tokens,
  coalesce(sum(c.cache_read_tokens), 0) AS cache_read_tokens,
  coalesce(sum(c.cache_write_tokens::bigint + c.cache_write_long_tokens), 0)::bigint
    AS cache_write_tokens,
  coalesce(sum(c.output_tokens), 0) AS output_tokens,
  coalesce(sum(c.reasoning_tokens), 0) AS reasoning_tokens,
  coalesce(sum(c.cost), 0) AS cost,
  count(*) FILTER (WHERE c.cost IS NULL) AS unpriced,
  coalesce(sum(c.cost) FILTER (WHERE c.wasted), 0) AS wasted,
  coalesce(sum({TOKENS}) FILTER (WHERE c.wasted), 0)::bigint AS wasted_tokens,
  count(*) FILTER (WHERE c.wasted AND c.cost IS NULL) AS wasted_unpriced,
  count(*) FILTER (WHERE {COMPARED}) AS compared,
  coalesce(sum(c.cost) FILTER (WHERE {COMPARED}), 0) AS compared_cost,
  coalesce(sum({AT_BASELINE}) FILTER (WHERE {COMPARED} AND NOT c.wasted), 0) AS counterfactual"""
PARTS = ("input", "cache_read", "cache_write", "output", "reasoning")
ESTIMATES = frozenset({"cost_estimated", "usage_estimated"})  # flags of what nobody knows exactly
ESTIMATED = "c.flags::jsonb ?| array['cost_estimated', 'usage_estimated']"
WORDS = {"input": "fresh", "cache_read": "cache read", "cache_write": "cache write"}


def known(amount: Decimal, unpriced: int) -> Decimal | None:
    """Return a sum, or None where nothing in it has a price: that is not $0."""
    return amount if amount or not unpriced else None


def ago(days: int) -> str:
    """Return the SQL of the moment so many days ago.

    A subselect is a value, which an index serves: the clock itself may change from row to row.
    """
    return f"(SELECT pilot_now() - interval '{days} days')"


# Executions `e` that are listed unless simulations are asked for, which cost nothing. A replay with
# a model does.
REAL = "(e.mode <> 'simulate' OR e.cost_key > 0 OR e.unpriced_calls > 0)"


@dataclass(frozen=True)
class Spent:
    """What some calls took and cost; `cost` is what has a price, `unpriced` calls have none."""

    calls: int
    tokens: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal
    unpriced: int
    wasted: Decimal
    wasted_tokens: int
    wasted_unpriced: int
    compared: int  # calls with a price of their own and one of the baseline
    compared_cost: Decimal
    counterfactual: Decimal  # USD at the baseline's prices; nobody has paid it

    @property
    def saved(self) -> Decimal | None:
        """What the baseline would have cost more (less: negative); None: nothing to compare."""
        return self.counterfactual - self.compared_cost if self.compared else None

    @property
    def saved_percent(self) -> Decimal | None:
        """Saved / (used + saved), 0..100; None where that is nothing."""
        if self.saved is None or not self.counterfactual:
            return None
        return self.saved * 100 / self.counterfactual

    @property
    def parts(self) -> list[tuple[str, int]]:
        """Tokens by kind; the kinds never overlap."""
        return [(WORDS.get(one, one), getattr(self, f"{one}_tokens")) for one in PARTS]


def added(where: str = "true") -> str:
    """Return the SQL that adds up rows of these sums, those that meet a condition."""
    return ", ".join(
        f"coalesce(sum({one.name}) FILTER (WHERE {where}), 0)"
        f"{'::bigint' if one.type is int else ''} AS {one.name}"
        for one in fields(Spent)
    )


NOTHING = Spent(0, 0, 0, 0, 0, 0, 0, ZERO, 0, ZERO, 0, 0, 0, ZERO, ZERO)


def spent(row: Any) -> Spent:
    """Return the sums of a row that was selected with `SUMS`."""
    return Spent(**{name: row[name] for name in Spent.__dataclass_fields__})
