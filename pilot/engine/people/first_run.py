"""The first administrator: by the link of the first run, or with the password of the set-up."""

from sqlalchemy import any_, exists, literal, select
from sqlalchemy.orm import Session

from pilot.audit import Actor
from pilot.db import reading, transaction
from pilot.engine import links
from pilot.engine.links import Purpose
from pilot.engine.people import passwords, users
from pilot.engine.people.new_user import NewUser, Role
from pilot.errors import NotFoundError
from pilot.models.user import User

SET_UP_EMAIL = "admin@localhost"
ADMIN = frozenset({Role.ADMIN})


def give_link() -> str | None:
    """Return a new token of the first-run link and end older ones; None: there is an administrator.

    Other people, made on the command line, do not close it: nobody could let them in or out.
    """
    with transaction("first_run.give_link", None) as session:
        return None if _has_admin(session) else links.give(session, Purpose.FIRST_RUN)


def check(token: str | None) -> None:
    """Return if this token can still create the first administrator.

    Raises:
        NotFoundError: it was used, replaced or never given, or an administrator exists.
    """
    with reading(None) as session:
        links.find(session, Purpose.FIRST_RUN, token)
        if _has_admin(session):
            raise NotFoundError(links.GONE)


def create(token: str, *, email: str, name: str, password: str, origin: users.Origin) -> str:
    """Create the first administrator, sign them in and return the session's token.

    Raises:
        NotFoundError: as `check`.
        InvalidError: as `users.create_user`; the link stays usable.
    """
    check(token)
    new = NewUser(email, name, ADMIN, password).checked()
    password_hash = passwords.hashed(password)
    with transaction("first_run.create", None) as session:
        links.use_up(session, Purpose.FIRST_RUN, token)
        if _has_admin(session):
            raise NotFoundError(links.GONE)
        user_id = users.insert_user(session, new, password_hash, None)
        return users.begin_session(session, user_id, origin)


def ensure_admin(password: str) -> str | None:
    """Create admin@localhost if no administrator exists; return the address, else None.

    Raises:
        InvalidError: the password cannot be accepted.
    """
    new = NewUser(SET_UP_EMAIL, "Administrator", ADMIN, password).checked()
    password_hash = passwords.hashed(password)
    with transaction("first_run.ensure_admin", None) as session:
        if _has_admin(session):
            return None
        users.insert_user(session, new, password_hash, Actor("system"))
    return SET_UP_EMAIL


def _has_admin(session: Session) -> bool:
    """Return whether an administrator was ever made: a disabled one leaves nothing open."""
    is_admin = literal(Role.ADMIN.value) == any_(User.roles)
    return bool(session.scalar(select(exists().where(is_admin))))
