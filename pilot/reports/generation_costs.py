"""What drafting took and cost lately: the measured side of the cost comparison."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from pilot.llm.messages import PER, Price, Usage
from pilot.reports import drafting
from pilot.reports.drafting import ENOUGH
from pilot.reports.spending import ago

# What counts until so many were measured; the page says "assumed" beside each.
ASSUMED_VOLUME = 1_000  # generations a month
ASSUMED_RATE = Decimal("0.05")
ASSUMED_USAGE = Usage(input=1_200, output=250)
TWELVE = Decimal("1e-12")  # decimals of an amount in the ledger
FOUR = Decimal("0.0001")  # of a share: what people read is what is counted with

# Recorded answers are nobody's bill: generations that only had such count as made without a model.
COUNTS = text(f"""
SELECT count(*) AS all, count(*) FILTER (WHERE calls = 0 AND outcome <> 'failed') AS free
  FROM (SELECT g.outcome, count(c.id) AS calls
          FROM generation g
          LEFT JOIN call c ON c.generation_id = g.id AND c.provider <> 'scripted'
         WHERE g.created_at > {ago(30)}
         GROUP BY g.id) one
""")  # noqa: S608 -- constants
# A generation's first model with its repairs, against the models asked after it. Roles do not tell:
# the first call of a worker that takes over has the role of a first draft, whichever model it asks.
TOKENS = text(f"""
SELECT first, count(DISTINCT generation_id) AS generations, count(*) AS calls,
       sum(input_tokens)::bigint AS input, sum(cache_read_tokens)::bigint AS cache_read,
       sum(cache_write_tokens)::bigint AS cache_write,
       sum(cache_write_long_tokens)::bigint AS cache_write_long,
       sum(output_tokens)::bigint AS output, sum(reasoning_tokens)::bigint AS reasoning
  FROM (SELECT c.*, c.model_asked = first_value(c.model_asked)
                 OVER (PARTITION BY c.generation_id ORDER BY c.at, c.id) AS first
          FROM call c
         WHERE c.generation_id IS NOT NULL AND c.state <> 'reserved' AND c.provider <> 'scripted'
           AND c.at > {ago(30)}) one
 GROUP BY 1
""")  # noqa: S608 -- constants
BY_MODEL = text(f"""
SELECT model_asked, count(DISTINCT generation_id) AS generations, sum(cost) AS cost,
       count(*) FILTER (WHERE cost IS NULL) AS unpriced,
       count(*) FILTER (WHERE role <> 'repair') AS drafts,
       count(*) FILTER (WHERE role <> 'repair' AND outcome = 'ok') AS valid
  FROM call
 WHERE generation_id IS NOT NULL AND state <> 'reserved'
   AND at > {ago(30)}
 GROUP BY 1
""")  # noqa: S608 -- constants


@dataclass(frozen=True)
class Tokens:
    """Tokens that generations took from one place of the chain: sums, or what is assumed."""

    usage: Usage = ASSUMED_USAGE
    generations: int = 1
    calls: int = 1
    measured: bool = False

    @property
    def sent(self) -> int:
        """How many tokens a generation sends."""
        return self.usage.prompt // self.generations

    @property
    def answered(self) -> int:
        """How many tokens a generation gets back."""
        return (self.usage.output + self.usage.reasoning) // self.generations

    def cost(self, price: Price) -> Decimal:
        """Return the mean USD of a generation at a price."""
        rates = price.rates(self.usage.prompt // self.calls)
        used = self.usage
        total = (
            used.input * rates.input
            + used.cache_read * rates.cache_read
            + used.cache_write * rates.cache_write
            + used.cache_write_long * rates.cache_write_long
            + (used.output + used.reasoning) * rates.output
        )
        return (total / PER / self.generations).quantize(TWELVE)


@dataclass(frozen=True)
class Share:
    """A part of a whole; assumed while the whole is too small to tell."""

    part: int
    whole: int
    assumed: Decimal

    @property
    def measured(self) -> bool:
        """Whether it is a measurement."""
        return self.whole >= ENOUGH

    @property
    def value(self) -> Decimal:
        """The share, 0 to 1."""
        measured = self.measured
        return (Decimal(self.part) / self.whole).quantize(FOUR) if measured else self.assumed


@dataclass(frozen=True)
class Measured:
    """What generations took: numbers and shares of the last days."""

    volume: int  # in 30 days
    free: Share  # answered without a model, in 30 days
    fell: Share  # left the primary model, of those that asked one, in 7 days
    advice: str  # what to do about that
    primary: Tokens
    fallback: Tokens


@dataclass(frozen=True)
class Used:
    """What a model cost in generations of the last 30 days."""

    generations: int
    mean: Decimal | None  # USD of a generation; None: some of its calls are unpriced
    drafts: int  # first answers
    valid: int  # of them usable as they were


def measure(session: Session) -> Measured:
    """Return what the generations that this session may see took."""
    counts = session.execute(COUNTS).one()
    fell = drafting.fallback(session)
    tokens = {row.first: row for row in session.execute(TOKENS)}
    primary = _tokens(tokens.get(True), Tokens())
    return Measured(
        counts.all,
        Share(counts.free, counts.all, Decimal(0)),
        Share(fell.fell_back, fell.called, ASSUMED_RATE),
        fell.advice,
        primary,
        # The same prompt goes to the fallback model.
        _tokens(tokens.get(False), replace(primary, measured=False)),
    )


def by_model(session: Session) -> Mapping[str, Used]:
    """Return what each model cost in generations."""
    return {
        row.model_asked: Used(
            row.generations,
            None if row.unpriced else (row.cost / row.generations).quantize(TWELVE),
            row.drafts,
            row.valid,
        )
        for row in session.execute(BY_MODEL)
    }


def _tokens(row: Row[Any] | None, assumed: Tokens) -> Tokens:
    found = {} if row is None else row._asdict()
    if found.get("generations", 0) < ENOUGH:
        return assumed
    names = ("input", "cache_read", "cache_write", "cache_write_long", "output", "reasoning")
    usage = Usage(**{name: found[name] for name in names})
    return Tokens(usage, found["generations"], found["calls"], measured=True)
