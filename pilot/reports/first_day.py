"""The first 24 hours: what ran, failed, cost and was drafted after the first execution.

Without an execution they begin with the first person. Each sees the first day of what they may see.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.reports.drafting import FALLBACK_OF, Fallback
from pilot.reports.spending import COUNTED, MODEL, REAL, SUMS, Spent, known, spent

BEGUN = """coalesce((SELECT min(created_at) FROM execution),
  (SELECT min(created_at) FROM app_user))"""
# Subselects are values, which an index serves: under row security an expression may see no row
# before the policy has, unless it is known not to leak it.
SINCE, UNTIL = f"(SELECT {BEGUN})", f"(SELECT {BEGUN} + interval '24 hours')"
MOST = 200  # rows of the page


def within(moment: str) -> str:
    """Return the SQL that says of a moment (SQL) whether it lies in these hours."""
    return f"{moment} >= {SINCE} AND {moment} < {UNTIL}"


PERIOD = text(f"SELECT {SINCE} AS since, {UNTIL} AS until, {UNTIL} <= pilot_now() AS over")
STATUSES = text(f"""
SELECT status, count(*) AS number FROM execution e
 WHERE {within("e.created_at")} AND {REAL} GROUP BY status
""")  # noqa: S608 -- constants
MONEY = text(f"""
SELECT {MODEL} AS model, c.role, {SUMS} FROM call c
 WHERE {COUNTED} AND {within("c.at")}
 GROUP BY GROUPING SETS ((1, 2), ()) ORDER BY cost DESC, 1, 2
""")  # noqa: S608 -- constants
RATE = text(FALLBACK_OF + within("g.created_at"))
DRAFTS = text(f"""
SELECT g.id, g.owner_id, g.goal, g.generator, g.outcome, g.stage, g.fallback_reason, g.created_at,
       m.calls, m.cost, m.unpriced, count(*) OVER () AS total
  FROM generation g CROSS JOIN LATERAL (
    SELECT count(*) AS calls, coalesce(sum(c.cost), 0) AS cost,
           count(*) FILTER (WHERE c.cost IS NULL) AS unpriced
      FROM call c WHERE c.generation_id = g.id AND {COUNTED}) m
 WHERE {within("g.created_at")} ORDER BY g.created_at, g.id LIMIT :most
""")  # noqa: S608 -- constants


@dataclass(frozen=True)
class Line:
    """What one model was asked for."""

    model: str
    role: str
    spent: Spent


@dataclass(frozen=True)
class FirstDay:
    """The figures of these hours, and the rows behind those that no other page lists."""

    since: datetime
    until: datetime
    over: bool  # else they go on
    by_status: dict[str, int]
    fallback: Fallback
    spent: Spent
    lines: list[Line]  # of `spent`
    drafts: int
    drafted: list[Mapping[str, Any]]  # the first ones

    @property
    def executions(self) -> int:
        """How many were started."""
        return sum(self.by_status.values())

    @property
    def failed(self) -> int:
        """How many of them have failed."""
        return self.by_status.get("failed", 0)


def first_day(session: Session) -> FirstDay:
    """Return the first 24 hours of what this session may see."""
    period = session.execute(PERIOD).one()
    counts = {row.status: row.number for row in session.execute(STATUSES)}
    money = session.execute(MONEY).mappings().all()
    drafted: list[Mapping[str, Any]] = [
        dict(row) for row in session.execute(DRAFTS, {"most": MOST}).mappings()
    ]
    rate = session.execute(RATE).one()
    (total,) = (spent(row) for row in money if row["role"] is None)
    return FirstDay(
        period.since,
        period.until,
        period.over,
        counts,
        Fallback(rate.all, rate.called, rate.fell_back, {}),
        total,
        [Line(row["model"], row["role"], spent(row)) for row in money if row["role"] is not None],
        drafted[0]["total"] if drafted else 0,
        drafted,
    )


def facts(found: FirstDay) -> dict[str, Any]:
    """Return what programs read of it."""
    rate = found.fallback.rate
    return {
        "since": found.since,
        "until": found.until,
        "over": found.over,
        "executions": found.executions,
        "executions_by_status": found.by_status,
        "failed": found.failed,
        "calls": found.spent.calls,
        "cost_usd": known(found.spent.cost, found.spent.unpriced),
        "unpriced_calls": found.spent.unpriced,
        "wasted_usd": found.spent.wasted,
        "drafts": found.drafts,
        "drafts_that_called_a_model": found.fallback.called,
        "fell_back": found.fallback.fell_back,
        "fallback_rate": None if rate is None else float(rate),
    }
