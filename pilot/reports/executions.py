"""The list of executions: filters, order and totals over all rows."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from pilot.reports import first_day
from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch
from pilot.reports.spending import COUNTED, ENDED, RECORDED, TOKENS, ago

# What the calls to models of an execution took; recorded answers count as nothing, and are told.
MONEY = f"""LATERAL (
  SELECT coalesce(sum({TOKENS}) FILTER (WHERE {COUNTED}), 0)::bigint AS tokens,
         coalesce(sum(c.cost) FILTER (WHERE {COUNTED}), 0) AS cost,
         count(*) FILTER (WHERE {COUNTED} AND c.cost IS NULL) AS unpriced,
         count(*) FILTER (WHERE {COUNTED} AND c.wasted) AS wasted_calls,
         count(*) FILTER (WHERE {RECORDED}) AS recorded
    FROM call c WHERE c.execution_id = e.id AND {ENDED}) m"""  # noqa: S608 -- constants
SORTS = {
    "started": Sort("e.created_at", "timestamptz"),
    "agent": Sort("lower(e.agent_name)", "text"),
    "status": Sort("e.status", "text"),
    "duration": Sort(
        "coalesce(extract(epoch FROM e.finished_at - e.started_at) * 1000, -1)::int8", "int8"
    ),
    "cost": Sort("m.cost", "numeric"),
    "tokens": Sort("m.tokens", "int8"),
}
OF_MONEY = {
    "paid": "m.cost > 0",
    "unpriced": "m.unpriced > 0",
    "wasted": "m.wasted_calls > 0",
    "recorded": "m.recorded > 0",
    "none": "m.tokens = 0 AND m.unpriced = 0 AND m.recorded = 0",
}
WITHIN = {
    "24h": f"e.created_at > {ago(1)}",
    "7d": f"e.created_at > {ago(7)}",
    "first": first_day.within("e.created_at"),
}
SOURCE = Source(
    columns="""e.id, e.agent_id, e.agent_name, e.status, e.status_reason, e.version_number, e.mode,
      e.trigger, u.name AS started_by, e.created_at, e.started_at, e.finished_at,
      (extract(epoch FROM e.finished_at - e.started_at) * 1000)::int8 AS duration_ms,
      m.cost AS cost_usd, m.unpriced AS unpriced_calls, m.tokens, m.recorded AS recorded_calls,
      e.error ->> 'step' AS failed_step, e.error ->> 'message' AS error_message""",
    tables=f"execution e JOIN app_user u ON u.id = e.started_by CROSS JOIN {MONEY}",
    id="e.id",
    sorts=SORTS,
    counted="execution e",
)


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to; None or an empty text: not at all."""

    status: str | None = None
    agent: UUID | None = None
    agents: frozenset[UUID] | None = None  # only theirs
    mode: str | None = None
    q: str = ""  # part of the agent's name or error, or an execution's or session's id
    since: date | None = None  # first and last day, UTC
    until: date | None = None
    within: str | None = None  # a key of WITHIN: started in these hours
    money: str | None = None  # a key of OF_MONEY
    cost_min: Decimal | None = None  # USD


def listed(session: Session, filters: Filters, wanted: Wanted) -> Listed:
    """Return one page of executions."""
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for name, condition in (
        ("status", "e.status = :status"),
        ("agent", "e.agent_id = :agent"),
        ("mode", "e.mode = :mode"),
        ("since", "e.created_at >= cast(:since AS date)"),
        ("until", "e.created_at < cast(:until AS date) + 1"),
    ):
        if getattr(filters, name):
            conditions.append(condition)
            values[name] = getattr(filters, name)
    if filters.agents is not None:
        conditions.append("e.agent_id = ANY(:agents)")
        values["agents"] = list(filters.agents)
    if filters.q:
        conditions.append(_search(filters.q, values))
    if filters.within:
        conditions.append(WITHIN[filters.within])
    source = SOURCE
    if filters.money or filters.cost_min is not None:
        source = replace(SOURCE, counted=f"execution e CROSS JOIN {MONEY}")
    if filters.money:
        conditions.append(OF_MONEY[filters.money])
    if filters.cost_min is not None:
        conditions.append("m.cost >= :cost_min")
        values["cost_min"] = filters.cost_min
    return fetch(session, source, conditions, values, wanted)


def _search(q: str, values: dict[str, Any]) -> str:
    found = _id(q)
    if found is not None:
        values["q"] = found
        return "e.id = :q OR e.session_id = :q"
    values["q"] = f"%{_escaped(q)}%"
    return "e.agent_name ILIKE :q OR e.error ->> 'message' ILIKE :q"


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _escaped(text: str) -> str:
    """Return a text in which % and _ mean themselves."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
