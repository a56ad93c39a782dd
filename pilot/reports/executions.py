"""The list of executions: filters, order and totals over all rows."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch

SORTS = {
    "started": Sort("e.created_at", "timestamptz"),
    "agent": Sort("lower(e.agent_name)", "text"),
    "status": Sort("e.status", "text"),
    "duration": Sort(
        "coalesce(extract(epoch FROM e.finished_at - e.started_at) * 1000, -1)::int8", "int8"
    ),
}
SOURCE = Source(
    columns="""e.id, e.agent_id, e.agent_name, e.status, e.status_reason, e.version_number, e.mode,
      e.trigger, u.name AS started_by, e.created_at, e.started_at, e.finished_at,
      (extract(epoch FROM e.finished_at - e.started_at) * 1000)::int8 AS duration_ms,
      e.error ->> 'step' AS failed_step, e.error ->> 'message' AS error_message""",
    tables="execution e JOIN app_user u ON u.id = e.started_by",
    id="e.id",
    sorts=SORTS,
)


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to; None or an empty text: not at all."""

    status: str | None = None
    agent: UUID | None = None
    mode: str | None = None
    q: str = ""  # part of the agent's name or error, or an execution's or session's id
    since: date | None = None  # first and last day, UTC
    until: date | None = None


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
    if filters.q:
        found = _id(filters.q)
        if found is not None:
            conditions.append("e.id = :q OR e.session_id = :q")
            values["q"] = found
        else:
            conditions.append("e.agent_name ILIKE :q OR e.error ->> 'message' ILIKE :q")
            values["q"] = f"%{_escaped(filters.q)}%"
    return fetch(session, SOURCE, conditions, values, wanted)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _escaped(text: str) -> str:
    """Return a text in which % and _ mean themselves."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
