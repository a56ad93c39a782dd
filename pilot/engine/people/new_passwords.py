"""How people get a password: by an invitation, by a link for a new one, by knowing the old one."""

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import audit, db
from pilot.audit import Actor, Event
from pilot.db import reading, transaction
from pilot.engine import links
from pilot.engine.links import Purpose
from pilot.engine.notices import notices
from pilot.engine.people import passwords, sign_in_limits, users
from pilot.engine.people.new_user import NewUser
from pilot.engine.people.users import Origin
from pilot.errors import ConflictError, InvalidError, NotFoundError
from pilot.models.user import User

OPENS = (Purpose.RESET, Purpose.INVITATION)
ASKING_S = 0.1  # that an answer takes at least: known and unknown addresses cost the same
NEVER = threading.Event()  # is never set: to wait a while
MAIL_LIVES = timedelta(minutes=30)
SUBJECT = "A new password for Pilot"
TEXT = """Somebody, probably you, asked for a new password for {email}.

Open this link within 30 minutes and choose one. It works once; you are signed out everywhere then.

If it was not you, do nothing: your password stays as it is."""


@dataclass(frozen=True)
class Opened:
    """Whose password a link sets."""

    user_id: UUID
    email: str
    name: str
    purpose: Purpose


def invite(new: NewUser, *, by: Actor) -> tuple[UUID, str]:
    """Create a person without a password; return their id and the token of their invitation.

    Raises:
        InvalidError: e-mail, name or roles cannot be accepted.
        ConflictError: the e-mail address is taken.
    """
    checked = new.checked()
    with transaction("new_passwords.invite", by.user_id) as session:
        user_id = users.insert_user(session, checked, None, by)
        return user_id, _give(session, user_id, Purpose.INVITATION, by)


def give_link(user_id: UUID, *, by: Actor) -> str:
    """Return the token of a new link with which a person sets a password.

    Who has none yet is invited once more; older links of theirs end.

    Raises:
        NotFoundError: no such person.
        ConflictError: they are switched off.
    """
    with transaction("new_passwords.give_link", by.user_id) as session:
        row = session.get(User, user_id)
        if row is None:
            raise NotFoundError(users.NOBODY)
        if not row.active:
            raise ConflictError(f"{row.email} is switched off: switch the account on first.")
        purpose = Purpose.RESET if row.password_hash else Purpose.INVITATION
        return _give(session, user_id, purpose, by)


def _give(session: Session, user_id: UUID, purpose: Purpose, by: Actor) -> str:
    token = links.give(session, purpose, user_id)
    details = {"purpose": str(purpose)}
    event = Event.USER_LINK_CREATED
    audit.record(session, event, actor=by, about=("user", user_id), details=details)
    return token


def ask_for_link(email: str, url: str, origin: Origin) -> None:
    """Send a link for a new password to who signs in with this address, if anybody does.

    Nothing tells whether somebody does: not the answer, not how long it takes.

    Args:
        email: as it was typed.
        url: where people reach Pilot, as it is configured: never what a request says.
        origin: who asks.

    Raises:
        RateLimitedError: asked for too often.
    """
    begun, email = time.monotonic(), sign_in_limits.account(email)
    try:
        with transaction("new_passwords.ask", None) as session:
            sign_in_limits.count_reset(session, email, origin.address)
            row = session.scalar(select(User).where(User.email == email, User.active))
            actor = Actor("anonymous", origin.address, origin.request_id)
            about = ("user", row.id if row else "unknown")
            audit.record(session, Event.USER_RESET_REQUESTED, actor=actor, about=about)
            if row is not None:
                db.act_as(session, row.id)
                _mail_link(session, row, url)
    finally:
        NEVER.wait(max(0.0, ASKING_S - (time.monotonic() - begun)))


def _mail_link(session: Session, row: User, url: str) -> None:
    link = f"{url}/password?token={links.give(session, Purpose.RESET, row.id)}"
    mail = notices.Mail(row.email, SUBJECT, TEXT.format(email=row.email), link)
    try:
        notices.queue(session, mail, owner_id=row.id, expires_at=db.now() + MAIL_LIVES)
    except InvalidError:  # no mail goes to such an address: an administrator gives the link
        links.end(session, Purpose.RESET, row.id)


def opened(token: str | None) -> Opened:
    """Return whose password a link sets; opening it uses nothing up.

    Raises:
        NotFoundError: the link does not work (any more), or the person is switched off.
    """
    with reading(None) as session:
        return _opened(session, token)


def _opened(session: Session, token: str | None) -> Opened:
    for purpose in OPENS:
        try:
            user_id = links.find(session, purpose, token)
        except NotFoundError:
            continue
        row = session.scalar(select(User).where(User.id == user_id, User.active))
        if row is not None:
            return Opened(row.id, row.email, row.name, purpose)
    raise NotFoundError(links.GONE)


def set_by_link(token: str | None, password: str, origin: Origin) -> None:
    """Set the password of the person whose link this is; ends their sessions and open links.

    Raises:
        NotFoundError: as `opened`; of two at once one gets through.
        InvalidError: the password cannot be accepted; the link stays usable.
    """
    known = opened(token)
    _check(password, known.email)
    password_hash = passwords.hashed(password)
    actor = Actor(f"user:{known.user_id}", origin.address, origin.request_id)
    with transaction("new_passwords.set_by_link", known.user_id) as session:
        links.use_up(session, known.purpose, token)
        _store(session, known.user_id, password_hash, actor, by_link=True)


def change(user_id: UUID, old: str, new: str, origin: Origin, *, by: Actor) -> None:
    """Replace the password of somebody who knows the present one; ends all their sessions.

    Raises:
        InvalidError: the old one is wrong, or the new one cannot be accepted (`/password`).
        RateLimitedError: too many wrong ones.
    """
    with reading(user_id) as session:
        email = session.get_one(User, user_id).email
    _check(new, email)
    users.prove(email, old, origin)
    password_hash = passwords.hashed(new)
    with transaction("new_passwords.change", user_id) as session:
        _store(session, user_id, password_hash, by, by_link=False)


def _check(password: str, email: str) -> None:
    if issues := passwords.issues(password, email=email):
        raise InvalidError(issues)


def _store(
    session: Session, user_id: UUID, password_hash: str, by: Actor, *, by_link: bool
) -> None:
    row = session.get_one(User, user_id, with_for_update=True)
    if not row.active:
        raise NotFoundError(links.GONE)
    row.password_hash = password_hash
    users.end_all_of(session, user_id)
    for purpose in OPENS:
        links.end(session, purpose, user_id)
    details = {"by_link": by_link}
    event = Event.USER_PASSWORD_CHANGED
    audit.record(session, event, actor=by, about=("user", user_id), details=details)
