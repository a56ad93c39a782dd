"""The list of agents with how their executions went, and one agent's versions."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch

NEWEST = 2**31 - 1  # no version has such a number
SORTS = {
    "name": Sort("lower(a.name)", "text"),
    "changed": Sort("a.updated_at", "timestamptz"),
    "used": Sort("coalesce(r.last_at, 'epoch')", "timestamptz"),
}
# The last 30 days: what an agent did long ago says little about it.
SOURCE = Source(
    columns="""a.id, a.name, a.goal, a.active, a.demo, a.version_number, a.updated_at,
      u.name AS owner, r.last_at, r.runs, r.succeeded, r.ended, r.median_ms, r.strip,
      a.created_at < pilot_now() - interval '30 days' AND r.last_at IS NULL AS unused""",
    tables="""agent a JOIN app_user u ON u.id = a.owner_id
      CROSS JOIN LATERAL (
        SELECT max(e.created_at) AS last_at, count(*) AS runs,
               count(*) FILTER (WHERE e.status = 'completed') AS succeeded,
               count(*) FILTER (WHERE e.finished_at IS NOT NULL) AS ended,
               (percentile_cont(0.5) WITHIN GROUP (ORDER BY
                 extract(epoch FROM e.finished_at - e.started_at) * 1000))::int8 AS median_ms,
               (SELECT json_agg(json_build_object('id', l.id, 'status', l.status) ORDER BY l.id)
                  FROM (SELECT id, status FROM execution
                         WHERE agent_id = a.id ORDER BY id DESC LIMIT 10) l) AS strip
          FROM execution e
         WHERE e.agent_id = a.id AND e.created_at > pilot_now() - interval '30 days') r""",
    id="a.id",
    sorts=SORTS,
)
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
RECENT = text("""
SELECT id, status, mode, created_at, version_number,
       (extract(epoch FROM finished_at - started_at) * 1000)::int8 AS duration_ms
  FROM execution WHERE agent_id = :agent ORDER BY id DESC LIMIT 10
""")


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to."""

    q: str = ""  # part of the name or goal
    active: bool | None = None


def listed(session: Session, filters: Filters, wanted: Wanted) -> Listed:
    """Return one page of agents."""
    conditions, values = ["a.deleted_at IS NULL"], {}
    if filters.q:
        conditions.append("strpos(lower(a.name || ' ' || a.goal), lower(:q)) > 0")
        values["q"] = filters.q
    if filters.active is not None:
        conditions.append("a.active" if filters.active else "NOT a.active")
    return fetch(session, SOURCE, conditions, values, wanted)


def versions(
    session: Session, agent_id: UUID, *, before: int = NEWEST, size: int = 50
) -> list[dict[str, Any]]:
    """Return versions of an agent's workflow, the newest of those before a number first."""
    values = {"agent": agent_id, "before": before, "size": size}
    return [dict(row) for row in session.execute(VERSIONS, values).mappings()]


def recent(session: Session, agent_id: UUID) -> list[dict[str, Any]]:
    """Return the newest executions of an agent."""
    return [dict(row) for row in session.execute(RECENT, {"agent": agent_id}).mappings()]
