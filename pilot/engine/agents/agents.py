"""Agents and their immutable versions: create, save, restore, saved inputs, switch off."""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pilot import audit, db, older, settings
from pilot.audit import Actor, Event
from pilot.engine import idempotency, validation
from pilot.engine.agents import access, grants
from pilot.engine.editor import display
from pilot.engine.language import catalogue
from pilot.engine.language.effects_rule import EffectsRule
from pilot.engine.workflow import document, simple_loop
from pilot.errors import ConflictError, ForbiddenError, InvalidError, Issue, NotFoundError
from pilot.models.agent import Agent, AgentConfiguration, WorkflowVersion
from pilot.models.columns import NOW

MOST_VERSIONS = 1_000_000  # of one agent


@dataclass(frozen=True)
class Saved:
    """What a save stored: agent, version id and number; of unchanged content, the old ones."""

    agent_id: UUID
    version_id: UUID
    number: int

    @classmethod
    def of(cls, facts: dict[str, Any]) -> "Saved":
        """Return what an idempotency key kept."""
        return cls(UUID(facts["agent_id"]), UUID(facts["version_id"]), int(facts["number"]))


@dataclass(frozen=True)
class NewAgent:
    """What a person gives for a new agent."""

    name: str
    goal: str = ""
    prompt: str = ""
    description: str = ""
    origin: str = "edited"
    demo: bool = False
    generation_id: UUID | None = None


def load(session: Session, agent_id: UUID, *, lock: bool = False) -> Agent:
    """Return an agent that the session's user may see; locked, one that they may change.

    Raises:
        NotFoundError: absent, deleted or somebody else's.
        ForbiddenError: it is shared with them, but only its owner may change it.
    """
    query = select(Agent).where(Agent.id == agent_id, Agent.deleted_at.is_(None))
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        if lock and session.scalar(query) is not None:
            raise ForbiddenError("It is shared with you: only its owner may change it.")
        raise NotFoundError("There is no such agent, or it is not yours.")
    return found


def find(session: Session, text: str) -> Agent:
    """Return an agent by its id or its exact name.

    Raises:
        NotFoundError: none has it.
        ConflictError: several have the name.
    """
    try:
        return load(session, UUID(text))
    except ValueError:
        query = select(Agent).where(Agent.name == text, Agent.deleted_at.is_(None))
    found = session.scalars(query.limit(2)).all()
    if not found:
        raise NotFoundError(f"There is no agent {text!r}, or it is not yours.")
    if len(found) > 1:
        raise ConflictError(f"Several agents are called {text!r}: name its id.")
    return found[0]


def newest(session: Session, agent: Agent) -> WorkflowVersion | None:
    """Return the newest version of an agent."""
    return session.scalar(
        select(WorkflowVersion).where(
            WorkflowVersion.agent_id == agent.id,
            WorkflowVersion.number == agent.version_number,
        )
    )


def create(
    new: NewAgent, workflow: Any | None, *, owner_id: UUID, by: Actor, key: str | None = None
) -> Saved:
    """Make an agent with version 1; `workflow` None: it runs as the simple loop of one step.

    The same key makes it once.

    Raises:
        InvalidError: the name is empty, or the workflow has errors.
    """
    if not new.name.strip():
        raise InvalidError([Issue("E_INPUT_MISSING", "/name", "Give the agent a name.")])
    checked(workflow)
    body = {"new": asdict(new), "workflow": workflow}
    with db.transaction("agent.create", owner_id) as session:
        kept = idempotency.open_request(session, owner_id, key, "agent.create", body)
        if kept is not None:
            return Saved.of(kept)
        saved = insert(session, new, workflow, owner_id=owner_id, by=by)
        idempotency.keep_answer(session, owner_id, key, asdict(saved))
    return saved


def insert(
    session: Session, new: NewAgent, workflow: Any | None, *, owner_id: UUID, by: Actor
) -> Saved:
    """Insert an agent and its first version in the caller's transaction."""
    ours = older.ours(workflow)
    agent = Agent(
        owner_id=owner_id,
        name=new.name.strip()[:120],
        goal=new.goal,
        prompt=new.prompt or simple_loop.prompt_of(ours) or new.goal,
        description=new.description,
        demo=new.demo,
        grants=sorted(grants.actions_of(ours)),
    )
    session.add(agent)
    session.flush()
    audit.record(
        session,
        Event.AGENT_CREATED,
        actor=by,
        about=("agent", agent.id),
        owner_id=owner_id,
        details={"name": agent.name, "origin": new.origin},
    )
    return _add_version(
        session,
        agent,
        workflow,
        reason="First version",
        origin=new.origin,
        by=by,
        generation_id=new.generation_id,
    )


def duplicate(agent_id: UUID, *, key: str | None, by: Actor, user_id: UUID) -> UUID:
    """Make a new agent with the newest workflow, grants and prompt of another; return its id.

    The same key returns the same copy.

    Raises:
        NotFoundError: no such agent.
    """
    body = {"agent": str(agent_id)}
    with db.transaction("agent.duplicate", user_id) as session:
        kept = idempotency.open_request(session, user_id, key, "agent.duplicate", body)
        if kept is not None:
            return UUID(kept["agent_id"])
        source = load(session, agent_id)
        version = newest(session, source)
        new = NewAgent(
            f"Copy of {source.name}",
            goal=source.goal,
            prompt=source.prompt,
            description=source.description,
            origin="duplicated",
        )
        made = insert(session, new, as_written(source, version), owner_id=user_id, by=by)
        load(session, made.agent_id).grants = list(grants.granted(source, version))
        idempotency.keep_answer(session, user_id, key, {"agent_id": str(made.agent_id)})
    return made.agent_id


def checked(workflow: Any | None) -> None:
    """Refuse a document with errors; one of an older builder by what becomes of it.

    Raises:
        InvalidError: every issue, warnings too.
    """
    if workflow is None:
        return
    with db.reading(None) as session:
        values, _ = settings.snapshot(session)
    ours, known = older.ours(workflow), catalogue.load().with_effects_rule(EffectsRule.of(values))
    issues = validation.validate(ours, known, max_steps=int(values["pilot_max_steps"]))
    if any(one.severity == "error" for one in issues):
        raise InvalidError(issues)


def version(session: Session, agent: Agent, number: int) -> WorkflowVersion:
    """Return one version of an agent.

    Raises:
        NotFoundError: it has none of this number.
    """
    wanted = (WorkflowVersion.agent_id == agent.id, WorkflowVersion.number == number)
    may_be = 1 <= number <= MOST_VERSIONS  # a greater one is no integer of the database
    found = session.scalar(select(WorkflowVersion).where(*wanted)) if may_be else None
    if found is None:
        raise NotFoundError(f"The agent has no version {number}.")
    return found


def save_version(  # noqa: PLR0913 -- what, why, made from what, and who asks
    agent_id: UUID,
    workflow: Any,
    *,
    reason: str,
    base: int,
    by: Actor,
    user_id: UUID,
    key: str | None = None,
) -> Saved:
    """Save a workflow as the agent's next version; equal content makes none, the same key one.

    Raises:
        NotFoundError: no such agent.
        InvalidError: the workflow has errors, no reason was given, or the key is of another body.
        ConflictError: it was edited from version `base`, and a newer one exists.
    """
    if not reason.strip():
        raise InvalidError([Issue("E_INPUT_MISSING", "/reason", "Say why it was changed.")])
    checked(workflow)
    body = {"agent": str(agent_id), "workflow": workflow, "reason": reason, "base": base}
    with db.transaction("version.save", user_id) as session:
        kept = idempotency.open_request(session, user_id, key, "version.save", body)
        if kept is not None:
            return Saved.of(kept)
        agent = load(session, agent_id, lock=True)
        saved = next_version(session, agent, workflow, reason=reason, base=base, by=by)
        idempotency.keep_answer(session, user_id, key, asdict(saved))
    return saved


def next_version(
    session: Session, agent: Agent, workflow: Any, *, reason: str, base: int, by: Actor
) -> Saved:
    """Add the next version of a locked agent in the caller's transaction; of equal content none.

    Raises:
        ConflictError: it was edited from version `base`, and a newer one exists.
    """
    present = newest(session, agent)
    if present is not None and _is_equal(agent, present, workflow):
        return Saved(agent.id, present.id, present.number)
    if agent.version_number != base:
        raise ConflictError(
            f"Version {agent.version_number} was saved meanwhile; yours is based on {base}.",
            {"version": agent.version_number},
        )
    ours = older.ours(workflow)
    agent.grants = sorted(set(agent.grants) | grants.actions_of(ours))
    agent.prompt = simple_loop.prompt_of(ours) or agent.prompt
    return _add_version(session, agent, workflow, reason=reason, origin="edited", by=by)


def restore(
    agent_id: UUID, number: int, *, key: str | None = None, by: Actor, user_id: UUID
) -> Saved:
    """Save an earlier version's workflow as the newest; the same key saves it once.

    Raises:
        NotFoundError: no such agent or version.
    """
    body = {"agent": str(agent_id), "number": number}
    with db.transaction("version.restore", user_id) as session:
        kept = idempotency.open_request(session, user_id, key, "version.restore", body)
        if kept is not None:
            return Saved.of(kept)
        agent = load(session, agent_id, lock=True)
        workflow = as_written(agent, version(session, agent, number))
        present = newest(session, agent)
        if present is not None and _is_equal(agent, present, workflow):
            saved = Saved(agent.id, present.id, present.number)
        else:
            reason = f"Restored version {number}"
            saved = _add_version(session, agent, workflow, reason=reason, origin="restored", by=by)
            told: Any = {"details": {"from": number, "number": saved.number}, "actor": by}
            told |= {"about": ("agent", agent_id), "owner_id": agent.owner_id}
            audit.record(session, Event.WORKFLOW_VERSION_RESTORED, **told)
        idempotency.keep_answer(session, user_id, key, asdict(saved))
    return saved


def _add_version(  # noqa: PLR0913 -- one keyword for each column that a version explains itself by
    session: Session,
    agent: Agent,
    workflow: Any | None,
    *,
    reason: str,
    origin: str,
    by: Actor,
    generation_id: UUID | None = None,
) -> Saved:
    """Add the next version. A document of one model step is stored as no document (simple loop).

    What an older builder wrote is stored as it is.
    """
    ours = older.ours(workflow)
    is_kept = older.is_older(workflow) or not simple_loop.is_enough(ours)
    stored = workflow if is_kept else None
    agent.version_number += 1
    version = WorkflowVersion(
        owner_id=agent.owner_id,
        agent_id=agent.id,
        number=agent.version_number,
        written=stored,
        document_hash=document.content_hash(stored),
        written_inputs=(ours or {}).get("inputs"),
        workflow_steps=display.workflow_steps(
            ours or simple_loop.of(agent.prompt, agent.grants), catalogue.load()
        ),
        author_id=by.user_id or agent.owner_id,
        reason=reason,
        origin=origin,
        generation_id=generation_id,
    )
    session.add(version)
    session.execute(update(Agent).where(Agent.id == agent.id).values(updated_at=NOW))
    session.flush()
    audit.record(
        session,
        Event.WORKFLOW_VERSION_SAVED,
        actor=by,
        about=("agent", agent.id),
        owner_id=agent.owner_id,
        details={"number": version.number, "reason": reason, "hash": version.document_hash},
    )
    return Saved(agent.id, version.id, version.number)


def _is_equal(agent: Agent, version: WorkflowVersion, workflow: Any) -> bool:
    """Whether a workflow is what a version of the agent holds already."""
    if version.written is None and not simple_loop.is_enough(older.ours(workflow)):
        return False
    return document.content_hash(as_written(agent, version)) == document.content_hash(workflow)


def as_written(agent: Agent, version: WorkflowVersion | None) -> Any:
    """Return what a version was saved as: of an older builder, what that one wrote."""
    if version is not None and version.conversion is not None:
        return version.written
    return workflow_of(agent, version)


def workflow_of(agent: Agent, version: WorkflowVersion | None) -> dict[str, Any]:
    """Return the document of a version; without pilot steps, that of the simple loop."""
    if version is not None and version.document is not None:
        return dict(version.document)
    return simple_loop.of(agent.prompt, agent.grants)


def set_active(agent_id: UUID, active: bool, *, by: Actor, user_id: UUID) -> None:  # noqa: FBT001
    """Switch an agent on or off; one that is off cannot be started.

    Raises:
        NotFoundError: no such agent.
    """
    with db.transaction("agent.set_active", user_id) as session:
        switch(session, load(session, agent_id, lock=True), active, by)


def switch(session: Session, agent: Agent, active: bool, by: Actor) -> None:  # noqa: FBT001
    """Switch a locked agent on or off in the caller's transaction."""
    agent.active, agent.updated_at = active, session.scalars(select(NOW)).one()
    audit.record(
        session,
        Event.AGENT_STATUS_CHANGED,
        actor=by,
        about=("agent", agent.id),
        owner_id=agent.owner_id,
        details={"active": active},
    )


def save_inputs(agent_id: UUID, values: dict[str, Any], *, user_id: UUID) -> None:
    """Save inputs for an agent's run mode; makes no version.

    Raises:
        NotFoundError: no such agent.
        ForbiddenError: it is shared with the person only to look at it.
    """
    with db.transaction("agent.save_inputs", user_id) as session:
        agent = load(session, agent_id)
        access.act_as_owner(session, agent_id, agent.owner_id, user_id)
        session.add(
            AgentConfiguration(
                owner_id=agent.owner_id, agent_id=agent_id, user_id=user_id, inputs=values
            )
        )
