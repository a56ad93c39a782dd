"""What a finished step took and cost, that is not taken and paid again where its result is reused.

One run counts: of a step that ran several times the one that gave the result. It ran in the
execution from which a fork copied it, and what it started there is part of it.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# The newest attempt of each step of `:id` as `kept`: path, type, status, effect, key, reused_from,
# ms, usd, unpriced.
KEPT = """
WITH RECURSIVE newest AS (
  SELECT DISTINCT ON (path) path, attempt, execution_id, type, status, effect, key, reused_from,
         started_at FROM step_execution WHERE execution_id = :id ORDER BY path, attempt DESC
), ran AS (
  SELECT n.path, o.execution_id, o.attempt, o.duration_ms AS ms, o.type, o.finished_at
    FROM newest n CROSS JOIN LATERAL (
      SELECT * FROM step_execution s
       WHERE s.execution_id = coalesce(n.reused_from, n.execution_id) AND s.path = n.path
         AND (n.reused_from IS NULL OR s.started_at <= n.started_at)
       ORDER BY s.attempt DESC LIMIT 1) o
), within AS (
  SELECT r.path, e.id, e.cost_usd, e.unpriced_calls FROM ran r CROSS JOIN LATERAL (
      SELECT * FROM execution c
       WHERE c.parent_id = r.execution_id AND c.parent_path = r.path
         AND c.created_at <= coalesce(r.finished_at, pilot_now())
       ORDER BY c.created_at DESC LIMIT 1) e
   WHERE r.type = 'sub_workflow'
  UNION ALL
  SELECT w.path, e.id, e.cost_usd, e.unpriced_calls
    FROM within w JOIN execution e ON e.parent_id = w.id
), paid AS (
  SELECT r.path, c.cost AS usd, CASE WHEN c.cost IS NULL THEN 1 ELSE 0 END AS unpriced
    FROM ran r JOIN call c
      ON c.execution_id = r.execution_id AND c.path = r.path AND c.attempt = r.attempt
  UNION ALL
  SELECT path, cost_usd, unpriced_calls FROM within
), spent AS (
  SELECT path, coalesce(sum(usd), 0) AS usd, sum(unpriced)::int AS unpriced FROM paid GROUP BY path
), kept AS (
  SELECT n.*, r.ms, coalesce(s.usd, 0) AS usd, coalesce(s.unpriced, 0) AS unpriced
    FROM newest n LEFT JOIN ran r USING (path) LEFT JOIN spent s USING (path)
)"""
STEPS = text(f"{KEPT} SELECT * FROM kept")  # noqa: S608 -- of constants


def steps(session: Session, execution_id: UUID) -> dict[str, Any]:
    """Return the newest attempt of each step by path, with what it took and cost."""
    return {one.path: one for one in session.execute(STEPS, {"id": execution_id})}
