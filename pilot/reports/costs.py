"""What calls to models cost in a period, grouped: sums of ledger rows and nothing else.

Finished days are read from their roll-ups, the rest (today, and what the period or the zone of its
days cuts out of a roll-up) from the ledger; both in one statement, so nothing counts twice. Where
the ledger is deleted, a roll-up that cannot be cut counts where it begins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.reports import cached
from pilot.reports.cached import Saved, saved
from pilot.reports.spending import ENDED, MODEL, RECORDED, SUMS, Spent, added, known, spent

NONE = "none"  # the key of calls without an agent, an intent or a step
# Looked up for each call, so that a call without a step keeps its row.
STEP_TYPE = f"""coalesce((
  SELECT s.type FROM step_execution s
   WHERE s.execution_id = c.execution_id AND s.path = c.path AND s.attempt = c.attempt),
  '{NONE}')"""  # noqa: S608 -- a constant of this file


@dataclass(frozen=True)
class Dimension:
    """A way to group calls: SQL of the key, a text, and of the name that people read.

    The key of a row of the ledger, `c`, is that of the line `r` of a roll-up that counts it.
    """

    label: str
    key: str
    rolled: str
    name: str = "NULL"


DIMENSIONS = {
    "day": Dimension(
        "Day", "(c.at AT TIME ZONE :zone)::date::text", "(r.since AT TIME ZONE :zone)::date::text"
    ),
    "model": Dimension("Model", MODEL, "r.model"),
    "agent": Dimension(
        "Agent",
        f"coalesce(c.agent_id::text, '{NONE}')",
        f"coalesce(r.agent_id::text, '{NONE}')",
        f"(SELECT name FROM agent WHERE id = nullif(key, '{NONE}')::uuid)",  # noqa: S608 -- constant
    ),
    "user": Dimension(
        "User",
        "c.owner_id::text",
        "r.owner_id::text",
        "(SELECT name FROM app_user WHERE id = key::uuid)",
    ),
    "role": Dimension("Role", "c.role", "r.role"),
    "intent": Dimension("Intent", f"coalesce(c.intent, '{NONE}')", f"coalesce(r.intent, '{NONE}')"),
    "step_type": Dimension("Step type", STEP_TYPE, f"coalesce(r.step_type, '{NONE}')"),
    "outcome": Dimension(
        "Outcome",
        "CASE c.state WHEN 'lost' THEN 'lost' ELSE coalesce(c.reason, c.outcome) END",
        "r.outcome",
    ),
}
FIRST_DAY, LAST_DAY, MOST_DAYS = date(2000, 1, 1), date(2999, 12, 31), 3_660
SINCE, UNTIL = (f"cast(:{end} AS timestamp) AT TIME ZONE :zone" for end in ("since", "until"))
# A stretch that lies in one day of the zone. Only where days count: others may span two.
ONE_DAY = """(since AT TIME ZONE :zone)::date
  = ((until - interval '1 microsecond') AT TIME ZONE :zone)::date"""
COUNTED = "NOT recorded AND NOT open"
# OFFSET: always by the index on time, whatever is guessed of how many rows the policy lets through.
LEDGER = "LATERAL (SELECT * FROM call WHERE at >= rest.since AND at < rest.until OFFSET 0) c"


@dataclass(frozen=True)
class Asked:
    """A period of whole days in a zone, the grouping, and what it is narrowed to."""

    since: date
    until: date  # the last day
    zone: str
    group: str = "day"
    only: Mapping[str, str] = field(default_factory=dict)  # dimension -> key


def days_before(until: date, days: int) -> date:
    """Return the first of so many days up to one."""
    return date.fromordinal(max(1, until.toordinal() - days + 1))


def fault(since: date, until: date) -> str:
    """Say what is wrong with a period, "" when nothing is."""
    if since < FIRST_DAY or until > LAST_DAY:
        return "since and until are days from 2000 to 2999"
    if not 0 <= (until - since).days <= MOST_DAYS:
        return "until is not before since, and at most ten years after it"
    return ""


@dataclass(frozen=True)
class Line:
    """One group."""

    key: str
    name: str
    spent: Spent


@dataclass(frozen=True)
class Costs:
    """The groups, their total, and what is not in them."""

    lines: list[Line]
    total: Spent
    recorded: int  # answers from a file: no model was asked, nothing was paid
    under_way: int  # calls that have not ended
    baselines: list[str]  # the models that savings are counted against
    cached: Saved  # by steps that took an earlier result: they made no call
    moved: bool = False  # calls may count in the day before: only sums of other days are left


def costs(session: Session, asked: Asked) -> Costs:
    """Return the calls of a period that this session may see, grouped."""
    rows = session.execute(text(_statement(asked)), _values(asked)).mappings().all()
    lines = [
        Line(row["key"], row["name"] or row["key"], spent(row))
        for row in rows
        if row["key"] is not None and row["calls"]
    ]
    (total,) = (row for row in rows if row["key"] is None)
    baselines = sorted(total["baselines"] or [])
    kept = saved(session, SINCE, UNTIL, _values(asked))
    return Costs(
        lines,
        spent(total),
        total["recorded"],
        total["under_way"],
        baselines,
        kept,
        moved=total["moved"] and bool(total["calls"]),
    )


def total(session: Session, asked: Asked) -> Spent:
    """Return the sum of a period's calls alone."""
    rows = session.execute(text(_statement(asked)), _values(asked)).mappings()
    (found,) = (spent(row) for row in rows if row["key"] is None)
    return found


def _statement(asked: Asked) -> str:
    """Return the SQL of the groups and, without a key, their total: each row is read once."""
    by = DIMENSIONS[asked.group]
    asked_days = "day" in {asked.group, *asked.only}
    of_rows = "".join(f" AND ({DIMENSIONS[one].key}) = :only_{one}" for one in asked.only)
    of_lines = "".join(f" AND ({DIMENSIONS[one].rolled}) = :only_{one}" for one in asked.only)
    order = "1" if asked.group == "day" else "cost DESC, tokens DESC, 1"
    fits = f"since >= {SINCE} AND until <= {UNTIL}" + (f" AND {ONE_DAY}" if asked_days else "")
    return f"""
    WITH rolled AS MATERIALIZED (
      SELECT since, until, NOT ({fits}) AS moved, since >= {SINCE} AS begins FROM rollup
       WHERE since < {UNTIL} AND until > {SINCE} AND (pruned OR {fits})),
    rest AS MATERIALIZED (
      SELECT lower(one) AS since, upper(one) AS until
        FROM unnest(tstzmultirange(tstzrange({SINCE}, {UNTIL})) - coalesce(
               (SELECT range_agg(tstzrange(since, until)) FROM rolled), '{{}}')) AS one),
    part AS (
      SELECT {by.key} AS key, {RECORDED} AS recorded, NOT {ENDED} AS open, c.baseline_model, {SUMS}
        FROM rest CROSS JOIN {LEDGER}
       WHERE true{of_rows} GROUP BY 1, 2, 3, 4
      UNION ALL
      SELECT {by.rolled}, r.recorded, false, r.baseline_model, {added()}
        FROM rolled JOIN rollup_line r ON r.since = rolled.since
       WHERE rolled.begins{of_lines} GROUP BY 1, 2, 3, 4)
    SELECT key, {by.name} AS name, {added(COUNTED)},
      coalesce(sum(calls) FILTER (WHERE recorded), 0)::bigint AS recorded,
      coalesce(sum(calls) FILTER (WHERE open AND NOT recorded), 0)::bigint AS under_way,
      array_remove(array_agg(DISTINCT baseline_model) FILTER (WHERE {COUNTED}), NULL) AS baselines,
      (SELECT coalesce(bool_or(moved), false) FROM rolled) AS moved
      FROM part GROUP BY GROUPING SETS ((key), ()) ORDER BY {order}
    """  # noqa: S608 -- every part but the bound values is a constant


def _values(asked: Asked) -> dict[str, Any]:
    return {
        "since": asked.since,
        "until": asked.until + timedelta(days=1),
        "zone": asked.zone,
        **{f"only_{name}": key for name, key in asked.only.items()},
    }


def facts(line: Spent) -> dict[str, Any]:
    """Return what programs read of sums, in the order of the sheet's columns."""
    saved = line.saved_percent
    return {
        "calls": line.calls,
        "tokens": line.tokens,
        **{f"{name.replace(' ', '_')}_tokens": count for name, count in line.parts},
        "cost_usd": known(line.cost, line.unpriced),
        "unpriced_calls": line.unpriced,
        "wasted_usd": known(line.wasted, line.wasted_unpriced),
        "wasted_tokens": line.wasted_tokens,
        "wasted_unpriced_calls": line.wasted_unpriced,
        "compared_calls": line.compared,
        "compared_cost_usd": line.compared_cost,
        "counterfactual_usd": line.counterfactual,
        "saved_usd": line.saved,
        "saved_percent": None if saved is None else float(round(saved, 1)),
    }


def told(found: Costs) -> dict[str, Any]:
    """Return what programs read of a report."""
    return {
        "lines": [{"key": one.key, "name": one.name} | facts(one.spent) for one in found.lines],
        "total": facts(found.total),
        "recorded_calls": found.recorded,
        "under_way": found.under_way,
        "moved": found.moved,
        "cached_steps": cached.facts(found.cached),
    }
