"""What people do with executions: start, pause, resume, retry, cancel, answer. Each owns its
transaction; the runner only ever sees the rows that these change.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from pilot import audit, db, jobs, progress, settings, strictjson
from pilot.audit import Actor, Event
from pilot.engine import agents, document, idempotency, inputs
from pilot.engine.status import (
    CANCELLABLE,
    FINAL,
    PAUSABLE,
    RESUMABLE,
    RETRYABLE,
    ExecutionStatus,
    StepStatus,
)
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError
from pilot.models.agent import Agent, AgentConfiguration
from pilot.models.columns import NOW
from pilot.models.execution import Execution, StepExecution, Wait

MAX_INPUT_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Start:
    """What a person or a program asks for."""

    mode: str = "run"  # run: saved inputs under the given ones; test: the given ones only
    inputs: dict[str, Any] = field(default_factory=dict)
    prompt: str | None = None
    simple: bool = False  # force the one-step document
    key: str | None = None  # idempotency key of the request
    trigger: str = "manual"


@dataclass(frozen=True)
class Choice:
    """Which document runs, and why."""

    runs: str  # pilot_steps or one_step
    reason: str  # pilot_steps, no_pilot_steps, override or pilot_disabled


def choose(*, enabled: bool, has_pilot_steps: bool, override: bool) -> Choice:
    """Decide which document runs; of several reasons for one step, the first that holds."""
    if not has_pilot_steps:
        return Choice("one_step", "no_pilot_steps")
    if override:
        return Choice("one_step", "override")
    if not enabled:
        return Choice("one_step", "pilot_disabled")
    return Choice("pilot_steps", "pilot_steps")


def start(agent_id: UUID, asked: Start, *, by: Actor, user_id: UUID) -> UUID:
    """Queue a new execution of an agent's newest version and ring.

    The same key and body within 24 h return the same execution.

    Raises:
        NotFoundError: no such agent, or it is not yours.
        InvalidError: inputs are missing or of the wrong type, each named; or the key was used with
            another body.
        ConflictError: the agent is switched off, or has nothing to run.
    """
    body = {
        "agent": str(agent_id),
        "mode": asked.mode,
        "inputs": asked.inputs,
        "prompt": asked.prompt,
        "simple": asked.simple,
    }
    if len(strictjson.dumps(body)) > MAX_INPUT_BYTES:
        raise InvalidError([Issue("E_LIMIT", "/inputs", "The inputs are larger than 1 MB.")])
    with db.transaction("execution.start", user_id) as session:
        kept = idempotency.open_request(session, user_id, asked.key, "execution.start", body)
        if kept is not None:
            return UUID(kept["execution_id"])
        row = _prepare(session, agents.load(session, agent_id), asked, user_id)
        session.add(row)
        session.flush()
        _tell_start(session, row, by)
        idempotency.keep_answer(session, user_id, asked.key, {"execution_id": str(row.id)})
    return row.id


def _prepare(session: Session, agent: Agent, asked: Start, user_id: UUID) -> Execution:
    if not agent.active:
        raise ConflictError(f"The agent {agent.name} is switched off: switch it on to start it.")
    version = agents.newest(session, agent)
    snapshot, settings_version = settings.snapshot(session)
    pilot_steps = version.document if version is not None else None
    choice = choose(
        enabled=bool(snapshot["pilot_enabled"]),
        has_pilot_steps=pilot_steps is not None,
        override=asked.simple,
    )
    prompt = asked.prompt or agent.prompt
    if choice.runs == "one_step" and not prompt.strip():
        raise ConflictError(_nothing_to_run(choice.reason))
    schema = version.inputs_schema if version is not None else None
    given = _inputs(session, agent, asked, schema, user_id)
    one_step = agents.one_step(prompt, agent.grants) if choice.runs == "one_step" else None
    policies = document.parse(one_step or pilot_steps).policies
    return Execution(
        owner_id=agent.owner_id,
        agent_id=agent.id,
        agent_name=agent.name,
        version_id=version.id if version is not None else None,
        version_number=version.number if version is not None else None,
        document=one_step,
        runs=choice.runs,
        runs_reason=choice.reason,
        mode=asked.mode,
        trigger=asked.trigger,
        started_by=user_id,
        inputs=given,
        prompt=asked.prompt,
        settings=snapshot,
        settings_version=settings_version,
        zone=_zone(session, agent.owner_id),
        status=ExecutionStatus.QUEUED,
        priority=policies.priority,
        deadline_at=session.scalar(
            text("SELECT pilot_now() + make_interval(secs => :s)"), {"s": policies.deadline_s}
        ),
    )


def _nothing_to_run(reason: str) -> str:
    if reason == "pilot_disabled":
        return (
            "Pilot is switched off, so the agent would run as one model step; it has no prompt: "
            "switch Pilot on (System config), or give the agent a prompt."
        )
    return "The agent has neither pilot steps nor a prompt: give it one of them."


def _zone(session: Session, owner_id: UUID) -> str:
    found: str = session.execute(
        text("SELECT zone FROM app_user WHERE id = :id"), {"id": owner_id}
    ).scalar_one()
    return found


def _inputs(
    session: Session, agent: Agent, asked: Start, schema: Any, user_id: UUID
) -> dict[str, Any]:
    """Return the checked inputs: in run mode the newest saved ones lie under the given ones."""
    values = dict(asked.inputs)
    if asked.mode == "run":
        saved = session.scalar(
            select(AgentConfiguration)
            .where(AgentConfiguration.agent_id == agent.id, AgentConfiguration.user_id == user_id)
            .order_by(AgentConfiguration.id.desc())
            .limit(1)
        )
        if saved is not None:
            values = {**saved.inputs, **values}
            schema = schema or saved.inputs_schema
    return inputs.accept(schema, values) if schema is not None else values


def _tell_start(session: Session, row: Execution, by: Actor) -> None:
    facts = {
        "agent": row.agent_name,
        "version": row.version_number,
        "mode": row.mode,
        "runs": row.runs,
        "reason": row.runs_reason,
        "session": str(row.session_id),
        "settings_version": row.settings_version,
    }
    _record(session, row, Event.PILOT_EXECUTION_STARTED, by, facts)
    if row.runs_reason == "pilot_disabled":
        _record(session, row, Event.PILOT_DISABLED, by, {"agent": row.agent_name})
    _event(session, row.id, "execution", None, {"status": "queued"} | facts)
    jobs.ring(session, row.id)
    progress.signal(session, row.id)


def pause(execution_id: UUID, *, by: Actor, user_id: UUID) -> None:
    """Pause at the next step boundary; at once when no worker holds it.

    Raises:
        NotFoundError: no such execution.
        ConflictError: it cannot be paused now.
    """
    with db.transaction("execution.pause", user_id) as session:
        row = _locked(session, execution_id, PAUSABLE, "paused")
        if row.status == ExecutionStatus.RUNNING:
            row.pause_requested_at = _now(session)
            _event(session, row.id, "execution", None, {"asked": "pause"})
        else:
            row.status, row.status_reason = ExecutionStatus.PAUSED, "pause"
            _event(session, row.id, "execution", None, {"status": "paused", "reason": "pause"})
            _record(session, row, Event.PILOT_EXECUTION_PAUSED, by, {"reason": "pause"})
        progress.signal(session, row.id)


def resume(execution_id: UUID, *, by: Actor, user_id: UUID, seen_seq: int | None = None) -> None:
    """Queue a paused execution again; `seen_seq` is the event sequence its receipt was made from.

    Raises:
        NotFoundError: no such execution, or its agent is gone (named).
        ConflictError: it cannot be resumed now, or it changed since the receipt.
    """
    with db.transaction("execution.resume", user_id) as session:
        row = _locked(session, execution_id, RESUMABLE, "resumed")
        _agent_exists(session, row)
        _fresh_receipt(row, seen_seq)
        if row.status == ExecutionStatus.NEEDS_ATTENTION and _open_unknown(session, row.id):
            raise ConflictError("Answer first whether the unknown step happened.")
        row.recovery_attempts = 0
        _queue(session, row)
        _record(session, row, Event.PILOT_EXECUTION_RESUMED, by, {})


def cancel(execution_id: UUID, *, by: Actor, user_id: UUID) -> None:
    """Cancel: at once when no worker holds it, else within seconds.

    Raises:
        NotFoundError: no such execution.
        ConflictError: it is finished or being cancelled already.
    """
    with db.transaction("execution.cancel", user_id) as session:
        row = _locked(session, execution_id, CANCELLABLE, "cancelled")
        row.cancel_requested_at = _now(session)
        if row.status == ExecutionStatus.RUNNING:
            row.status = ExecutionStatus.CANCELLING
            _event(session, row.id, "execution", None, {"status": "cancelling"})
        else:
            row.status, row.finished_at = ExecutionStatus.CANCELLED, row.cancel_requested_at
            _close_waits(session, row.id)
            _event(session, row.id, "execution", None, {"status": "cancelled"})
            _record(session, row, Event.PILOT_EXECUTION_CANCELLED, by, {"status": "cancelled"})
        progress.signal(session, row.id)


def retry_failed(
    execution_id: UUID, *, by: Actor, user_id: UUID, seen_seq: int | None = None
) -> None:
    """Run the failed steps again, and what they blocked, with the same keys.

    Raises:
        NotFoundError: no such execution, or its agent is gone (named).
        ConflictError: it has no failed steps, or it changed since the receipt.
    """
    with db.transaction("execution.retry", user_id) as session:
        row = _locked(session, execution_id, RETRYABLE, "retried")
        _agent_exists(session, row)
        _fresh_receipt(row, seen_seq)
        again = session.scalars(
            update(StepExecution)
            .where(StepExecution.execution_id == row.id, StepExecution.status == StepStatus.FAILED)
            .values(status=StepStatus.SUPERSEDED)
            .returning(StepExecution.path)
        ).all()
        if not again and row.error is None:
            raise ConflictError("Nothing failed in this execution: there is nothing to retry.")
        row.error, row.output, row.finished_at = None, None, None
        row.deadline_at = session.scalar(
            text("SELECT greatest(:d, pilot_now() + interval '1 hour')"), {"d": row.deadline_at}
        )
        _queue(session, row)
        _record(session, row, Event.PILOT_EXECUTION_RETRIED, by, {"steps": sorted(set(again))})


def answer(
    execution_id: UUID, path: str, said: str, *, result: Any = None, by: Actor, user_id: UUID
) -> None:
    """Say what became of a step whose outcome is unknown: happened, run or skip.

    Raises:
        NotFoundError: no such execution.
        ConflictError: somebody answered already.
        InvalidError: another word than happened, run or skip.
    """
    becomes = {
        "happened": StepStatus.COMPLETED,
        "run": StepStatus.INTERRUPTED,
        "skip": StepStatus.SKIPPED,
    }
    if said not in becomes:
        raise InvalidError([Issue("E_INPUT", "/said", "Answer happened, run or skip.")])
    with db.transaction("execution.answer", user_id) as session:
        row = _find(session, execution_id, lock=True)
        values: dict[str, Any] = {"status": becomes[said]}
        if said == "happened":
            values["output"] = result
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
        _event(session, row.id, "step", path, {"status": str(becomes[said]), "answer": said})
        _record(session, row, Event.PILOT_OUTCOME_RESOLVED, by, {"path": path, "answer": said})
        if row.status == ExecutionStatus.NEEDS_ATTENTION and not _open_unknown(session, row.id):
            _queue(session, row)


def _find(session: Session, execution_id: UUID, *, lock: bool = False) -> Execution:
    query = select(Execution).where(Execution.id == execution_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFoundError("There is no such execution, or it is not yours.")
    return row


def _locked(
    session: Session, execution_id: UUID, allowed: frozenset[ExecutionStatus], verb: str
) -> Execution:
    row = _find(session, execution_id, lock=True)
    if row.status not in allowed:
        word = "finished" if row.status in FINAL else "now"
        status = row.status.replace("_", " ")
        raise ConflictError(f"It is {status}: it cannot be {verb} {word}.".replace(" finished", ""))
    return row


def _agent_exists(session: Session, row: Execution) -> None:
    gone = session.scalar(select(Agent.deleted_at).where(Agent.id == row.agent_id))
    if gone is not None:
        raise NotFoundError(
            f"The agent {row.agent_name} was deleted: its execution stays readable."
        )


def _fresh_receipt(row: Execution, seen_seq: int | None) -> None:
    if seen_seq is not None and seen_seq != row.event_seq:
        raise ConflictError("It changed since you looked: read the new receipt and decide again.")


def _open_unknown(session: Session, execution_id: UUID) -> bool:
    query = select(StepExecution.path).where(
        StepExecution.execution_id == execution_id, StepExecution.status == StepStatus.UNKNOWN
    )
    return session.scalar(query.limit(1)) is not None


def _queue(session: Session, row: Execution) -> None:
    row.status, row.status_reason = ExecutionStatus.QUEUED, None
    row.pause_requested_at, row.wake_at = None, _now(session)
    _event(session, row.id, "execution", None, {"status": "queued"})
    jobs.ring(session, row.id)
    progress.signal(session, row.id)


def _close_waits(session: Session, execution_id: UUID) -> None:
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


def _now(session: Session) -> Any:
    return session.scalar(text("SELECT pilot_now()"))


def _event(
    session: Session, execution_id: UUID, kind: str, path: str | None, data: dict[str, Any]
) -> None:
    session.flush()
    session.execute(
        text("SELECT add_event(:e, :k, :p, cast(:d AS json))"),
        {"e": execution_id, "k": kind, "p": path, "d": strictjson.dumps(data)},
    )


def _record(
    session: Session, row: Execution, event: Event, by: Actor, details: dict[str, Any]
) -> None:
    audit.record(
        session,
        event,
        actor=by,
        about=("execution", row.id),
        details=details,
        owner_id=row.owner_id,
    )
