"""The list of agents with how their executions went, and one agent's versions."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine.triggers import schedules
from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch

NEWEST = 2**31 - 1  # no version has such a number
# The newest executions of an agent, by the index on (agent_id, id): written with "=", the planner
# may walk all executions backwards instead, which takes seconds for an agent that has none.
NEWEST_OF = (
    "agent_id BETWEEN {0} AND {0} AND mode <> 'simulate' ORDER BY agent_id DESC, id DESC LIMIT {1}"
)
# Of the newest executions only: what an agent did long ago says little about it.
STATISTICS = f"""LATERAL (
  SELECT max(e.created_at) AS last_at,
         count(*) FILTER (WHERE recent) AS runs,
         count(*) FILTER (WHERE recent AND e.status = 'completed') AS succeeded,
         count(*) FILTER (WHERE recent AND e.finished_at IS NOT NULL) AS ended,
         (percentile_cont(0.5) WITHIN GROUP (ORDER BY
           extract(epoch FROM e.finished_at - e.started_at) * 1000)
           FILTER (WHERE recent))::int8 AS median_ms
    FROM (SELECT status, created_at, started_at, finished_at,
                 created_at > pilot_now() - interval '30 days' AS recent
            FROM execution WHERE {NEWEST_OF.format("a.id", 100)}) e) r"""  # noqa: S608 -- constants
# Half of the executions of the last 30 days that ended cost no more, with those within them; those
# with an unpriced call are counted apart.
COSTS = f"""LATERAL (
  SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY e.spent_usd)
           FILTER (WHERE e.unpriced_calls = 0) AS median_cost_usd,
         count(*) FILTER (WHERE e.unpriced_calls > 0) AS unpriced_executions,
         coalesce(bool_or(e.recorded_calls > 0), false) AS recorded
    FROM (SELECT created_at, finished_at, spent_usd, unpriced_calls, recorded_calls
            FROM execution WHERE {NEWEST_OF.format("a.id", 100)}) e
   WHERE e.finished_at IS NOT NULL AND e.created_at > pilot_now() - interval '30 days'
  ) k"""  # noqa: S608 -- constants of this file
SORTS = {
    "name": Sort("lower(a.name)", "text"),
    "changed": Sort("a.updated_at", "timestamptz"),
    "completed": Sort("coalesce(r.succeeded::float8 / nullif(r.ended, 0), -1)", "float8"),
    "median": Sort("coalesce(r.median_ms, -1)", "int8"),
    "cost": Sort("coalesce(k.median_cost_usd, -1)", "numeric"),
    "used": Sort("coalesce(r.last_at, 'epoch')", "timestamptz"),
}
SOURCE = Source(
    columns="a.id, a.name, a.goal, a.tags, a.active, a.demo, a.version_number, a.updated_at, "
    "u.name AS owner",
    tables="agent a JOIN app_user u ON u.id = a.owner_id",
    id="a.id",
    sorts=SORTS,
    counted="agent a",
)
SORTED_BY_STATISTICS = replace(SOURCE, tables=f"{SOURCE.tables} CROSS JOIN {STATISTICS}")
SORTED_BY_COST = replace(SOURCE, tables=f"{SOURCE.tables} CROSS JOIN {COSTS}")
SOURCES = {"name": SOURCE, "changed": SOURCE, "cost": SORTED_BY_COST}
OF_PAGE = text(f"""
SELECT a.id, r.*, k.*,
       a.created_at < pilot_now() - interval '30 days'
         AND coalesce(r.last_at < pilot_now() - interval '30 days', true) AS unused,
       (SELECT json_agg(json_build_object('id', l.id, 'status', l.status) ORDER BY l.id)
          FROM (SELECT id, status FROM execution
                 WHERE {NEWEST_OF.format("a.id", 10)}) l) AS strip,
       (SELECT json_build_object('cron', t.cron, 'every_s', t.every_s, 'zone', t.zone)
          FROM agent_trigger t WHERE t.agent_id = a.id AND t.active AND t.next_at IS NOT NULL
         ORDER BY t.next_at LIMIT 1) AS schedule
  FROM agent a CROSS JOIN {STATISTICS} CROSS JOIN {COSTS} WHERE a.id = ANY(:ids)
""")  # noqa: S608 -- constants of this file
VERSIONS = text("""
SELECT v.number, v.reason, v.origin, v.created_at, u.name AS author,
       coalesce(e.executions, 0) AS executions, coalesce(e.under_way, 0) AS under_way
  FROM workflow_version v
  JOIN app_user u ON u.id = v.author_id
  LEFT JOIN (SELECT version_id, count(*) AS executions,
                    count(*) FILTER (WHERE finished_at IS NULL) AS under_way
               FROM execution WHERE agent_id = :agent GROUP BY version_id) e ON e.version_id = v.id
 WHERE v.agent_id = :agent AND v.number < :before ORDER BY v.number DESC LIMIT :size
""")
RECENT = text(f"""
SELECT id, status, mode, created_at, version_number,
       (extract(epoch FROM finished_at - started_at) * 1000)::int8 AS duration_ms
  FROM execution WHERE {NEWEST_OF.format(":agent", 10)}
""")  # noqa: S608 -- constants of this file


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to."""

    q: str = ""  # part of the name or goal
    active: bool | None = None
    ids: frozenset[UUID] | None = None  # only these


def listed(session: Session, filters: Filters, wanted: Wanted) -> Listed:
    """Return one page of agents."""
    conditions: list[str] = ["a.deleted_at IS NULL"]
    values: dict[str, Any] = {}
    if filters.ids is not None:
        conditions.append("a.id = ANY(:ids)")
        values["ids"] = list(filters.ids)
    if filters.q:
        searched = "concat_ws(' ', a.name, a.goal, array_to_string(a.tags, ' '))"
        conditions.append(f"strpos(lower({searched}), lower(:q)) > 0")
        values["q"] = filters.q
    if filters.active is not None:
        conditions.append("a.active" if filters.active else "NOT a.active")
    source = SOURCES.get(wanted.sort.removeprefix("-"), SORTED_BY_STATISTICS)
    found = fetch(session, source, conditions, values, wanted)
    ids = [row["id"] for row in found.rows]
    facts = {row["id"]: _told(row) for row in session.execute(OF_PAGE, {"ids": ids}).mappings()}
    return replace(found, rows=[dict(row) | facts[row["id"]] for row in found.rows])


def _told(row: Any) -> dict[str, Any]:
    """Return a row with its next schedule in words, or None."""
    timing = row["schedule"]
    words = schedules.in_words(schedules.Timing(**timing)) if timing is not None else None
    return dict(row) | {"schedule": words}


def versions(
    session: Session, agent_id: UUID, *, before: int = NEWEST, size: int = 50
) -> list[dict[str, Any]]:
    """Return versions of an agent's workflow, the newest of those before a number first."""
    values = {"agent": agent_id, "before": before, "size": size}
    return [dict(row) for row in session.execute(VERSIONS, values).mappings()]


def recent(session: Session, agent_id: UUID) -> list[dict[str, Any]]:
    """Return the newest executions of an agent."""
    return [dict(row) for row in session.execute(RECENT, {"agent": agent_id}).mappings()]
