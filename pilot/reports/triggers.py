"""What the schedules of an agent have fired."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

FIRES = text("""
SELECT f.trigger_id AS schedule_id, f.fire_at, f.status, f.reason, f.execution_id,
       e.status AS execution_status, t.zone
  FROM agent_trigger t JOIN trigger_fire f ON f.trigger_id = t.id
  LEFT JOIN execution e ON e.id = f.execution_id
 WHERE t.agent_id = :agent AND (cast(:schedule AS uuid) IS NULL OR t.id = :schedule)
 ORDER BY f.id DESC LIMIT :n
""")


def fires(
    session: Session, agent_id: UUID, schedule_id: UUID | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Return the newest fires of an agent's schedules, deleted ones too, with their executions."""
    values = {"agent": agent_id, "schedule": schedule_id, "n": limit}
    return [dict(row) for row in session.execute(FIRES, values).mappings()]
