"""What drafting costs and how good it is, from generations and their calls; never from the audit.

fallback rate: of the last 7 days' generations that called a model, those that left the primary one.
validation success: of a model's first drafts, those that could be offered after deterministic
repair; beside them those that needed no repair, and how many of the offered were accepted.
cost of an accepted workflow: what all generations of 30 days cost / those that were accepted.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.reports.spending import COUNTED, MODEL, SUMS, TOKENS, Spent, ago, known, spent

FALLBACK_TARGET = Decimal("0.05")
VALID_TARGET = Decimal("0.95")
MANY, FEW = Decimal("0.10"), Decimal("0.02")
ENOUGH = 20  # generations from which on a rate says something
NEWEST = 20
CALLED = f"EXISTS (SELECT FROM call c WHERE c.generation_id = g.id AND {COUNTED})"
WEEK, MONTH = ago(7), ago(30)

# The one definition of the rate; a period of `g.created_at` follows.
FALLBACK_OF = f"""
SELECT count(*) AS all, count(*) FILTER (WHERE {CALLED}) AS called,
       count(*) FILTER (WHERE {CALLED} AND g.fallback_reason IS NOT NULL) AS fell_back
  FROM generation g WHERE g.stage = 'done' AND """  # noqa: S608 -- constants of this file
FALLBACK = text(f"{FALLBACK_OF} g.created_at > {WEEK}")
REASONS = text(f"""
SELECT g.fallback_reason AS reason, count(*) AS number
  FROM generation g
 WHERE g.created_at > {WEEK} AND g.stage = 'done' AND g.fallback_reason IS NOT NULL AND {CALLED}
 GROUP BY g.fallback_reason ORDER BY number DESC, reason
""")  # noqa: S608 -- constants of this file
# A first draft is the first answer of a model in a generation that was read as a workflow.
DRAFTS = text(f"""
WITH answers AS (
  SELECT c.generation_id, {MODEL} AS model, c.role, c.reason,
         row_number() OVER (PARTITION BY c.generation_id, c.model_asked
                            ORDER BY c.at, c.id) AS place
    FROM call c
   WHERE c.generation_id IS NOT NULL AND c.at > {WEEK} AND {COUNTED} AND c.state = 'settled'
     AND c.role IN ('draft', 'fallback', 'repair')
     AND (c.reason IS NULL OR c.reason IN ('schema', 'semantic')))
SELECT x.model, count(*) FILTER (WHERE x.place = 1) AS drafts,
       count(*) FILTER (WHERE x.place = 1 AND x.reason IS NULL) AS valid,
       count(*) FILTER (WHERE x.place = 1 AND x.reason IS NULL AND g.repairs = 0) AS unrepaired,
       count(DISTINCT x.generation_id) FILTER (WHERE x.reason IS NULL) AS offered,
       count(DISTINCT x.generation_id) FILTER (WHERE x.reason IS NULL AND g.outcome = 'accepted')
         AS accepted
  FROM answers x JOIN generation g ON g.id = x.generation_id
 GROUP BY x.model ORDER BY drafts DESC, x.model
""")  # noqa: S608 -- constants of this file
SPEND = text(f"""
SELECT {MODEL} AS model, count(DISTINCT c.generation_id) AS generations, {SUMS}
  FROM call c JOIN generation g ON g.id = c.generation_id
 WHERE g.created_at > {MONTH} AND {COUNTED} GROUP BY 1 ORDER BY cost DESC, model
""")  # noqa: S608 -- constants of this file
SPEND_ALL = text(f"""
SELECT {SUMS} FROM call c JOIN generation g ON g.id = c.generation_id
 WHERE g.created_at > {MONTH} AND {COUNTED}
""")  # noqa: S608 -- constants of this file
# Who made what was accepted: the model whose answer was taken, else the planner, or nobody.
ACCEPTED = text(f"""
SELECT coalesce((SELECT {MODEL} FROM call c WHERE c.generation_id = g.id AND {COUNTED}
                    AND c.outcome = 'ok' ORDER BY c.at DESC, c.id DESC LIMIT 1), '') AS model,
       count(*) AS generations, count(*) FILTER (WHERE g.outcome = 'accepted') AS accepted,
       count(*) FILTER (WHERE NOT {CALLED}) AS free,
       count(*) FILTER (WHERE g.outcome = 'accepted' AND NOT {CALLED}) AS free_accepted
  FROM generation g WHERE g.created_at > {MONTH} AND g.stage = 'done' GROUP BY 1
""")  # noqa: S608 -- constants of this file
LATEST = text(f"""
SELECT g.id, g.owner_id, g.goal, g.generator, g.outcome, g.fallback_reason, g.created_at,
       m.calls, m.tokens, m.cost, m.unpriced, m.wasted, m.wasted_unpriced
  FROM generation g CROSS JOIN LATERAL (
    SELECT count(*) AS calls, coalesce(sum({TOKENS}), 0)::bigint AS tokens,
           coalesce(sum(c.cost), 0) AS cost, count(*) FILTER (WHERE c.cost IS NULL) AS unpriced,
           coalesce(sum(c.cost) FILTER (WHERE c.wasted), 0) AS wasted,
           count(*) FILTER (WHERE c.wasted AND c.cost IS NULL) AS wasted_unpriced
      FROM call c WHERE c.generation_id = g.id AND {COUNTED}) m
 WHERE g.created_at > {MONTH} AND m.calls > 0 ORDER BY g.created_at DESC, g.id LIMIT {NEWEST}
""")  # noqa: S608 -- constants of this file


@dataclass(frozen=True)
class Fallback:
    """How often the primary model was left, of the generations that called one, in 7 days."""

    all: int
    called: int
    fell_back: int
    reasons: dict[str, int]

    @property
    def free(self) -> int:
        """How many called no model."""
        return self.all - self.called

    @property
    def rate(self) -> Decimal | None:
        """0..1; None under 20 generations, which say nothing."""
        return Decimal(self.fell_back) / self.called if self.called >= ENOUGH else None

    @property
    def advice(self) -> str:
        """What to do about the rate, or nothing."""
        if self.rate is None:
            return f"Too few to tell: {self.called} of {ENOUGH} generations that called a model."
        if self.rate > MANY:
            return "The fallback model helps often: improve the prompt, or choose another primary."
        if self.rate < FEW:
            return "The fallback model is hardly needed: consider switching the fallback off."
        return ""


@dataclass(frozen=True)
class Drafted:
    """First drafts of a model in 7 days, and what became of its offers."""

    model: str
    drafts: int
    valid: int
    unrepaired: int
    offered: int
    accepted: int

    @property
    def reaches_target(self) -> bool | None:
        """Whether enough of its first drafts were valid; None: too few to say."""
        if self.drafts < ENOUGH:
            return None
        return Decimal(self.valid) / self.drafts > VALID_TARGET


@dataclass(frozen=True)
class Generator:
    """What the calls of a model for generations of 30 days cost, and what was accepted of it."""

    model: str
    generations: int
    spent: Spent
    accepted: int

    @property
    def mean(self) -> Decimal | None:
        """USD for a generation that called it; None: a call has no price."""
        return None if self.spent.unpriced else self.spent.cost / self.generations

    @property
    def per_accepted(self) -> Decimal | None:
        """USD for an accepted workflow of it; None: none was accepted, or a call has no price."""
        return each(self.spent, self.accepted)


def each(spent: Spent, number: int) -> Decimal | None:
    """Return the cost of one of several; None: there is none, or a call has no price."""
    return spent.cost / number if number and not spent.unpriced else None


@dataclass(frozen=True)
class Report:
    """The whole page."""

    fallback: Fallback
    drafted: list[Drafted]
    generators: list[Generator]
    total: Spent  # of all generations of 30 days
    generations: int
    accepted: int
    free: int  # of the generations: called no model
    free_accepted: int
    latest: list[Mapping[str, Any]]

    @property
    def per_accepted(self) -> Decimal | None:
        """What all generations cost for each accepted workflow, free ones included."""
        return each(self.total, self.accepted)


def report(session: Session) -> Report:
    """Return what this session may see of it."""
    counts = session.execute(FALLBACK).one()
    reasons = {row.reason: row.number for row in session.execute(REASONS)}
    made = list(session.execute(ACCEPTED).mappings())
    accepted = {row["model"]: row["accepted"] for row in made}
    generators = [
        Generator(row["model"], row["generations"], spent(row), accepted.get(row["model"], 0))
        for row in session.execute(SPEND).mappings()
    ]
    return Report(
        Fallback(counts.all, counts.called, counts.fell_back, reasons),
        [Drafted(**row) for row in session.execute(DRAFTS).mappings()],
        generators,
        spent(session.execute(SPEND_ALL).mappings().one()),
        generations=sum(row["generations"] for row in made),
        accepted=sum(row["accepted"] for row in made),
        free=sum(row["free"] for row in made),
        free_accepted=sum(row["free_accepted"] for row in made),
        latest=[dict(row) for row in session.execute(LATEST).mappings()],
    )


def fallback(session: Session) -> Fallback:
    """Return the fallback rate alone: what every page but the report's own shows of it."""
    counts = session.execute(FALLBACK).one()
    return Fallback(counts.all, counts.called, counts.fell_back, {})


def facts(found: Report) -> dict[str, Any]:
    """Return what programs read of the report."""
    first = found.fallback
    return {
        "fallback_7_days": {
            "generations": first.all,
            "called_a_model": first.called,
            "free": first.free,
            "fell_back": first.fell_back,
            "rate": None if first.rate is None else float(first.rate),
            "target": float(FALLBACK_TARGET),
            "reasons": first.reasons,
            "advice": first.advice,
        },
        "first_drafts_7_days": [asdict(one) for one in found.drafted],
        "valid_target": float(VALID_TARGET),
        "generators_30_days": [
            {
                "model": one.model,
                "generations": one.generations,
                "calls": one.spent.calls,
                "tokens": one.spent.tokens,
                "cost_usd": known(one.spent.cost, one.spent.unpriced),
                "unpriced_calls": one.spent.unpriced,
                "wasted_usd": one.spent.wasted,
                "wasted_tokens": one.spent.wasted_tokens,
                "mean_usd": one.mean,
                "accepted": one.accepted,
                "cost_per_accepted_usd": one.per_accepted,
            }
            for one in found.generators
        ],
        "generations_30_days": found.generations,
        "free_30_days": found.free,
        "accepted_30_days": found.accepted,
        "cost_30_days_usd": found.total.cost,
        "unpriced_calls_30_days": found.total.unpriced,
        "wasted_30_days_usd": found.total.wasted,
        "wasted_tokens_30_days": found.total.wasted_tokens,
        "cost_per_accepted_usd": found.per_accepted,
        "latest": [{name: one[name] for name in one if name != "owner_id"} for one in found.latest],
    }
