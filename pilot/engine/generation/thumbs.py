"""What the owner of a generation thinks of its workflow: thumbs up or down; the newest counts."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import db
from pilot.engine import trail
from pilot.engine.generation import drafts
from pilot.errors import InvalidError, Issue
from pilot.models.generation import Generation

THUMBS = ("up", "down")
LONGEST = 500  # characters of a reason


def give(generation_id: UUID, thumb: str, reason: str, *, user_id: UUID) -> None:
    """Keep what a person thinks of their generation, in place of what they said before.

    Raises:
        NotFoundError: no such generation, or somebody else's.
        InvalidError: neither up nor down, no workflow yet, or the reason is too long.
    """
    said = " ".join(reason.replace("\0", "").split())
    issues = []
    if thumb not in THUMBS:
        issues.append(Issue("E_INPUT_TYPE", "/thumb", "Choose thumbs up or thumbs down."))
    if len(said) > LONGEST:
        message = f"At most {LONGEST} characters."
        issues.append(Issue("E_LIMIT", "/reason", message, got=str(len(said))))
    if issues:
        raise InvalidError(issues)
    with db.transaction("generation.thumb", user_id) as session:
        row = drafts.load(session, generation_id, lock=True)
        if row.document is None:
            message = "There is no workflow yet to judge."
            raise InvalidError([Issue("E_INPUT_TYPE", "/thumb", message)], message)
        row.thumb, row.thumb_reason, row.thumb_at = thumb, said, trail.now(session)


def of_agent(session: Session, agent_id: UUID, owner_id: UUID) -> Generation | None:
    """Return the generation of theirs that an agent was saved from, if it was drafted."""
    query = select(Generation).where(
        Generation.agent_id == agent_id, Generation.owner_id == owner_id
    )
    return session.scalar(query)
