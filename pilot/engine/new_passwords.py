"""How people get a password: by an invitation, by a link for a new one, by knowing the old one."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import audit
from pilot.audit import Actor, Event
from pilot.db import reading, transaction
from pilot.engine import links, passwords, users
from pilot.engine.links import Purpose
from pilot.engine.new_user import NewUser
from pilot.engine.users import Origin
from pilot.errors import ConflictError, InvalidError, NotFoundError
from pilot.models.user import User

OPENS = (Purpose.RESET, Purpose.INVITATION)


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
