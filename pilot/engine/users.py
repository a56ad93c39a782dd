"""People: who may sign in, from which browsers they are signed in, and the first administrator."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import ColumnElement, any_, delete, exists, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pilot import audit
from pilot.audit import Actor, Event
from pilot.db import changed_rows, reading, transaction
from pilot.engine import passwords, sign_in_limits
from pilot.engine.new_user import NewUser, Role
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError
from pilot.models.columns import NOW
from pilot.models.user import OneTimeToken, SignInFailure, User, UserSession

FIRST_RUN = "first_run"
SET_UP_EMAIL = "admin@localhost"
ACTIVE_ADMIN = (User.active, literal(Role.ADMIN.value) == any_(User.roles))


@dataclass(frozen=True)
class SessionUser:
    """A person, as the session's cookie names them."""

    id: UUID
    email: str
    name: str
    roles: tuple[str, ...]
    zone: str


@dataclass(frozen=True)
class Origin:
    """Where a request comes from: counted by the throttle, shown with the session, audited."""

    address: str
    browser: str = ""
    request_id: str | None = None


@dataclass(frozen=True)
class SignedInBrowser:
    """One live session, as its owner sees it."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    address: str
    browser: str
    current: bool


def create_user(*, email: str, name: str, password: str, roles: Collection[str], by: Actor) -> UUID:
    """Create a person and return their id.

    Raises:
        InvalidError: e-mail, name, password or roles cannot be accepted.
        ConflictError: the e-mail address is taken.
    """
    new = NewUser(email, name, password, frozenset(roles)).checked()
    password_hash = passwords.hashed(new.password)
    with transaction("users.create", by.user_id) as session:
        return _insert(session, new, password_hash, by)


def _insert(session: Session, new: NewUser, password_hash: str, by: Actor | None) -> UUID:
    """Create a person; without `by` they create themselves."""
    user_id: UUID | None = session.scalar(
        insert(User)
        .values(
            email=new.email,
            name=new.name,
            password_hash=password_hash,
            roles=sorted(new.roles),
        )
        .on_conflict_do_nothing(index_elements=[User.email])
        .returning(User.id)
    )
    if user_id is None:
        raise ConflictError(f"{new.email} has an account already.")
    audit.record(
        session,
        Event.USER_CREATED,
        actor=by or Actor(f"user:{user_id}"),
        about=("user", user_id),
        details={"roles": sorted(new.roles)},
    )
    return user_id


def set_active(user_id: UUID, active: bool, *, by: Actor) -> None:  # noqa: FBT001 - the new value
    """Let a person sign in or not; switching off ends their sessions at once.

    Raises:
        NotFoundError: no such person.
        ConflictError: nobody else could administer Pilot then.
    """
    with transaction("users.set_active", by.user_id) as session:
        admins = session.scalars(  # locked: two administrators could switch off each other
            select(User.id).where(*ACTIVE_ADMIN).order_by(User.id).with_for_update()
        ).all()
        if not active and list(admins) == [user_id]:
            raise ConflictError("This is the last active administrator; make another one first.")
        changed = update(User).where(User.id == user_id).values(active=active)
        if not changed_rows(session, changed, {}):
            raise NotFoundError("There is no such person.")
        if not active:
            _end(session, UserSession.user_id == user_id)
        event = Event.USER_REACTIVATED if active else Event.USER_SUSPENDED
        audit.record(session, event, actor=by, about=("user", user_id))


@cache
def zones() -> tuple[str, ...]:
    """Return the time zones that a person may choose."""
    known = available_timezones()
    return ("UTC", *sorted(zone for zone in known if "/" in zone and not zone.startswith("Etc/")))


def set_zone(user_id: UUID, zone: str, *, by: Actor) -> None:
    """Show times to a person in this zone from now on.

    Raises:
        InvalidError: no such zone.
    """
    if zone not in zones():
        message = "Choose a time zone of the IANA list, such as Europe/Berlin."
        raise InvalidError([Issue("zone", "/zone", message, got=zone[:100])])
    with transaction("users.set_zone", by.user_id) as session:
        before = session.scalar(select(User.zone).where(User.id == user_id).with_for_update())
        if before == zone:
            return
        session.execute(update(User).where(User.id == user_id).values(zone=zone))
        details = {"zone": {"before": before, "after": zone}}
        event = Event.SETTINGS_PREFERENCES_UPDATED
        audit.record(session, event, actor=by, about=("user", user_id), details=details)


def first_admin() -> SessionUser | None:
    """Return the oldest active administrator, as whom the command line acts."""
    with reading(None) as session:
        row = session.execute(
            select(User.id, User.email, User.name, User.roles, User.zone)
            .where(*ACTIVE_ADMIN)
            .order_by(User.created_at, User.id)
            .limit(1)
        ).one_or_none()
    return _person(row) if row else None


def find(session: Session, email: str) -> SessionUser:
    """Return the active person with an address.

    Raises:
        NotFoundError: there is none.
    """
    row = session.scalar(select(User).where(User.email == email.strip().lower(), User.active))
    if row is None:
        raise NotFoundError(f"There is no active person with the address {email[:80]}.")
    return _person(row)


def _person(row: Any) -> SessionUser:
    return SessionUser(row.id, row.email, row.name, tuple(row.roles), row.zone)


# Signing in


def authenticate(email: str, password: str, origin: Origin) -> str:
    """Sign a person in and return the new session's token (the cookie's value).

    An unknown address, a wrong password and a switched-off account cost and answer the same.

    Raises:
        InvalidError: e-mail or password is wrong.
        RateLimitedError: too many failures for this account or from this address.
    """
    user_id = prove(email, password, origin)
    with transaction("users.sign_in", user_id) as session:
        return _begin_session(session, user_id, origin)


def prove(email: str, password: str, origin: Origin) -> UUID:
    """Check a person's password and return their id; raises as `authenticate` does."""
    email = sign_in_limits.account(email)
    with transaction("users.attempt", None) as session:
        sign_in_limits.count_attempt(session, email, origin.address)
        row = session.execute(
            select(User.id, User.password_hash, User.active).where(User.email == email)
        ).one_or_none()
    right = passwords.matches(password, row.password_hash if row else None)  # outside transactions
    if row is None or not right or not row.active:
        _record_failure(row.id if row else None, origin)
        raise InvalidError([Issue("sign_in", "", "E-mail address or password is wrong.")])
    with transaction("users.proved", row.id) as session:
        session.execute(delete(SignInFailure).where(SignInFailure.email == email))
    found: UUID = row.id
    return found


def _record_failure(user_id: UUID | None, origin: Origin) -> None:
    # The typed address is not kept for unknown accounts: it may be a password in the wrong field.
    actor = Actor("anonymous", origin.address, origin.request_id)
    with transaction("users.sign_in_failed", None) as session:
        about = ("user", user_id or "unknown")
        audit.record(session, Event.USER_LOGIN_FAILED, actor=actor, about=about)


def _begin_session(session: Session, user_id: UUID, origin: Origin) -> str:
    token = secrets.token_urlsafe(32)
    session.add(
        UserSession(
            user_id=user_id,
            token_hash=_hash(token),
            address=origin.address[:100],
            browser=origin.browser[:300],
        )
    )
    actor = Actor(f"user:{user_id}", origin.address, origin.request_id)
    audit.record(session, Event.USER_LOGIN, actor=actor, about=("user", user_id))
    return token


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


LIVE = """
  ended_at IS NULL AND last_seen_at > pilot_now() - interval '30 minutes'
  AND s.created_at > pilot_now() - interval '12 hours'"""

# One statement: who it is, and that they were here; written at most once a minute.
SESSION_USER = f"""
WITH live AS (
  SELECT s.id AS session_id, s.last_seen_at, u.id, u.email, u.name, u.roles, u.zone
    FROM user_session s JOIN app_user u ON u.id = s.user_id
   WHERE s.token_hash = :token_hash AND u.active AND {LIVE}
), seen AS (
  UPDATE user_session SET last_seen_at = pilot_now()
   WHERE :touch AND id IN (
     SELECT session_id FROM live WHERE last_seen_at < pilot_now() - interval '1 minute'))
SELECT id, email, name, roles, zone FROM live
"""  # noqa: S608 - constants only

SESSIONS = f"""
SELECT id, created_at, last_seen_at, address, browser, token_hash = :token_hash AS current
  FROM user_session s WHERE user_id = :user_id AND {LIVE} ORDER BY last_seen_at DESC, id
"""  # noqa: S608 - constants only


def session_user(token: str, *, touch: bool = True) -> SessionUser | None:
    """Return whose live session this is: idle at most 30 minutes, at most 12 hours old.

    A stream that asks again and again passes `touch=False`: only requests keep a session alive.
    """
    with transaction("users.seen", None) as session:
        values = {"token_hash": _hash(token), "touch": touch}
        row = session.execute(text(SESSION_USER), values).one_or_none()
    return _person(row) if row else None


def sessions(user_id: UUID, *, token: str) -> list[SignedInBrowser]:
    """Return a person's live sessions, the newest first; `token` marks the current one."""
    with reading(user_id) as session:
        rows = session.execute(text(SESSIONS), {"user_id": user_id, "token_hash": _hash(token)})
        return [SignedInBrowser(**row) for row in rows.mappings()]


def sign_out(token: str, *, by: Actor) -> None:
    """End the session of this token; one that has ended already stays so."""
    with transaction("users.sign_out", by.user_id) as session:
        _log_out(session, _end(session, UserSession.token_hash == _hash(token)), by)


def end_sessions(user_id: UUID, *, by: Actor, session_id: UUID | None = None) -> None:
    """End one of a person's sessions, or all of them.

    Raises:
        NotFoundError: they have no such live session.
    """
    with transaction("users.end_sessions", by.user_id) as session:
        own = UserSession.user_id == user_id
        ended = _end(session, own, *([UserSession.id == session_id] if session_id else []))
        if session_id and not ended:
            raise NotFoundError("This session has ended already.")
        _log_out(session, ended, by)


def _end(session: Session, *which: ColumnElement[bool]) -> list[tuple[UUID, UUID]]:
    """End sessions and return (session, user) of each."""
    statement = (
        update(UserSession).where(UserSession.ended_at.is_(None), *which).values(ended_at=NOW)
    )
    rows = session.execute(statement.returning(UserSession.id, UserSession.user_id))
    return [(row.id, row.user_id) for row in rows]


def _log_out(session: Session, ended: list[tuple[UUID, UUID]], by: Actor) -> None:
    for session_id, user_id in ended:
        details = {"session": str(session_id)}
        audit.record(session, Event.USER_LOGOUT, actor=by, about=("user", user_id), details=details)


# The first administrator


def first_run_token() -> str | None:
    """Return a new token of the first-run link, or None if anybody exists; ends older tokens."""
    token = secrets.token_urlsafe(32)
    with transaction("users.first_run_token", None) as session:
        if _anybody(session):
            return None
        open_ones = OneTimeToken.purpose == FIRST_RUN, OneTimeToken.used_at.is_(None)
        session.execute(update(OneTimeToken).where(*open_ones).values(used_at=NOW))
        expires_at = text("pilot_now() + interval '24 hours'")
        session.execute(
            insert(OneTimeToken).values(
                token_hash=_hash(token), purpose=FIRST_RUN, expires_at=expires_at
            )
        )
    return token


def check_first_run(token: str) -> None:
    """Return if this token can still create the first administrator.

    Raises:
        NotFoundError: it was used, replaced or never given, or somebody exists.
    """
    if token:
        with reading(None) as session:
            if session.scalar(select(exists().where(*_usable(token)))) and not _anybody(session):
                return
    raise NotFoundError("This link was used already, or is not the newest one.")


def first_run(token: str, *, email: str, name: str, password: str, origin: Origin) -> str:
    """Create the first administrator, sign them in and return the session's token.

    Raises:
        NotFoundError: as `check_first_run`.
        InvalidError: as `create_user`; the link stays usable.
    """
    check_first_run(token)
    new = NewUser(email, name, password, frozenset({Role.ADMIN})).checked()
    password_hash = passwords.hashed(new.password)
    with transaction("users.first_run", None) as session:
        used = update(OneTimeToken).where(*_usable(token)).values(used_at=NOW)
        if not changed_rows(session, used, {}) or _anybody(session):
            raise NotFoundError("This link was used already.")
        user_id = _insert(session, new, password_hash, None)
        return _begin_session(session, user_id, origin)


def _usable(token: str) -> tuple[ColumnElement[bool], ...]:
    return (
        OneTimeToken.token_hash == _hash(token),
        OneTimeToken.purpose == FIRST_RUN,
        OneTimeToken.used_at.is_(None),
        OneTimeToken.expires_at > NOW,
    )


def _anybody(session: Session) -> bool:
    return bool(session.scalar(select(exists().where(User.id.is_not(None)))))


def ensure_admin(password: str) -> str | None:
    """Create admin@localhost if nobody exists; return the address, or None if somebody does.

    Raises:
        InvalidError: the password cannot be accepted.
    """
    new = NewUser(SET_UP_EMAIL, "Administrator", password, frozenset({Role.ADMIN})).checked()
    password_hash = passwords.hashed(password)
    with transaction("users.ensure_admin", None) as session:
        if _anybody(session):
            return None
        _insert(session, new, password_hash, Actor("system"))
    return SET_UP_EMAIL
