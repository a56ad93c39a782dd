"""Executions that a step of another one starts: begun once, paid by it, rest and end with it."""

from typing import Any
from uuid import UUID, uuid5

import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pilot import db
from pilot.audit import Actor
from pilot.engine.acting import blobs
from pilot.engine.acting.blobs import Blob
from pilot.engine.acting.outcomes import Child, StepContext
from pilot.engine.agents import agents, nesting
from pilot.engine.agents.nesting import MAX_DEPTH
from pilot.engine.life import beginning, executions, preflight, replays, retrying, starts
from pilot.engine.running import compensation, simulation
from pilot.engine.status import FINAL, PAUSABLE, RETRYABLE, ExecutionStatus
from pilot.engine.workflow import inputs, ways
from pilot.engine.workflow.document import parse
from pilot.errors import (
    ConflictError,
    CrowdedError,
    ErrorClass,
    FencedError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    StepError,
)
from pilot.models.execution import Batch, Execution

log = structlog.get_logger()

BY = Actor("worker")
FOLLOWING = text("SELECT id, owner_id, wanted FROM following_children(100)")
# The least of all that pay for an execution; a limit is above 0, and no call costs so little.
LEFT = text("""
SELECT CASE WHEN usd <= 0 THEN 1e-12 ELSE usd END, CASE WHEN tokens <= 0 THEN 1 ELSE tokens END
  FROM (SELECT min(budget_usd - spent_usd - reserved_usd) AS usd,
               min(budget_tokens - spent_tokens - reserved_tokens) AS tokens
          FROM execution WHERE id IN (SELECT payers(:id))) AS found""")
# Whether the step that waited for an execution waits for it no more, or for nothing it could give.
LEFT_BEHIND = text("""
SELECT 1 FROM step_execution
 WHERE execution_id = :parent AND path = :path AND input ->> 'execution_id' = :id
   AND (status IN ('cancelled', 'replaced') OR :gone) LIMIT 1
""")
REFUSALS = (ConflictError, NotFoundError, ForbiddenError)
GOOD = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.COMPLETED_WITH_ERRORS})


def begin(context: StepContext, asked: Child) -> UUID:
    """Start the execution of a step, or return the one that it started before.

    One that failed is retried if its step runs again on request; in place of one that was
    cancelled or undone, another is started.

    Raises:
        FencedError: another worker owns the parent now.
        StepError: there is no such agent, it cannot run, its inputs are wrong, it is too deep.
    """
    with db.transaction("execution.child", context.owner_id) as session:
        key, known = _next(session, context)  # a child's row is locked before its parent's
        parent = _parent(session, context)
        if known is None:
            return _insert(session, parent, context, asked, key)
        again = context.superseded and known.status in RETRYABLE
        found = known.id
    if again:
        _retry(found, context.owner_id)
    return found


def _retry(child_id: UUID, owner_id: UUID) -> None:
    try:
        retrying.failed(child_id, by=BY, user_id=owner_id)
    except REFUSALS as error:
        raise StepError(ErrorClass.CONFIG, f"Execution {child_id}: {error.message}") from error


def _key(context: StepContext, place: int) -> UUID:
    """Return the key of an execution of a step, which may have been left behind some before it."""
    parent_id = UUID(context.scope.roots["execution"]["id"])
    return uuid5(parent_id, f"{context.path}|{context.rerun}" + (f"|{place}" if place else ""))


def _known(session: Session, key: UUID, *, lock: bool = False) -> Execution | None:
    query = select(Execution).where(Execution.parent_key == key)
    return session.scalar(query.with_for_update() if lock else query)


def _next(session: Session, context: StepContext) -> tuple[UUID, Execution | None]:
    """Return the key of the execution that a step waits for, and its locked row if it is begun."""
    place = 0
    while True:
        key = _key(context, place)
        known = _known(session, key, lock=True)
        if known is None or not _is_left(session, known):
            return key, known
        place += 1


def _is_left(session: Session, row: Execution) -> bool:
    is_undone = row.status in FINAL and row.compensation == "begun"
    values = {
        "parent": row.parent_id,
        "path": row.parent_path,
        "id": str(row.id),
        "gone": row.status == ExecutionStatus.CANCELLED or is_undone,
    }
    return session.scalar(LEFT_BEHIND, values) is not None


def _newest(session: Session, context: StepContext) -> Execution | None:
    """Return the execution of a step that was begun last."""
    place, newest = 0, None
    while found := _known(session, _key(context, place)):
        place, newest = place + 1, found
    return newest


def _parent(session: Session, context: StepContext) -> Execution:
    """Return the parent's locked row, if this worker still holds it."""
    parent_id = UUID(context.scope.roots["execution"]["id"])
    row = executions.find(session, parent_id, lock=True)
    if not _holds(session, row, context):
        raise FencedError(f"Execution {parent_id} has another owner.")
    if row.status != ExecutionStatus.RUNNING:
        raise StepError(ErrorClass.CANCELLED, "It was cancelled before this step could start.")
    if row.depth >= MAX_DEPTH:
        message = f"Executions within executions are {MAX_DEPTH} deep at most: is there a circle?"
        raise StepError(ErrorClass.LIMIT, message)
    return row


def _holds(session: Session, row: Execution, context: StepContext) -> bool:
    """Whether this worker still holds the parent, or the batch of it in which the step runs."""
    fence, batch = context.execution["fence"], context.execution["batch"]
    if batch is None:
        return bool(row.fence == fence)
    current = session.scalar(
        select(Batch.fence).where(Batch.id == UUID(batch["id"]), Batch.finished_at.is_(None))
    )
    return bool(current == fence)


def _insert(
    session: Session, parent: Execution, context: StepContext, asked: Child, key: UUID
) -> UUID:
    try:
        if asked.agent:
            row = _of_agent(session, parent, asked)
        else:
            row = _of_steps(session, parent, asked, context.on_limit)
    except InvalidError as error:
        problems = " ".join(issue.message for issue in error.issues)
        raise StepError(ErrorClass.INPUT, problems) from error
    except CrowdedError as error:
        raise StepError(ErrorClass.CONFLICT, error.message) from error
    except REFUSALS as error:
        raise StepError(ErrorClass.CONFIG, error.message) from error
    row.parent_id, row.parent_path, row.parent_key = parent.id, context.path, key
    row.depth, row.detached = parent.depth + 1, asked.detached
    row.priority, row.deadline_at = parent.priority, min(row.deadline_at, parent.deadline_at)
    if parent.mode == starts.SIMULATE:
        told = ways.within(parent.simulation or {}, context.path.rpartition("/")[2])
        row.simulation = told | {simulation.CLOCK: context.scope.now.isoformat()}
    replays.follow_parent(session, row, parent, context.path)
    beginning.store(session, row, BY)
    return row.id


def _of_agent(session: Session, parent: Execution, asked: Child) -> Execution:
    agent = agents.find(session, str(asked.agent))
    version = nesting.version_of(session, agent, asked.version, parent.created_at)
    given = starts.Start(inputs=asked.inputs, mode=parent.mode, trigger="parent", complete=True)
    return starts.prepare(
        session, agent, given, parent.started_by, preflight.UNTOLD, version=version, by=BY
    )


def _of_steps(session: Session, parent: Execution, asked: Child, on_limit: str) -> Execution:
    """Return the execution of steps; at the limit of its parent's budget it does as that does."""
    document = (asked.document or {}) | {"policies": {"budget": {"on_limit": on_limit}}}
    schema = document.get("inputs")
    values = inputs.fill_defaults(schema, asked.inputs) if schema else asked.inputs
    if schema and (issues := inputs.check(schema, values)):
        raise InvalidError(issues)
    return Execution(
        **beginning.new_ids(session),
        owner_id=parent.owner_id,
        agent_id=parent.agent_id,
        agent_name=parent.agent_name,
        document=document,
        runs="pilot_steps",
        runs_reason="inline",
        mode=parent.mode,
        trigger="parent",
        started_by=parent.started_by,
        inputs=values,
        settings=parent.settings,
        settings_version=parent.settings_version,
        flags=parent.flags,
        zone=parent.zone,
        status=ExecutionStatus.QUEUED,
        compensation=compensation.state(parse(document)),
        deadline_at=parent.deadline_at,
        **(_share(session, parent) if asked.detached else {}),
    )


def _share(session: Session, parent: Execution) -> dict[str, Any]:
    """Return the limits of what its parent does not pay: what is left there now."""
    usd, tokens = session.execute(LEFT, {"id": parent.id}).one()
    return {"budget_usd": usd, "budget_tokens": tokens}


def outcome(context: StepContext) -> dict[str, Any]:
    """Return what the execution of a step gave: `{execution_id, status, output}`.

    Raises:
        StepError: it failed (its own class), or was cancelled.
    """
    with db.transaction("execution.outcome", context.owner_id) as session:
        row = _newest(session, context)
        if row is None or row.status not in FINAL:
            raise StepError(ErrorClass.INTERNAL, "The execution that this step started is gone.")
        status, error, output, sha256 = row.status, row.error or {}, row.output, row.output_blob
        found = {"execution_id": str(row.id), "status": status, "output": output}
    if status not in GOOD:
        kind = ErrorClass.CANCELLED if status == ExecutionStatus.CANCELLED else ErrorClass.INTERNAL
        reason = error.get("message") or f"it was {status}"
        raise StepError(
            ErrorClass(error.get("class") or kind), f"Execution {found['execution_id']}: {reason}"
        )
    if sha256 is not None:
        found["output"] = blobs.load(context.owner_id, Blob(sha256.hex(), output or {}))
    return found


def follow() -> bool:
    """Let children end, rest and go on with what is above them; whether there was one to move.

    A child follows in a transaction of its own, one level at a look: those below it come next.
    """
    with db.transaction("execution.following", None) as session:
        following = session.execute(FOLLOWING).all()
    moved = False
    for child_id, owner_id, wanted in following:
        try:
            MOVES[wanted](child_id, owner_id)
            moved = True
        except (ConflictError, NotFoundError):
            log.info("child_moved_meanwhile", execution=str(child_id), wanted=wanted)
    return moved


def _cancel(child_id: UUID, owner_id: UUID) -> None:
    executions.cancel(child_id, by=BY, user_id=owner_id)


def _pause(child_id: UUID, owner_id: UUID) -> None:
    with db.transaction("execution.pause_child", owner_id) as session:
        row = executions.locked(session, child_id, PAUSABLE, "paused")
        executions.pause_locked(session, row, BY, held_by_parent=True)


def _resume(child_id: UUID, owner_id: UUID) -> None:
    executions.resume(child_id, by=BY, user_id=owner_id)


MOVES = {"cancel": _cancel, "pause": _pause, "resume": _resume}
