"""Retries: failed steps with the keys they had, or a step and all that follows under new ones."""

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from pilot import db
from pilot.audit import Actor, Event
from pilot.engine import trail
from pilot.engine.life import executions, reruns
from pilot.engine.status import REPEATABLE, RETRYABLE, ExecutionStatus
from pilot.errors import ConflictError
from pilot.models.execution import Execution
from pilot.models.trigger import TriggerFire


def failed(
    execution_id: UUID,
    *,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
    seen_seq: int | None = None,
    key: str | None = None,
) -> None:
    """Run the failed steps again, and what they blocked, with the same keys.

    Raises:
        NotFoundError: no such execution, or its agent is gone (named).
        ConflictError: it has no failed steps, what started it has ended, or it changed since the
            receipt.
    """
    with db.transaction("execution.retry", user_id, sees_all=sees_all) as session:
        asked = {"sequence": seen_seq}
        route = "execution.retry"
        if executions.done_before(session, user_id, key, route, execution_id, asked):
            return
        failed_in(session, execution_id, by, seen_seq)


def failed_in(session: Session, execution_id: UUID, by: Actor, seen_seq: int | None = None) -> None:
    """Do what `failed` does in the caller's transaction."""
    row = executions.locked(session, execution_id, RETRYABLE, "retried")
    executions.still_whole(row)
    executions.agent_exists(session, row)
    is_wanted(session, row)
    executions.fresh_receipt(row, seen_seq)
    again = reruns.failed(session, row.id)
    if not again and row.error is None:
        raise ConflictError("Nothing failed in this execution: there is nothing to retry.")
    _reopen(session, row)
    steps = [path for path, _ in again]
    trail.record(session, row, Event.PILOT_EXECUTION_RETRIED, by, {"steps": steps})


def from_step(  # noqa: PLR0913 -- from where, what was seen, and who asks
    execution_id: UUID,
    path: str,
    *,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
    seen_seq: int | None = None,
    repeat_effects: bool = False,
    key: str | None = None,
) -> None:
    """Run a step and what follows from it again, as if they had never run; the rest is reused.

    What failed elsewhere, and kept others from running, runs again too, with its key.

    Raises:
        NotFoundError: no such execution, no such step in it, or its agent is gone (named).
        ConflictError: it is not at rest, a step's outcome is unknown, what started it has ended,
            an effect would happen once more and `repeat_effects` is off, or it changed since the
            receipt.
    """
    asked = {"step": path, "repeat_effects": repeat_effects, "sequence": seen_seq}
    with db.transaction("execution.retry_from", user_id, sees_all=sees_all) as session:
        route = "execution.retry_from"
        if executions.done_before(session, user_id, key, route, execution_id, asked):
            return
        row = executions.locked(session, execution_id, REPEATABLE, "retried")
        executions.still_whole(row)
        executions.agent_exists(session, row)
        is_wanted(session, row)
        executions.fresh_receipt(row, seen_seq)
        if executions.open_unknown(session, row.id):
            raise ConflictError(executions.ANSWER_FIRST)
        again = reruns.with_step(session, row.id, executions.document_of(session, row), path)
        if again.effects and not repeat_effects:
            named = ", ".join(one.path for one in again.effects)
            raise ConflictError(f"{named} would happen once more, under a new key: confirm that.")
        reruns.replace(session, row.id, again)
        if row.status == ExecutionStatus.FAILED:
            reruns.failed(session, row.id, tolerated=False)
        row.recovery_attempts = 0
        _reopen(session, row)
        facts = {"from": path, "steps": again.replaced}
        trail.record(session, row, Event.PILOT_EXECUTION_RETRIED, by, facts)


def is_wanted(session: Session, row: Execution) -> None:
    """Raise ConflictError if what started it has ended: it would be cancelled at once."""
    if row.parent_id is None or row.detached:
        return
    parent = session.get(Execution, row.parent_id)
    if parent is not None and parent.finished_at is not None:
        text = f"A step of execution {parent.id} started it, and that has ended"
        raise ConflictError(f"{text}: retry that one, or fork this one.")


def _reopen(session: Session, row: Execution) -> None:
    """Queue it again; a trigger that started it has one under way again."""
    executions.reopen(session, row)
    fired = (TriggerFire.execution_id == row.id, TriggerFire.status == "ended")
    session.execute(update(TriggerFire).where(*fired).values(status="started"))
