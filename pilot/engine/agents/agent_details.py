"""What a person calls an agent and asks of it: name, goal, prompt, tags; each change is told."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from pilot import audit, db
from pilot.audit import Actor, Event
from pilot.engine.agents import agents
from pilot.errors import InvalidError, Issue, StaleError
from pilot.models.agent import Agent
from pilot.models.columns import NOW

LONGEST = {"name": 120, "goal": 8_000, "prompt": 20_000}
MOST_TAGS, LONGEST_TAG = 20, 40


@dataclass(frozen=True)
class Details:
    """The texts of an agent; the prompt is what its simple loop sends."""

    name: str
    goal: str
    prompt: str
    tags: tuple[str, ...] = ()


def of(agent: Agent) -> Details:
    """Return the details of an agent."""
    return Details(agent.name, agent.goal, agent.prompt, tuple(agent.tags))


def digest(details: Details) -> str:
    """Return what stands for these details until somebody changes them."""
    return hashlib.sha256(json.dumps(asdict(details)).encode()).hexdigest()


def tags_of(text: str) -> tuple[str, ...]:
    """Return the tags of a text with commas, each once, in small letters."""
    found = (" ".join(part.split()).lower() for part in text.split(","))
    return tuple(dict.fromkeys(tag for tag in found if tag))


def change(
    agent_id: UUID,
    details: Details,
    *,
    by: Actor,
    user_id: UUID,
    seen: datetime | str | None = None,
    active: bool | None = None,
) -> Details:
    """Store the details and return them as they are stored; equal ones change nothing.

    `seen` is when the agent had changed last as its details were read, or their digest; `active`
    switches it.

    Raises:
        NotFoundError: no such agent.
        StaleError: it was changed since `seen`.
        InvalidError: there is no name, or something is too long.
    """
    with db.transaction("agent.change", user_id) as session:
        agent = agents.load(session, agent_id, lock=True)
        if seen is not None and seen not in {agent.updated_at, digest(of(agent))}:
            raise StaleError("Somebody changed the agent meanwhile.", asdict(of(agent)))
        stored = store(session, agent, details, by)
        if active is not None:
            agents.switch(session, agent, active, by)
    return stored


def store(session: Session, agent: Agent, details: Details, by: Actor) -> Details:
    """Store the details of a locked agent in the caller's transaction, as `change` does.

    Raises:
        InvalidError: there is no name, or something is too long.
    """
    wanted = _checked(details)
    before, after = asdict(of(agent)), asdict(wanted)
    changed = {name: after[name] for name in after if before[name] != after[name]}
    if changed:
        values: dict[str, Any] = after | {"tags": list(wanted.tags), "updated_at": NOW}
        session.execute(update(Agent).where(Agent.id == agent.id).values(values))
        told = {name: {"before": before[name], "after": after[name]} for name in changed}
        audit.record(
            session,
            Event.AGENT_UPDATED,
            actor=by,
            about=("agent", agent.id),
            owner_id=agent.owner_id,
            details={"changed": told},
        )
    return wanted


def _checked(details: Details) -> Details:
    found = Details(
        details.name.strip(), details.goal.strip(), details.prompt.strip(), details.tags
    )
    issues = [
        Issue("E_LIMIT", f"/{name}", f"At most {longest:,} characters.", got=str(len(text)))
        for name, longest in LONGEST.items()
        if len(text := getattr(found, name)) > longest
    ]
    if not found.name:
        issues.append(Issue("E_INPUT_MISSING", "/name", "Give the agent a name."))
    if len(found.tags) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in found.tags):
        message = f"At most {MOST_TAGS} tags of at most {LONGEST_TAG} characters."
        issues.append(Issue("E_LIMIT", "/tags", message))
    if issues:
        raise InvalidError(issues)
    return found
