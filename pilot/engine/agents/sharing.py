"""Agents shared with other people: `read` looks, `run` also starts, pauses, resumes and so on.

What an agent leaves stays its owner's (`access.py`).
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pilot import audit, db
from pilot.audit import Actor, Event
from pilot.engine import idempotency
from pilot.engine.agents import access, agents
from pilot.engine.agents.access import Level
from pilot.engine.people import users
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError, StaleError
from pilot.models.agent_grant import AgentGrant
from pilot.models.user import User


@dataclass(frozen=True)
class Shared:
    """One person whom an agent is shared with."""

    user_id: UUID
    email: str
    name: str
    level: Level


def people(session: Session, agent_id: UUID) -> list[Shared]:
    """Return whom an agent is shared with, as far as the session's user may know, by name."""
    rows = session.execute(
        select(User.id, User.email, User.name, AgentGrant.level)
        .join(User, User.id == AgentGrant.user_id)
        .where(AgentGrant.agent_id == agent_id)
        .order_by(User.name, User.id)
    )
    return [Shared(row.id, row.email, row.name, Level(row.level)) for row in rows]


def share(  # noqa: PLR0913 -- what, with whom, for what, and who asks
    agent_id: UUID,
    email: str,
    level: str,
    *,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
    key: str | None = None,
) -> None:
    """Let a person read an agent and what it did, or run it too; replaces what held before.

    The same key and body within 24 h do it once.

    Raises:
        NotFoundError: no such agent.
        ForbiddenError: it is not theirs to share.
        InvalidError: nobody has the address, it is the owner's, there is no such level, or the key
            is of another body.
    """
    if level not in tuple(Level):
        raise InvalidError([Issue("grant_level", "/level", "Share it to read or to run.")])
    body = {"agent": str(agent_id), "email": email, "level": level}
    with db.transaction("sharing.share", user_id, sees_all=sees_all) as session:
        if idempotency.open_request(session, user_id, key, "sharing.share", body) is not None:
            return
        idempotency.keep_answer(session, user_id, key, {"done": True})
        agent = agents.load(session, agent_id, lock=True)
        person_id = _person(session, email, agent.owner_id)
        if access.level(session, agent_id, person_id) == level:
            return
        row = {"agent_id": agent_id, "user_id": person_id, "owner_id": agent.owner_id}
        session.execute(
            insert(AgentGrant)
            .values(**row, level=level)
            .on_conflict_do_update(
                index_elements=[AgentGrant.agent_id, AgentGrant.user_id], set_={"level": level}
            )
        )
        details = {"person": str(person_id), "level": level}
        _record(session, Event.AGENT_SHARED, by, agent_id, agent.owner_id, details)


def _person(session: Session, email: str, owner_id: UUID) -> UUID:
    try:
        found = users.find(session, email).id
    except NotFoundError as error:
        raise InvalidError([Issue("grant_person", "/email", error.message)]) from error
    if found == owner_id:
        raise InvalidError([Issue("grant_person", "/email", "The agent is theirs already.")])
    return found


def unshare(
    agent_id: UUID,
    person_id: UUID,
    *,
    seen: Level | None = None,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
) -> None:
    """Take a grant back: from the next statement on its person sees nothing any more.

    Raises:
        NotFoundError: no such agent.
        ForbiddenError: it is not theirs to share.
        ConflictError: it is not shared with this person (any more), or not as it was `seen`.
    """
    with db.transaction("sharing.unshare", user_id, sees_all=sees_all) as session:
        agent = agents.load(session, agent_id, lock=True)
        level = access.level(session, agent_id, person_id)
        if None not in (seen, level) and seen != level:
            raise StaleError("It was shared for something else meanwhile.", {"level": level})
        grant = AgentGrant.agent_id == agent_id, AgentGrant.user_id == person_id
        if not db.changed_rows(session, delete(AgentGrant).where(*grant), {}):
            raise ConflictError("It is not shared with this person any more.")
        details = {"person": str(person_id)}
        _record(session, Event.AGENT_UNSHARED, by, agent_id, agent.owner_id, details)


def _record(
    session: Session,
    event: Event,
    by: Actor,
    agent_id: UUID,
    owner_id: UUID,
    details: dict[str, str],
) -> None:
    about = ("agent", agent_id)
    audit.record(session, event, actor=by, about=about, owner_id=owner_id, details=details)
