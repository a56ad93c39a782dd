"""Who may run an agent that is not theirs.

What it leaves stays its owner's: who may run it acts as the owner for the one transaction of the
press; `started_by` and the audit trail say who pressed.
"""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import db
from pilot.errors import ForbiddenError
from pilot.models.agent_grant import AgentGrant


class Level(StrEnum):
    """What an agent is shared for."""

    READ = "read"
    RUN = "run"


def may_run(session: Session, agent_id: UUID, owner_id: UUID, user_id: UUID) -> bool:
    """Say whether a person may run an agent: it is theirs, or shared with them to run."""
    return owner_id == user_id or level(session, agent_id, user_id) == Level.RUN


def level(session: Session, agent_id: UUID, user_id: UUID) -> str | None:
    """Return what an agent is shared with a person for; None: it is not."""
    grant = AgentGrant.agent_id == agent_id, AgentGrant.user_id == user_id
    return session.scalar(select(AgentGrant.level).where(*grant))


def act_as_owner(session: Session, agent_id: UUID, owner_id: UUID, user_id: UUID) -> None:
    """Go on with this transaction as the owner of an agent that the user may run.

    An administrator's session sees all rows and stays as it is.

    Raises:
        ForbiddenError: it is shared with them only to look at it.
    """
    if owner_id == user_id or session.info.get("sees_all"):
        return
    if not may_run(session, agent_id, owner_id, user_id):
        text = "It is shared with you to look at: ask its owner for the right to run it."
        raise ForbiddenError(text)
    session.flush()
    db.act_as(session, owner_id)
