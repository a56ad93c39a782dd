"""What people do with executions: pause, resume, cancel, answer, raise the budget. Each owns its
transaction; the runner only ever sees the rows that these change. The same `key` within 24 h acts
once; `sees_all` is for administrators, who may do this with the executions of others too.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from pilot import db, jobs, progress, strictjson
from pilot.audit import Actor, Event
from pilot.engine import idempotency, trail
from pilot.engine.agents import access
from pilot.engine.language import catalogue, json_schemas
from pilot.engine.providers import budgets
from pilot.engine.running import compensation
from pilot.engine.status import (
    ANSWERABLE,
    CANCELLABLE,
    FINAL,
    PAUSABLE,
    RAISABLE,
    RESUMABLE,
    ExecutionStatus,
    StepStatus,
)
from pilot.engine.workflow.document import parse, walk
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError
from pilot.models.agent import Agent, WorkflowVersion
from pilot.models.columns import NOW
from pilot.models.execution import Execution, StepExecution, Wait

MAX_INPUT_BYTES = 1024 * 1024
ANSWER_FIRST = "Answer first whether the unknown step happened."


def pause(
    execution_id: UUID,
    *,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
    key: str | None = None,
) -> None:
    """Pause at the next step boundary; at once when no worker holds it.

    Raises:
        NotFoundError: no such execution.
        ConflictError: it cannot be paused now.
    """
    with db.transaction("execution.pause", user_id, sees_all=sees_all) as session:
        if done_before(session, user_id, key, "execution.pause", execution_id):
            return
        pause_in(session, execution_id, by)


def pause_in(session: Session, execution_id: UUID, by: Actor) -> None:
    """Do what `pause` does in the caller's transaction."""
    pause_locked(session, locked(session, execution_id, PAUSABLE, "paused"), by)


def pause_locked(
    session: Session, row: Execution, by: Actor, *, held_by_parent: bool = False
) -> None:
    """Do what `pause` does with a locked row that can be paused; `resume` tells who ends it."""
    row.held_by_parent = held_by_parent
    if row.status == ExecutionStatus.RUNNING:
        row.pause_requested_at = trail.now(session)
        trail.tell(session, row.id, "execution", None, {"asked": "pause"})
    else:
        row.status, row.status_reason = ExecutionStatus.PAUSED, "pause"
        trail.tell(session, row.id, "execution", None, {"status": "paused", "reason": "pause"})
        trail.record(session, row, Event.PILOT_EXECUTION_PAUSED, by, {"reason": "pause"})
    progress.signal(session, row.id)


def resume(
    execution_id: UUID,
    *,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
    seen_seq: int | None = None,
    key: str | None = None,
) -> None:
    """Queue a paused execution again; `seen_seq` is the event sequence its receipt was made from.

    Raises:
        NotFoundError: no such execution, or its agent is gone (named).
        ConflictError: it cannot be resumed now, or it changed since the receipt; or it rests
            with the execution whose step started it, which is to be resumed instead.
    """
    with db.transaction("execution.resume", user_id, sees_all=sees_all) as session:
        asked = {"sequence": seen_seq}
        if done_before(session, user_id, key, "execution.resume", execution_id, asked):
            return
        resume_in(session, execution_id, by, seen_seq)


def resume_in(session: Session, execution_id: UUID, by: Actor, seen_seq: int | None = None) -> None:
    """Do what `resume` does in the caller's transaction."""
    row = locked(session, execution_id, RESUMABLE, "resumed")
    agent_exists(session, row)
    fresh_receipt(row, seen_seq)
    _parent_goes_on(session, row)
    if row.status == ExecutionStatus.NEEDS_ATTENTION and open_unknown(session, row.id):
        raise ConflictError(ANSWER_FIRST)
    row.recovery_attempts = 0
    queue(session, row)
    trail.record(session, row, Event.PILOT_EXECUTION_RESUMED, by, {})


def cancel(
    execution_id: UUID,
    *,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
    key: str | None = None,
) -> None:
    """Cancel: at once when no worker holds it, else within seconds.

    Raises:
        NotFoundError: no such execution.
        ConflictError: it is finished or being cancelled already.
    """
    with db.transaction("execution.cancel", user_id, sees_all=sees_all) as session:
        if done_before(session, user_id, key, "execution.cancel", execution_id):
            return
        cancel_in(session, execution_id, by)


def cancel_in(session: Session, execution_id: UUID, by: Actor) -> None:
    """Do what `cancel` does in the caller's transaction."""
    cancel_locked(session, locked(session, execution_id, CANCELLABLE, "cancelled"), by)


def cancel_locked(session: Session, row: Execution, by: Actor) -> None:
    """Do what `cancel` does with a locked row that can be cancelled."""
    row.cancel_requested_at = trail.now(session)
    if row.status == ExecutionStatus.RUNNING:
        row.status = ExecutionStatus.CANCELLING
        trail.tell(session, row.id, "execution", None, {"status": "cancelling"})
    elif compensation.is_due(session, row, document_of(session, row)):
        _close_steps(session, row.id)
        row.admitted = True  # it only ends
        queue(session, row)
    else:
        row.status, row.finished_at = ExecutionStatus.CANCELLED, row.cancel_requested_at
        row.status_reason = row.status_reason if row.status_reason == "unknown_outcome" else None
        _close_steps(session, row.id)
        trail.tell(session, row.id, "execution", None, {"status": "cancelled"})
        trail.record(session, row, Event.PILOT_EXECUTION_CANCELLED, by, {"status": "cancelled"})
    progress.signal(session, row.id)


def answer(  # noqa: PLR0913 -- whose answer to which question, and its result
    execution_id: UUID,
    path: str,
    said: str,
    *,
    result: Any = None,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
    key: str | None = None,
) -> None:
    """Say what became of a step whose outcome is unknown: happened, run or skip.

    Raises:
        NotFoundError: no such execution.
        ConflictError: somebody answered already, or the execution is finished.
        InvalidError: another word than happened, run or skip; or a result that misfits the
            action's output, or is beyond 1 MB.
    """
    becomes = {
        "happened": StepStatus.COMPLETED,
        "run": StepStatus.INTERRUPTED,
        "skip": StepStatus.SKIPPED,
    }
    if said not in becomes:
        raise InvalidError([Issue("E_INPUT", "/said", "Answer happened, run or skip.")])
    if len(strictjson.dumps(result).encode()) > MAX_INPUT_BYTES:
        raise InvalidError([Issue("E_LIMIT", "/result", "The result is larger than 1 MB.")])
    with db.transaction("execution.answer", user_id, sees_all=sees_all) as session:
        asked = {"path": path, "said": said, "result": result}
        if done_before(session, user_id, key, "execution.answer", execution_id, asked):
            return
        row = locked(session, execution_id, ANSWERABLE, "answered")
        if result is not None:
            _check_result(session, row, path, result)
        happened = {"output": result} if said == "happened" else {}
        values: dict[str, Any] = {"status": becomes[said]} | happened
        hit = session.scalars(
            update(StepExecution)
            .where(
                StepExecution.execution_id == row.id,
                StepExecution.path == path,
                StepExecution.status == StepStatus.UNKNOWN,
            )
            .values(**values)
            .returning(StepExecution.attempt)
        ).all()
        if not hit:
            raise ConflictError("This step has no open question: somebody answered it already.")
        trail.tell(session, row.id, "step", path, {"status": str(becomes[said]), "answer": said})
        trail.record(session, row, Event.PILOT_OUTCOME_RESOLVED, by, {"path": path, "answer": said})
        if row.status == ExecutionStatus.NEEDS_ATTENTION and not open_unknown(session, row.id):
            queue(session, row)


def raise_budget(
    execution_id: UUID,
    limit: budgets.Limits,
    *,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
    key: str | None = None,
) -> None:
    """Give an execution a higher limit; one that waits for it goes on. None leaves a limit.

    Raises:
        NotFoundError: no such execution.
        ConflictError: it is finished.
        InvalidError: no amount, or not above what holds now.
    """
    with db.transaction("execution.raise_budget", user_id, sees_all=sees_all) as session:
        asked = budgets.facts(limit)
        if done_before(session, user_id, key, "execution.raise_budget", execution_id, asked):
            return
        row = locked(session, execution_id, RAISABLE, "given more budget")
        before = budgets.Limits(row.budget_usd, row.budget_tokens)
        after = budgets.raised(before, limit)
        row.budget_usd, row.budget_tokens = after.usd, after.tokens
        facts = {"before": budgets.facts(before), "after": budgets.facts(after)}
        trail.tell(session, row.id, "execution", None, {"budget": budgets.facts(after)})
        trail.record(session, row, Event.PILOT_BUDGET_RAISED, by, facts)
        if row.status == ExecutionStatus.BUDGET_PAUSED:
            queue(session, row)
        else:
            progress.signal(session, row.id)


def _check_result(session: Session, row: Execution, path: str, result: Any) -> None:
    """Refuse a result that the step's action could not have given."""
    workflow = document_of(session, row)
    step_id = path.rpartition("/")[2]
    found = next((one for one in walk(parse(workflow).steps) if one.id == step_id), None)
    action = catalogue.load().actions.get(getattr(found, "action_name", ""))
    errors = json_schemas.check_value(action.output_schema, result) if action else []
    if errors:
        text = f"This is no result of {step_id}: {json_schemas.in_words(errors)}."
        raise InvalidError([Issue("E_SCHEMA", "/result", text)])


def done_before(
    session: Session,
    user_id: UUID,
    key: str | None,
    route: str,
    execution_id: UUID,
    asked: dict[str, Any] | None = None,
) -> bool:
    """Whether this very request was heeded already: a form that was sent twice."""
    body = {"execution": str(execution_id)} | (asked or {})
    kept = idempotency.open_request(session, user_id, key, route, body)
    if kept is None:
        idempotency.keep_answer(session, user_id, key, {"done": True})
    return kept is not None


def find(session: Session, execution_id: UUID, *, lock: bool = False) -> Execution:
    """Return an execution that the session's user may see.

    Raises:
        NotFoundError: absent, or somebody else's.
    """
    query = select(Execution).where(Execution.id == execution_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFoundError("There is no such execution, or it is not yours.")
    return row


def document_of(session: Session, row: Execution) -> Any:
    """Return the document that an execution runs."""
    if row.document is not None:
        return row.document
    version = session.get(WorkflowVersion, row.version_id) if row.version_id else None
    return version.document if version is not None else None


def locked(
    session: Session, execution_id: UUID, allowed: frozenset[ExecutionStatus], verb: str
) -> Execution:
    """Return the locked row, as its owner from here on where it is shared with the user to run."""
    query = select(Execution.agent_id, Execution.owner_id).where(Execution.id == execution_id)
    seen, user_id = session.execute(query).one_or_none(), session.info["user_id"]
    if seen is not None:
        access.act_as_owner(session, seen.agent_id, seen.owner_id, user_id)
    row = find(session, execution_id, lock=True)
    if row.status not in allowed:
        word = "finished" if row.status in FINAL else "now"
        status = row.status.replace("_", " ")
        raise ConflictError(f"It is {status}: it cannot be {verb} {word}.".replace(" finished", ""))
    return row


def agent_exists(session: Session, row: Execution) -> None:
    """Raise NotFoundError if the agent was deleted."""
    gone = session.scalar(select(Agent.deleted_at).where(Agent.id == row.agent_id))
    if gone is not None:
        raise NotFoundError(
            f"The agent {row.agent_name} was deleted: its execution stays readable."
        )


def fresh_receipt(row: Execution, seen_seq: int | None) -> None:
    """Raise ConflictError if something happened since a receipt was made."""
    if seen_seq is not None and seen_seq != row.event_seq:
        raise ConflictError("It changed since you looked: read the new receipt and decide again.")


def _parent_goes_on(session: Session, row: Execution) -> None:
    if row.parent_id is None or row.detached:
        return
    parent = session.get(Execution, row.parent_id)
    if parent is not None and (
        parent.status == ExecutionStatus.PAUSED or parent.pause_requested_at is not None
    ):
        raise ConflictError(
            f"A step of execution {parent.id} started it, and that is paused: resume {parent.id}."
        )


def still_whole(row: Execution) -> None:
    """Raise ConflictError if what its steps gave is deleted or undone."""
    if row.compensation == "begun":
        raise ConflictError("Its finished steps were undone when it ended: start a new execution.")
    if row.pruned_at is not None:
        raise ConflictError("Its outputs were deleted after a while: start a new execution.")


def open_unknown(session: Session, execution_id: UUID) -> bool:
    """Whether a step's outcome is unknown, and nobody has said it yet."""
    query = select(StepExecution.path).where(
        StepExecution.execution_id == execution_id, StepExecution.status == StepStatus.UNKNOWN
    )
    return session.scalar(query.limit(1)) is not None


def reopen(session: Session, row: Execution) -> None:
    """Queue an execution that may have ended, with time to go on."""
    row.error, row.output, row.output_blob, row.finished_at = None, None, None, None
    row.cancel_requested_at = None  # one that came too late
    row.deadline_at = session.scalar(
        text("SELECT greatest(:d, pilot_now() + interval '1 hour')"), {"d": row.deadline_at}
    )
    queue(session, row)


def queue(session: Session, row: Execution) -> None:
    """Let a worker claim an execution that nobody holds."""
    row.status, row.status_reason = ExecutionStatus.QUEUED, None
    row.pause_requested_at, row.held_by_parent = None, False
    row.wake_at = trail.now(session)
    trail.tell(session, row.id, "execution", None, {"status": "queued"})
    jobs.ring(session, row.id)
    progress.signal(session, row.id)


def _close_steps(session: Session, execution_id: UUID) -> None:
    ended = session.execute(
        update(StepExecution)
        .where(
            StepExecution.execution_id == execution_id,
            # No worker holds it: what runs by the rows is a step with others inside.
            StepExecution.status.in_((StepStatus.WAITING, StepStatus.RUNNING)),
        )
        .values(status=StepStatus.CANCELLED, finished_at=NOW)
        .returning(StepExecution.path, StepExecution.attempt)
    ).all()
    for path, attempt in ended:
        seen = {"status": str(StepStatus.CANCELLED), "attempt": attempt}
        trail.tell(session, execution_id, "step", path, seen)
    session.execute(
        update(Wait)
        .where(Wait.execution_id == execution_id, Wait.consumed_at.is_(None))
        .values(consumed_at=NOW)
    )
    session.execute(
        text(
            "UPDATE approval SET decision = 'cancelled', decided_at = pilot_now() "
            "WHERE execution_id = :e AND decided_at IS NULL"
        ),
        {"e": execution_id},
    )
