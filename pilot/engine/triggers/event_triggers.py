"""Agents that follow events of Pilot's own: which events, and the inputs that they give."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import strictjson
from pilot.audit import Actor
from pilot.db import transaction
from pilot.engine import idempotency
from pilot.engine.agents import agents
from pilot.engine.life import preflight
from pilot.engine.triggers import triggers
from pilot.engine.workflow import inputs, payloads
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError
from pilot.models.agent import Agent
from pilot.models.trigger import Trigger

EVENTS = {  # and the statuses or decisions of each
    "execution_finished": ("completed", "completed_with_errors", "failed", "cancelled"),
    "approval_decided": ("approved", "rejected", "expired"),
}
NAMES_ONLY = frozenset({"E_INPUT_MISSING", "E_INPUT_UNKNOWN"})  # values are known when it fires


@dataclass(frozen=True)
class Following:
    """After what an agent is started, and with which inputs."""

    event: str
    about_agent_id: UUID | None = None  # None: any other agent of the owner
    statuses: list[str] | None = None  # None: any
    match: str | None = None  # a condition over `payload`
    inputs: dict[str, Any] | None = None  # templates over `payload`, over the saved inputs


def create(
    agent_id: UUID, following: Following, *, key: str | None = None, by: Actor, user_id: UUID
) -> UUID:
    """Let an agent be started after events; returns the trigger's id. The same key makes it once.

    Raises:
        NotFoundError: there is no such agent, or none to follow.
        ForbiddenError: it is shared with them, but only its owner may change it.
        ConflictError: it follows 20 already.
        InvalidError: event, condition or inputs are not right, each named.
    """
    body = strictjson.plain({"agent": agent_id, **asdict(following)})
    with transaction("triggers.follow", user_id) as session:
        kept = idempotency.open_request(session, user_id, key, "trigger.create", body)
        if kept is not None:
            return UUID(kept["trigger_id"])
        agent = agents.load(session, agent_id, lock=True)
        if len(listed(session, agent_id)) >= triggers.MOST_PER_AGENT:
            raise ConflictError(f"An agent follows at most {triggers.MOST_PER_AGENT} events.")
        _check(session, agent, following)
        zone = {"zone": "UTC"}
        row = Trigger(owner_id=agent.owner_id, agent_id=agent.id, **zone, **asdict(following))
        session.add(row)
        session.flush()
        triggers.record(session, row, by, "made")
        idempotency.keep_answer(session, user_id, key, {"trigger_id": str(row.id)})
        return row.id


def change(
    trigger_id: UUID,
    agent_id: UUID,
    following: Following,
    *,
    seen: int | None = None,
    by: Actor,
    user_id: UUID,
) -> None:
    """Change what an agent follows; `seen` is the version that was looked at.

    Raises:
        NotFoundError: there is no such trigger, or no agent to follow.
        ForbiddenError: the agent is shared with them, but only its owner may change it.
        StaleError: it was changed meanwhile.
        InvalidError: event, condition or inputs are not right, each named.
    """
    with transaction("triggers.change_event", user_id) as session:
        agent = agents.load(session, agent_id, lock=True)
        row = find(session, trigger_id, agent_id)
        triggers.refuse_late(row, seen)
        _check(session, agent, following)
        for name, value in asdict(following).items():
            setattr(row, name, value)
        triggers.touch(session, row)
        triggers.record(session, row, by, "changed")


def _check(session: Session, agent: Agent, following: Following) -> None:
    if following.about_agent_id is not None:
        agents.load(session, following.about_agent_id)
    issues = [*_issues(agent, following), *_input_issues(session, agent, following)]
    if issues:
        raise InvalidError(issues)


def listed(session: Session, agent_id: UUID) -> Sequence[Trigger]:
    """Return what an agent follows, the oldest first."""
    query = select(Trigger).where(Trigger.agent_id == agent_id, Trigger.deleted_at.is_(None))
    return session.scalars(query.where(Trigger.event.is_not(None)).order_by(Trigger.id)).all()


def find(session: Session, trigger_id: UUID, agent_id: UUID) -> Trigger:
    """Return one that the session's user may see, of this agent.

    Raises:
        NotFoundError: there is none, or it is not theirs.
    """
    row = triggers.find(session, trigger_id, agent_id)
    if row.event is None:
        raise NotFoundError("This trigger is a schedule.")
    return row


def told(session: Session, row: Trigger) -> dict[str, Any]:
    """Return a trigger as the API and the page's twin tell it."""
    names = (*Following.__dataclass_fields__, "active", "off_reason", "failures", "version")
    facts = {name: getattr(row, name) for name in names}
    return {"id": row.id, **facts, "in_words": triggers.in_words(session, row)}


def _issues(agent: Agent, following: Following) -> Iterator[Issue]:
    known = EVENTS.get(following.event)
    if known is None:
        told_ = f"An event is one of {', '.join(EVENTS)}."
        yield Issue("E_INPUT", "/event", told_, got=following.event[:80])
    if following.about_agent_id == agent.id:
        yield Issue("E_RECURSION", "/about_agent_id", "An agent cannot follow itself.")
    strange = [one for one in following.statuses or () if known and one not in known]
    if strange:
        told_ = f"{following.event} has the statuses {', '.join(known or ())}."
        yield Issue("E_INPUT", "/statuses", told_, got=strange[0][:80])
    yield from payloads.check(following.match, following.inputs)


def _input_issues(session: Session, agent: Agent, following: Following) -> Iterator[Issue]:
    """Yield which inputs would be missing or unknown at every event."""
    version = agents.newest(session, agent)
    schema = version.inputs_schema if version is not None else None
    if schema is None:
        return
    saved = preflight.saved_inputs(session, agent.id, agent.owner_id)
    complete = inputs.fill_defaults(schema, {**saved, **(following.inputs or {})})
    for issue in inputs.check(schema, complete):
        if issue.code in NAMES_ONLY:
            yield triggers.below(issue)
