"""Replays: a past execution run again offline on what it recorded: is all as it was?

A replay is a simulation of the agent's workflow as it is now. Only with a model it asks anybody:
that model, in the place of the recorded answers of AI steps.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import db
from pilot.audit import Actor
from pilot.engine import idempotency
from pilot.engine.agents import access, agents
from pilot.engine.life import beginning, preflight, starts
from pilot.engine.life.executions import find
from pilot.engine.providers import model_catalogue
from pilot.engine.status import FINAL, ExecutionStatus
from pilot.errors import ConflictError, InvalidError, Issue
from pilot.models.execution import Execution

MOST_PAST = 100
TESTABLE = FINAL - {ExecutionStatus.CANCELLED}
_PAST = text("""
SELECT id FROM execution
 WHERE agent_id BETWEEN :agent AND :agent AND mode <> 'simulate' AND runs_reason <> 'inline'
   AND status = ANY (cast(:ended AS text[])) AND pruned_at IS NULL
 ORDER BY agent_id DESC, id DESC LIMIT :most
""")
_CHILD = text("""
SELECT id FROM execution WHERE parent_id = :parent AND parent_path = :path AND pruned_at IS NULL
 ORDER BY id DESC LIMIT 1
""")


@dataclass(frozen=True)
class Asked:
    """What is tested, besides the newest version on recorded answers."""

    version: int | None = None  # of the agent's workflow
    model: str | None = None  # who is asked in the place of recorded answers
    trigger: str = "manual"
    key: str | None = None  # idempotency key of the request


def past(session: Session, agent_id: UUID, most: int) -> list[UUID]:
    """Return the newest executions of an agent that can be tests, the newest first."""
    values = {"agent": agent_id, "ended": sorted(TESTABLE), "most": min(most, MOST_PAST)}
    return list(session.scalars(_PAST, values))


def begin(
    execution_id: UUID,
    asked: Asked,
    *,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
    setup: preflight.Setup = preflight.UNTOLD,
) -> UUID:
    """Queue a replay of a past execution; returns its id. Same key and body: the same one.

    Raises:
        NotFoundError: no such execution or version, or the agent is gone.
        ForbiddenError: the agent is shared with you only to look at it.
        InvalidError: the past inputs do not fit the workflow any more, the workflow has errors, or
            there is no such model to ask, or the key is of another body.
        ConflictError: the execution has not ended, is simulated or a part of another one, or what
            it recorded is deleted.
    """
    body = {"execution": str(execution_id), "version": asked.version, "model": asked.model}
    with db.transaction("replay.begin", user_id, sees_all=sees_all) as session:
        kept = idempotency.open_request(session, user_id, asked.key, "replay.begin", body)
        if kept is not None:
            return UUID(kept["execution_id"])
        source = find(session, execution_id)
        if obstacle := _obstacle(source):
            raise ConflictError(obstacle)
        agent = agents.load(session, source.agent_id)
        access.act_as_owner(session, agent.id, agent.owner_id, user_id)
        if asked.version is None:
            version = agents.newest(session, agent)
        else:
            version = agents.version(session, agent, asked.version)
        given = starts.Start(
            mode=starts.SIMULATE,
            inputs=source.inputs,
            complete=True,
            prompt=source.prompt,
            simple=source.runs_reason in {"override", "pilot_disabled"},
            trigger=asked.trigger,
        )
        row = starts.draft(session, agent, given, user_id, setup, version=version)
        row.zone = source.zone
        if asked.model is not None:
            _check_model(session, asked.model)
        follow(row, source.id, asked.model)
        beginning.store(session, row, by)
        db.act_as(session, user_id)
        idempotency.keep_answer(session, user_id, asked.key, {"execution_id": str(row.id)})
        return row.id


def follow(row: Execution, source_id: UUID, model: str | None) -> None:
    """Let a simulated execution take what a past one recorded, and ask this model alone."""
    row.replay_of, row.replay_model = source_id, model
    if model is not None:
        row.settings = row.settings | {
            "orchestrator_primary_model": model,
            "orchestrator_enable_fallback": False,
        }


def follow_parent(session: Session, row: Execution, parent: Execution, path: str) -> None:
    """Let the execution of a step follow the one that the step started in the past."""
    if parent.replay_of is None:
        return
    source = session.scalar(_CHILD, {"parent": parent.replay_of, "path": path})
    if source is not None:
        follow(row, source, parent.replay_model)


def may_replay(source: Execution) -> bool:
    """Whether an execution can be replayed."""
    return _obstacle(source) is None


def _obstacle(source: Execution) -> str | None:
    if source.mode == starts.SIMULATE:
        return "It is a simulation: test an execution that really ran."
    if source.runs_reason == "inline":
        return f"It runs steps of execution {source.parent_id}: test that one."
    if source.status not in FINAL:
        return "It has not ended yet: test it once it has."
    if source.pruned_at is not None:
        return "Its outputs were deleted after a while: test a newer execution."
    return None


def _check_model(session: Session, model: str) -> None:
    found = model_catalogue.chain(session, [model])
    if not found.models:
        raise InvalidError([Issue("E_MODEL_KEY", "/model", found.why_none, got=model[:80])])
