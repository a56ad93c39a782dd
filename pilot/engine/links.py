"""Links that work once: first run, invitations, new passwords, approval mails, steps of sign-in.

Only the SHA-256 of their token is stored; whoever has the link is who it was made for.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.orm import Session

from pilot.db import changed_rows
from pilot.errors import GoneError, NotFoundError
from pilot.models.columns import NOW
from pilot.models.user import OneTimeToken

GONE = "This link was used already, is too old, or is not the newest one."


APPROVAL = "approval:"  # and its id: a link opens that one


@dataclass(frozen=True)
class ApprovalLink:
    """A link in the mail that asks a person for a decision; it ends with the approval."""

    approval_id: UUID
    user_id: UUID
    expires_at: datetime
    token: str


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


def keep(session: Session, link: ApprovalLink) -> None:
    """Make a link of an approval work; earlier ones of a mail that was sent twice work too."""
    session.add(
        OneTimeToken(
            token_hash=_hash(link.token),
            purpose=f"{APPROVAL}{link.approval_id}",
            user_id=link.user_id,
            expires_at=link.expires_at,
        )
    )


def approval_of(session: Session, token: str, user_id: UUID) -> UUID:
    """Return which approval a person's link opens; looking spends nothing.

    Raises:
        NotFoundError: it was never given, or to somebody else.
        GoneError: it was used, or its approval has expired.
    """
    columns = OneTimeToken.purpose, OneTimeToken.used_at, OneTimeToken.expires_at
    query = select(*columns, OneTimeToken.expires_at <= NOW)
    mine = OneTimeToken.token_hash == _hash(token), OneTimeToken.user_id == user_id
    row = session.execute(query.where(*mine, OneTimeToken.purpose.startswith(APPROVAL))).first()
    if row is None:
        raise NotFoundError("This link is not for you.")
    purpose, used_at, expires_at, has_expired = row
    if used_at is not None:
        raise GoneError(f"You used this link already, on {used_at:%Y-%m-%d %H:%M} UTC.")
    if has_expired:
        raise GoneError(f"This link ended on {expires_at:%Y-%m-%d %H:%M} UTC, with its question.")
    return UUID(purpose.removeprefix(APPROVAL))


def use_for(session: Session, approval_id: UUID, user_id: UUID, token: str) -> None:
    """End a link because its person decides; of two at once one gets through.

    Raises:
        GoneError: it is of another approval or person, was used or has expired.
    """
    mine = OneTimeToken.token_hash == _hash(token), OneTimeToken.user_id == user_id
    its_own = OneTimeToken.purpose == f"{APPROVAL}{approval_id}", OneTimeToken.used_at.is_(None)
    live = update(OneTimeToken).where(*mine, *its_own, OneTimeToken.expires_at > NOW)
    if not changed_rows(session, live.values(used_at=NOW), {}):
        raise GoneError("This link is of another approval, or was used already.")


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
