"""What a step gave in its newest real run, which a simulation takes in the place of the world."""

from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from pilot import db, older
from pilot.engine.acting import blobs
from pilot.engine.acting.blobs import Blob
from pilot.engine.language.step_fields import StepFields
from pilot.engine.workflow import document
from pilot.errors import PilotError

# Of the agent's newest executions, the newest result of a step, with the workflow it was part of.
_NEWEST = text("""
SELECT e.id, s.output, encode(s.output_blob, 'hex') AS blob, s.finished_at,
       coalesce(e.document, v.document) AS document
  FROM (SELECT id, document, version_id FROM execution
         WHERE agent_id BETWEEN :agent AND :agent AND mode <> 'simulate' AND pruned_at IS NULL
         ORDER BY agent_id DESC, id DESC LIMIT 100) e
  JOIN step_execution s ON s.execution_id = e.id AND s.path = :path AND s.status = 'completed'
  LEFT JOIN workflow_version v ON v.id = e.version_id
 ORDER BY e.id DESC LIMIT 1
""")


class Given(NamedTuple):
    """An output, when it was given and in which execution."""

    output: Any
    day: date
    execution_id: UUID


def given(owner_id: UUID, agent_id: str, path: str, written: StepFields) -> Given | None:
    """Return what a step gave, None: it never did, or was written otherwise when it did."""
    with db.reading(owner_id) as session:
        row = session.execute(_NEWEST, {"agent": agent_id, "path": path}).one_or_none()
    if row is None or _definition(row.document, written.id) != written.model_dump():
        return None
    output = row.output
    if row.blob is not None:
        output = blobs.load(owner_id, Blob(row.blob, output))
    return Given(output, row.finished_at.date(), row.id)


def _definition(source: Any, step_id: str) -> dict[str, Any] | None:
    try:
        steps = document.walk(document.parse(older.ours(source)).steps)
    except PilotError:  # of an older engine
        return None
    return next((one.model_dump() for one in steps if one.id == step_id), None)
