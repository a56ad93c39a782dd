"""Links that work once: of the first run, of invitations, for a new password; the steps of sign-in.

Only the SHA-256 of their token is stored; whoever has the link is who it was made for.
"""

import hashlib
import secrets
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.orm import Session

from pilot.db import changed_rows
from pilot.errors import NotFoundError
from pilot.models.columns import NOW
from pilot.models.user import OneTimeToken

GONE = "This link was used already, is too old, or is not the newest one."


class Purpose(StrEnum):
    """What a link is good for."""

    FIRST_RUN = "first_run"
    INVITATION = "invitation"
    RESET = "reset"
    SECOND_STEP = "second_step"  # of a sign-in, whose password was right


LIVES = {
    Purpose.FIRST_RUN: "24 hours",
    Purpose.INVITATION: "3 days",
    Purpose.RESET: "30 minutes",
    Purpose.SECOND_STEP: "5 minutes",
}


def give(session: Session, purpose: Purpose, user_id: UUID | None = None) -> str:
    """Return the token of a new link; older ones of the same purpose and person end."""
    token = secrets.token_urlsafe(32)
    end(session, purpose, user_id)
    expires_at = text("pilot_now() + cast(:lives AS interval)").bindparams(lives=LIVES[purpose])
    session.add(
        OneTimeToken(
            token_hash=_hash(token), purpose=purpose, user_id=user_id, expires_at=expires_at
        )
    )
    return token


def end(session: Session, purpose: Purpose, user_id: UUID | None) -> None:
    """End a person's open links of one purpose."""
    mine = OneTimeToken.user_id.is_not_distinct_from(user_id)
    open_ones = OneTimeToken.purpose == purpose, mine, OneTimeToken.used_at.is_(None)
    session.execute(update(OneTimeToken).where(*open_ones).values(used_at=NOW))


def find(session: Session, purpose: Purpose, token: str | None) -> UUID | None:
    """Return whom a link that still works was made for (of the first run: None).

    Raises:
        NotFoundError: it was used, replaced, is too old or was never given.
    """
    row = session.execute(select(OneTimeToken.user_id).where(*_usable(purpose, token))).first()
    if row is None:
        raise NotFoundError(GONE)
    found: UUID | None = row.user_id
    return found


def use_up(session: Session, purpose: Purpose, token: str | None) -> None:
    """End a link because it was used; of two at once one gets through.

    Raises:
        NotFoundError: as `find`.
    """
    used = update(OneTimeToken).where(*_usable(purpose, token)).values(used_at=NOW)
    if not changed_rows(session, used, {}):
        raise NotFoundError(GONE)


def _usable(purpose: Purpose, token: str | None) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of a link that works.

    Raises:
        NotFoundError: there is no token at all; nothing is looked up for it.
    """
    if not token:
        raise NotFoundError(GONE)
    return (
        OneTimeToken.token_hash == _hash(token),
        OneTimeToken.purpose == purpose,
        OneTimeToken.used_at.is_(None),
        OneTimeToken.expires_at > NOW,
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
