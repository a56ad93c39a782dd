"""Which agents a workflow runs within itself: that they exist, and that they come to an end."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot.engine.agents import agents
from pilot.engine.workflow.outline import Node, outline
from pilot.errors import ConflictError, Issue, NotFoundError
from pilot.models.agent import Agent, WorkflowVersion

MAX_DEPTH = 10


def problems(session: Session, document: dict[str, Any], agent: Agent) -> list[Issue]:
    """Return what keeps the agents that a workflow runs from running."""
    return list(_problems(session, document, "", (agent.id,), agent.name, {}))


def called(document: dict[str, Any]) -> Iterator[tuple[Node, str]]:
    """Yield the steps that run an agent, with how it is named; also those of inner workflows."""
    for node in outline(document):
        if node.type != "sub_workflow":
            continue
        name, steps = node.step.get("agent"), node.step.get("steps")
        if isinstance(name, str):
            yield node, name
        elif isinstance(steps, list):
            for _, inner in called({"steps": steps}):
                yield node, inner


def version_of(
    session: Session, agent: Agent, number: int | None, started_at: datetime
) -> WorkflowVersion | None:
    """Return the version that was asked for, or the newest of when the parent was started.

    Raises:
        NotFoundError: the agent has no such version.
    """
    query = select(WorkflowVersion).where(WorkflowVersion.agent_id == agent.id)
    if number is not None:
        found = session.scalar(query.where(WorkflowVersion.number == number))
        if found is None:
            raise NotFoundError(f"The agent {agent.name} has no version {number}.")
        return found
    then = query.where(WorkflowVersion.created_at <= started_at)
    newest = session.scalar(then.order_by(WorkflowVersion.number.desc()).limit(1))
    return newest or agents.newest(session, agent)


def _problems(
    session: Session,
    document: dict[str, Any],
    place: str,
    around: tuple[UUID, ...],
    names: str,
    seen: dict[UUID, int],  # how deep an agent was looked at: as deep again it shows nothing new
) -> Iterator[Issue]:
    for node, name in called(document):
        path = place or f"{node.path}/agent"
        try:
            agent = agents.find(session, name)
        except (NotFoundError, ConflictError) as error:
            yield Issue("E_UNKNOWN_AGENT", path, error.message, got=name[:60])
            continue
        way = f"{names} -> {agent.name}"
        if agent.id in around:
            message = f"These agents run each other without end: {way}."
            yield Issue("E_RECURSION", path, message, got=way[:120])
        elif len(around) > MAX_DEPTH:
            message = f"Workflows within workflows are {MAX_DEPTH} deep at most: {way}."
            yield Issue("E_RECURSION", path, message, got=way[:120])
        elif seen.get(agent.id, 0) < len(around):
            seen[agent.id] = len(around)
            version = agents.newest(session, agent)
            inner = version.document if version is not None else None
            yield from _problems(session, inner or {}, path, (*around, agent.id), way, seen)
