"""The list of executions: filters, order and totals over all rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import ceil
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine.status import ExecutionStatus
from pilot.reports import first_day
from pilot.reports.execution_steps import WAITED_FOR
from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch, midnight, within_reach
from pilot.reports.spending import REAL, ago

MOST_KEY = 2**63 - 1
UNDER_WAY = frozenset({ExecutionStatus.RUNNING, ExecutionStatus.WAITING})
SORTS = {
    "started": Sort("e.created_at", "timestamptz"),
    "agent": Sort("e.name_key", "text"),
    "status": Sort("e.status", "text"),
    "duration": Sort("e.duration_key", "int8"),
    "cost": Sort("e.cost_key", "int8"),
    "tokens": Sort("e.tokens", "int8"),
}
OF_MONEY = {
    "paid": "e.cost_key > 0",
    "unpriced": "e.unpriced_calls > 0",
    "wasted": "e.wasted_calls > 0",
    "recorded": "e.recorded_calls > 0",
    "none": "e.tokens = 0 AND e.unpriced_calls = 0 AND e.recorded_calls = 0",
}
WITHIN = {
    "24h": f"e.created_at > {ago(1)}",
    "7d": f"e.created_at > {ago(7)}",
    "first": first_day.within("e.created_at"),
}
SOURCE = Source(
    columns="""e.id, e.agent_id, e.agent_name, e.status, e.status_reason, e.version_number, e.mode,
      e.trigger, (SELECT u.name FROM app_user u WHERE u.id = e.started_by) AS started_by,
      e.created_at, e.started_at, e.finished_at, nullif(e.duration_key, -1) AS duration_ms,
      CASE WHEN e.cost_usd > 0 OR e.unpriced_calls = 0 THEN e.cost_usd END AS cost_usd,
      e.spent_usd AS cost_with_children_usd, e.unpriced_calls, e.tokens, e.recorded_calls,
      e.error ->> 'step' AS failed_step, e.error ->> 'message' AS error_message""",
    tables="execution e",
    id="e.id",
    sorts=SORTS,
    of_agents="e",
)
# Each name that executions have, found by one look into the index for each.
NAMED = """
WITH RECURSIVE known AS (
  (SELECT name_key FROM execution e WHERE ({mine}) ORDER BY name_key LIMIT 1)
  UNION ALL
  SELECT (SELECT e.name_key FROM execution e WHERE e.name_key > known.name_key AND ({mine})
           ORDER BY e.name_key LIMIT 1)
    FROM known WHERE known.name_key IS NOT NULL)
SELECT name_key FROM known WHERE name_key LIKE lower(:q)
"""
FAILED = """
SELECT e.id FROM execution e
 WHERE ({mine}) AND e.error IS NOT NULL AND e.error ->> 'message' ILIKE :q
"""
# Where what is under way stands: its first open wait, else the step that it last told of.
CURRENT = text("""
SELECT e.id, coalesce(w.path, v.path) AS path, w.kind
  FROM unnest(cast(:ids AS uuid[])) AS e (id)
  LEFT JOIN LATERAL (SELECT path, kind FROM wait WHERE execution_id = e.id AND consumed_at IS NULL
                      ORDER BY path LIMIT 1) w ON true
  LEFT JOIN LATERAL (SELECT path FROM event WHERE execution_id = e.id AND path IS NOT NULL
                      ORDER BY seq DESC LIMIT 1) v ON w.path IS NULL
 WHERE coalesce(w.path, v.path) IS NOT NULL
""")


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to; None or an empty text: not at all."""

    status: str | None = None
    agent: UUID | None = None
    agents: frozenset[UUID] | None = None  # only theirs
    mode: str | None = None
    q: str = ""  # part of the agent's name or error, or an execution's or session's id
    since: date | None = None  # first and last day
    until: date | None = None
    zone: str | None = None  # in which these days begin; None: in UTC
    within: str | None = None  # a key of WITHIN: started in these hours
    money: str | None = None  # a key of OF_MONEY
    cost_min: Decimal | None = None  # USD
    bulk: UUID | None = None  # those of one action on many

    def chosen(self) -> dict[str, Any]:
        """Return what it narrows the list by, for people; whose agents are meant is not theirs."""
        return {name: one for name, one in vars(self).items() if one and name != "agents"}


def listed(session: Session, filters: Filters, wanted: Wanted) -> Listed:
    """Return one page of executions."""
    return fetch(session, SOURCE, *_conditions(session, filters), wanted)


def current(session: Session, rows: Iterable[Mapping[str, Any]]) -> dict[UUID, str]:
    """Return at which step those of these executions stand that run or wait, in words."""
    ids = [row["id"] for row in rows if row["status"] in UNDER_WAY]
    found = session.execute(CURRENT, {"ids": ids}) if ids else ()
    return {
        row.id: f"at {row.path}"
        + (f", for {WAITED_FOR[row.kind]}" if row.kind in WAITED_FOR else "")
        for row in found
    }


def matching(session: Session, filters: Filters) -> tuple[str, dict[str, Any]]:
    """Return the condition over `execution e`, with its values, that all listed rows meet."""
    conditions, values = _conditions(session, filters)
    mine, value = within_reach(session, "e")
    return " AND ".join(f"({one})" for one in (mine, *conditions)), {**values, **value}


def _conditions(session: Session, filters: Filters) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for name, condition in (
        ("status", "e.status = :status"),
        ("agent", "e.agent_id = :agent"),
        ("mode", "e.mode = :mode"),
        ("bulk", "e.id IN (SELECT i.execution_id FROM bulk_item i WHERE i.bulk_id = :bulk)"),
        ("since", f"e.created_at >= {midnight(':since')}"),
        ("until", f"e.created_at < {midnight(':until', 1)}"),
    ):
        if getattr(filters, name):
            conditions.append(condition)
            values[name] = getattr(filters, name)
    if filters.since or filters.until:
        values["zone"] = filters.zone or "UTC"
    if not filters.mode and not filters.q:
        conditions.append(REAL)
    if filters.agents is not None:
        conditions.append("e.agent_id = ANY(:agents)")
        values["agents"] = list(filters.agents)
    if filters.q:
        conditions.append(_search(session, filters.q, values))
    if filters.within:
        conditions.append(WITHIN[filters.within])
    if filters.money:
        conditions.append(OF_MONEY[filters.money])
    if filters.cost_min is not None:
        conditions.append("e.cost_key >= :cost_min")
        values["cost_min"] = min(ceil(filters.cost_min.scaleb(12)), MOST_KEY)
    return conditions, values


def _search(session: Session, q: str, values: dict[str, Any]) -> str:
    """Return the condition; what matches a text is looked up before, so that an index serves it."""
    found = _id(q)
    if found is not None:
        values["q"] = found
        return "e.id = :q OR e.session_id = :q"
    mine, value = within_reach(session, "e")
    like = {"q": f"%{_escaped(q)}%", **value}
    values["named"] = list(session.scalars(text(NAMED.format(mine=mine)), like))
    values["failed"] = list(session.scalars(text(FAILED.format(mine=mine)), like))
    return "e.name_key = ANY(:named) OR e.id = ANY(:failed)"


def _id(q: str) -> UUID | None:
    try:
        return UUID(q)
    except ValueError:
        return None


def _escaped(q: str) -> str:
    """Return a text in which % and _ mean themselves."""
    return q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
