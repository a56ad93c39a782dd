"""What the triggers of an agent have fired."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

FIRES = text("""
SELECT f.trigger_id, f.fire_at, f.status, f.reason, f.execution_id, f.cause_execution_id,
       e.status AS execution_status, t.zone
  FROM agent_trigger t JOIN trigger_fire f ON f.trigger_id = t.id
  LEFT JOIN execution e ON e.id = f.execution_id
 WHERE t.agent_id = :agent AND f.kind = :kind
   AND (cast(:trigger AS uuid) IS NULL OR t.id = :trigger)
 ORDER BY f.id DESC LIMIT :n
""")
OF_EXECUTION = text("""
SELECT f.kind, f.status, f.reason, f.execution_id, f.cause_execution_id, f.fire_at
  FROM trigger_fire f
 WHERE f.execution_id = :id OR f.cause_execution_id = :id ORDER BY f.id LIMIT 50
""")


def fires(
    session: Session,
    agent_id: UUID,
    trigger_id: UUID | None = None,
    *,
    kind: str = "schedule",
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Return the newest fires of an agent's triggers, deleted ones too, with their executions."""
    values = {"agent": agent_id, "trigger": trigger_id, "kind": kind, "n": limit}
    return [dict(row) for row in session.execute(FIRES, values).mappings()]


def of_execution(session: Session, execution_id: UUID) -> list[dict[str, Any]]:
    """Return what started an execution, if a trigger did, and what it started in turn."""
    return [dict(row) for row in session.execute(OF_EXECUTION, {"id": execution_id}).mappings()]
