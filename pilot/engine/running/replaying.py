"""What a replay has in the place of the world: what a past execution recorded, path by path.

What only computes runs really. What touches the world, waits for people, events or moments takes
what was recorded at its path, also that it failed; each step reads the time at which it began then.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import older
from pilot.engine.acting import blobs
from pilot.engine.acting.blobs import Blob
from pilot.engine.acting.outcomes import Done
from pilot.engine.acting.recorded import Recorded, Replay
from pilot.engine.language.step_fields import StepFields
from pilot.engine.status import StepStatus
from pilot.engine.workflow.following import written
from pilot.engine.workflow.outline import Node, outline, recorded_path
from pilot.errors import ErrorClass, StepError

NOTE = "As execution {id} recorded it: nothing was called."
_PAST = text("""
SELECT e.id, e.mode, e.trigger, coalesce(e.started_at, e.created_at) AS started_at,
       coalesce(e.document, v.document) AS document
  FROM execution e LEFT JOIN workflow_version v ON v.id = e.version_id WHERE e.id = :id
""")
# Where other steps took the place of a failure, the failure counts: they do so again. Attempts with
# one key were given what was resolved for the first; what was reused was read where it ran; steps
# that run for items or rows say themselves when they looked at them.
_STEPS = text("""
WITH tried AS (
  SELECT *, CASE WHEN key IS NULL THEN started_at
                 ELSE min(started_at) OVER (PARTITION BY path, key) END AS read_at
    FROM step_execution WHERE execution_id = :id
), ended AS (
  SELECT *, lag(status) OVER (PARTITION BY path ORDER BY attempt) AS before
    FROM tried WHERE status NOT IN ('superseded', 'replaced', 'interrupted'))
SELECT DISTINCT ON (e.path) e.path, e.type, e.status, e.input, e.output,
       encode(e.output_blob, 'hex') AS blob, e.error, coalesce(
         CASE WHEN e.type IN ('loop', 'scatter_gather', 'ai_processing') AND e.effect IS NULL
              THEN cast(e.input ->> 'at' AS timestamptz) END,
         (SELECT max(o.started_at) FROM step_execution o
           WHERE o.execution_id = e.reused_from AND o.path = e.path AND o.status = e.status),
         e.read_at) AS started_at
  FROM ended e
 WHERE NOT (e.status = 'completed' AND e.effect IS NULL AND e.before IS NOT DISTINCT FROM 'failed')
 ORDER BY e.path, e.attempt DESC
""")


def load(session: Session, execution_id: UUID, model: str | None) -> Replay:
    """Return a past execution with how each of its steps ended."""
    past = session.execute(_PAST, {"id": execution_id}).one()
    known = {recorded_path(node): node for node in outline(older.ours(past.document))}
    found = {
        row.path: Recorded(
            what=_what(row.type, written(known, row.path)),
            status=StepStatus(row.status),
            input=row.input,
            output=row.output if row.blob is None else Blob(row.blob, row.output),
            error=row.error,
            started_at=row.started_at,
        )
        for row in session.execute(_STEPS, {"id": execution_id})
    }
    about = {
        "mode": past.mode,
        "trigger": past.trigger,
        "started_at": past.started_at.isoformat(),
    }
    return Replay(past.id, model, about, past.started_at, found)


def _what(kind: str, node: Node | None) -> str:
    if kind != "action" or node is None:
        return kind
    return f"{kind} {node.step.get('plugin')}.{node.step.get('action')}"


def outcome(replay: Replay, path: str, step: StepFields, owner_id: UUID) -> Done | None:
    """Return what a step gave in the past; None: it did not run, or was another one.

    Raises:
        StepError: it failed.
    """
    known = replay.steps.get(path)
    if known is None or not _is_same(known, step):
        return None
    if known.status is StepStatus.FAILED:
        error = known.error or {}
        raise StepError(
            ErrorClass(error.get("class", "internal")),
            str(error.get("message", "")),
            code=error.get("code"),
        )
    if known.status is not StepStatus.COMPLETED:
        return None
    output = known.output
    if isinstance(output, Blob):
        output = blobs.load(owner_id, output)
    return Done(output, [NOTE.format(id=replay.execution_id)])


def _is_same(known: Recorded, step: Any) -> bool:
    if known.what.partition(" ")[0] != step.type:
        return False
    action: str = getattr(step, "action_name", "")
    return " " not in known.what or known.what == f"{step.type} {action}"
