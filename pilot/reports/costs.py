"""What calls to models cost in a period, grouped: sums of ledger rows and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.reports.spending import (
    COUNTED,
    ENDED,
    MODEL,
    RECORDED,
    SUMS,
    Spent,
    spent,
)

NONE = "none"  # the key of calls without an agent, an intent or a step
# Looked up for each call, so that a call without a step keeps its row.
STEP_TYPE = f"""coalesce((
  SELECT s.type FROM step_execution s
   WHERE s.execution_id = c.execution_id AND s.path = c.path AND s.attempt = c.attempt),
  '{NONE}')"""  # noqa: S608 -- a constant of this file


@dataclass(frozen=True)
class Dimension:
    """A way to group calls: SQL of the key (a text) and of the name that people read."""

    label: str
    key: str
    name: str


DIMENSIONS = {
    "day": Dimension("Day", "(c.at AT TIME ZONE :zone)::date::text", ""),
    "model": Dimension("Model", MODEL, ""),
    "agent": Dimension("Agent", f"coalesce(c.agent_id::text, '{NONE}')", "a.name"),
    "user": Dimension("User", "c.owner_id::text", "u.name"),
    "role": Dimension("Role", "c.role", ""),
    "intent": Dimension("Intent", f"coalesce(c.intent, '{NONE}')", ""),
    "step_type": Dimension("Step type", STEP_TYPE, ""),
    "outcome": Dimension(
        "Outcome", "CASE c.state WHEN 'lost' THEN 'lost' ELSE coalesce(c.reason, c.outcome) END", ""
    ),
}
TABLES = "call c JOIN app_user u ON u.id = c.owner_id LEFT JOIN agent a ON a.id = c.agent_id"
PERIOD = """c.at >= cast(:since AS timestamp) AT TIME ZONE :zone
   AND c.at < cast(:until AS timestamp) AT TIME ZONE :zone"""


@dataclass(frozen=True)
class Asked:
    """A period of whole days in a zone, the grouping, and what it is narrowed to."""

    since: date
    until: date  # the last day
    zone: str
    group: str = "day"
    only: Mapping[str, str] = field(default_factory=dict)  # dimension -> key


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


def costs(session: Session, asked: Asked) -> Costs:
    """Return the calls of a period that this session may see, grouped."""
    by = DIMENSIONS[asked.group]
    where, values = _where(asked)
    name = f"max({by.name})" if by.name else "NULL"
    order = "1" if asked.group == "day" else "cost DESC, tokens DESC, 1"
    # No key is NULL, so the row without one is the total: one pass over the same rows.
    grouped = (  # every part but the bound values is a constant of this file
        f"SELECT {by.key} AS key, {name} AS name, {SUMS} FROM {TABLES} "  # noqa: S608
        f"WHERE {where} AND {COUNTED} GROUP BY GROUPING SETS ((1), ()) ORDER BY {order}"
    )
    others = f"""SELECT count(*) FILTER (WHERE {RECORDED}) AS recorded,
      count(*) FILTER (WHERE NOT {RECORDED} AND NOT {ENDED}) AS under_way,
      array_remove(array_agg(DISTINCT c.baseline_model) FILTER (WHERE {COUNTED}), NULL) AS baselines
      FROM {TABLES} WHERE {where}"""  # noqa: S608
    rows = session.execute(text(grouped), values).mappings().all()
    lines = [
        Line(row["key"], row["name"] or row["key"], spent(row))
        for row in rows
        if row["key"] is not None
    ]
    (summed,) = (spent(row) for row in rows if row["key"] is None)
    other = session.execute(text(others), values).one()
    return Costs(lines, summed, other.recorded, other.under_way, sorted(other.baselines or []))


def _where(asked: Asked) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {
        "since": asked.since,
        "until": asked.until + timedelta(days=1),
        "zone": asked.zone,
    }
    conditions = [PERIOD]
    for name, key in asked.only.items():
        conditions.append(f"({DIMENSIONS[name].key}) = :only_{name}")
        values[f"only_{name}"] = key
    return " AND ".join(conditions), values


def facts(line: Spent) -> dict[str, Any]:
    """Return what programs read of sums, in the order of the sheet's columns."""
    saved = line.saved_percent
    return {
        "calls": line.calls,
        "tokens": line.tokens,
        **{f"{name.replace(' ', '_')}_tokens": count for name, count in line.parts},
        "cost_usd": _known(line.cost, line.unpriced),
        "unpriced_calls": line.unpriced,
        "wasted_usd": _known(line.wasted, line.wasted_unpriced),
        "wasted_tokens": line.wasted_tokens,
        "wasted_unpriced_calls": line.wasted_unpriced,
        "compared_calls": line.compared,
        "compared_cost_usd": line.compared_cost,
        "counterfactual_usd": line.counterfactual,
        "saved_usd": line.saved,
        "saved_percent": None if saved is None else float(round(saved, 1)),
    }


def _known(amount: Decimal, unpriced: int) -> Decimal | None:
    """Return a sum, or None where nothing in it has a price: that is not $0."""
    return amount if amount or not unpriced else None
