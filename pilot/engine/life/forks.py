"""Forks: a new execution from an old one, with other inputs or another version of its agent.

The old one stays as it is. Results that still hold are copied, so their steps neither run nor cost
anything again, and their effects are not sent again; all else runs under the new execution's keys.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import db, settings, strictjson
from pilot.audit import Actor, Event
from pilot.engine import idempotency, trail
from pilot.engine.acting.repeating import of_inputs
from pilot.engine.agents import access, agents, grants
from pilot.engine.life import beginning, executions, preflight, starts
from pilot.engine.life.reuse import Reuse, Side, reusable
from pilot.engine.providers import model_catalogue
from pilot.engine.status import FINAL, StepStatus
from pilot.engine.workflow.outline import Node
from pilot.errors import ConflictError
from pilot.models.agent import Agent, WorkflowVersion
from pilot.models.execution import Execution

MAX_ITEMS = 100_000
_CLOCK = re.compile(r"\b(?:now|today)\s*\(")
NEWEST = text("""
SELECT DISTINCT ON (path) path, attempt, status FROM step_execution
 WHERE execution_id = :id ORDER BY path, attempt DESC
""")
# What was reused took nothing here, and happens now: its origin tells when it ran. An approval was
# of what its execution did: if something of it happens here as well, it is asked anew.
COPY = text("""
INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, effect, key, rerun,
                            input, output, output_blob, error, notes, fence, started_at,
                            finished_at, reused_from)
SELECT :new, s.path, 1, s.owner_id, s.type, CASE WHEN v.part THEN 'superseded' ELSE s.status END,
       s.effect, s.key, 0,
       CASE WHEN s.type = 'human_approval' AND s.input IS NOT NULL THEN '{"steps": []}'
            ELSE s.input END,
       CASE WHEN NOT v.part THEN s.output END, CASE WHEN NOT v.part THEN s.output_blob END,
       s.error, s.notes, 0, pilot_now(), pilot_now(), coalesce(s.reused_from, s.execution_id)
  FROM unnest(cast(:paths AS text[]), cast(:attempts AS int[]), cast(:parts AS boolean[]))
    AS v(path, attempt, part)
  JOIN step_execution s ON s.execution_id = :old AND s.path = v.path AND s.attempt = v.attempt
 WHERE s.status IN ('completed', 'skipped', 'failed', 'cancelled')
    OR v.part AND s.status IN ('running', 'superseded')
""")


@dataclass(frozen=True)
class Fork:
    """What a person or a program asks for."""

    inputs: dict[str, Any] | None = None  # None: as they were
    version: int | None = None  # of the agent; None: the same
    key: str | None = None  # idempotency key of the request


@dataclass(frozen=True)
class Plan:
    """A fork before it is made."""

    source: Execution
    row: Execution  # the new one, not stored
    version: WorkflowVersion | None
    document: dict[str, Any]  # that it runs
    reuse: Reuse
    attempts: dict[str, int] = field(repr=False)  # newest of the source, by path


def fork(  # noqa: PLR0913 -- of what, what was seen, and who asks
    execution_id: UUID,
    asked: Fork,
    *,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
    seen_seq: int | None = None,
    setup: preflight.Setup = preflight.UNTOLD,
) -> UUID:
    """Queue a new execution that reuses what holds of an old one. Same key and body: the same one.

    Raises:
        NotFoundError: no such execution or version, or the agent is gone.
        ForbiddenError: the agent is shared with you only to look at it.
        InvalidError: inputs that are wrong, what the preflight found, or a key of another body.
        ConflictError: the old one changed since the receipt, has no outputs any more, or the agent
            is switched off.
    """
    body = {
        "execution": str(execution_id),
        "inputs": asked.inputs,
        "version": asked.version,
        "sequence": seen_seq,
    }
    with db.transaction("execution.fork", user_id, sees_all=sees_all) as session:
        kept = idempotency.open_request(session, user_id, asked.key, "execution.fork", body)
        if kept is not None:
            return UUID(kept["execution_id"])
        found = plan(session, execution_id, asked, user_id=user_id, setup=setup)
        executions.fresh_receipt(found.source, seen_seq)
        grants.grant(agents.load(session, found.source.agent_id), found.version)
        starts.make_room(session, found.row, found.version, by)
        beginning.store(session, found.row, by)
        _copy(session, found)
        _tell(session, found, by)
        db.act_as(session, user_id)
        made = found.row.id
        idempotency.keep_answer(session, user_id, asked.key, {"execution_id": str(made)})
        return made


def plan(
    session: Session,
    execution_id: UUID,
    asked: Fork,
    *,
    user_id: UUID,
    setup: preflight.Setup = preflight.UNTOLD,
) -> Plan:
    """Return what a fork would be; nothing is stored. From here on the session is the owner's.

    Raises:
        PilotError: what `fork` raises.
    """
    source = executions.find(session, execution_id)
    executions.still_whole(source)
    if source.runs_reason == "inline":
        text_ = f"It runs steps of execution {source.parent_id}: fork that one."
        raise ConflictError(text_)
    agent = agents.load(session, source.agent_id)
    access.act_as_owner(session, agent.id, agent.owner_id, user_id)
    version = _version(session, agent, source, asked.version)
    given = starts.Start(
        mode=source.mode,
        inputs=source.inputs if asked.inputs is None else asked.inputs,
        prompt=source.prompt,
        simple=source.runs == "one_step" and asked.version is None,
        trigger="fork",
        complete=True,
    )
    row = starts.draft(session, agent, given, user_id, setup, version=version)
    row.forked_from = source.id
    document = row.document or (version.document if version is not None else None) or {}
    rows = session.execute(NEWEST, {"id": source.id})
    newest = [one for one in rows if one.status != StepStatus.REPLACED]
    statuses = {one.path: _settled(source, one.status) for one in newest}
    old = side(session, source, executions.document_of(session, source) or {})
    reuse = reusable(old, side(session, row, document), statuses, items)
    return Plan(source, row, version, document, reuse, {one.path: one.attempt for one in newest})


def _settled(source: Execution, status: str) -> str:
    """Return a status; of an execution that goes on, a failed step may have another attempt."""
    open_ = status == StepStatus.FAILED and source.status not in FINAL
    return StepStatus.PENDING if open_ else status


def _version(
    session: Session, agent: Agent, source: Execution, number: int | None
) -> WorkflowVersion | None:
    if number is not None:
        return agents.version(session, agent, number)
    if source.version_id is None:
        return agents.newest(session, agent)
    return session.get(WorkflowVersion, source.version_id)


def side(session: Session, row: Execution, document: dict[str, Any]) -> Side:
    """Return what an execution runs on, as the comparison of results needs it."""
    begun = row.started_at or trail.now(session)
    execution = {
        "id": str(row.id),
        "mode": row.mode,
        "started_at": begun.isoformat(),
        "date": begun.astimezone(ZoneInfo(row.zone)).date().isoformat(),
        "zone": row.zone,
        "agent": row.agent_name,
        "trigger": row.trigger,
    }
    chosen = model_catalogue.chosen(settings.with_defaults(row.settings))
    return Side(document, {"inputs": row.inputs, "execution": execution}, row.zone, chosen)


def items(one: Side, node: Node) -> list[Any] | None:
    """Return the items of a repeating step if its inputs alone decide them."""
    written = node.step.get("items")
    if _CLOCK.search(strictjson.dumps(written)):
        return None
    found = of_inputs(written, one.roots["inputs"], db.now(), ZoneInfo(one.zone))
    return found if isinstance(found, list) and len(found) <= MAX_ITEMS else None


def _copy(session: Session, found: Plan) -> None:
    parts = found.reuse.entered
    paths = sorted(found.reuse.held | parts)
    values = {
        "new": found.row.id,
        "old": found.source.id,
        "paths": paths,
        "attempts": [found.attempts[one] for one in paths],
        "parts": [one in parts for one in paths],
    }
    session.execute(COPY, values)


def _tell(session: Session, found: Plan, by: Actor) -> None:
    row, source = found.row, found.source
    facts = {
        "from": str(source.id),
        "version": row.version_number,
        "inputs_changed": row.inputs != source.inputs,
        "reused": len(found.reuse.held),
    }
    trail.tell(session, row.id, "execution", None, {"status": "forked"} | facts)
    trail.record(session, row, Event.PILOT_EXECUTION_FORKED, by, facts)
