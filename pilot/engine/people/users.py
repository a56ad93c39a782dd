"""People: who may sign in with which roles, and from which browsers they are signed in."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, any_, delete, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pilot import audit
from pilot.audit import Actor, Event
from pilot.db import changed_rows, reading, transaction
from pilot.engine import links
from pilot.engine.links import Purpose
from pilot.engine.people import passwords, second_factor, sign_in_limits
from pilot.engine.people.new_user import NewUser, Role, role_issues
from pilot.errors import CodeNeededError, ConflictError, InvalidError, Issue, NotFoundError
from pilot.models.columns import NOW
from pilot.models.user import SignInFailure, User, UserSession

NOBODY = "There is no such person."
ACTIVE_ADMIN = (User.active, literal(Role.ADMIN.value) == any_(User.roles))


@dataclass(frozen=True)
class SessionUser:
    """A person, as the session's cookie names them."""

    id: UUID
    email: str
    name: str
    roles: tuple[str, ...]
    zone: str
    fresh: bool = False  # of a session: the password was given within 10 minutes


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
    new = NewUser(email, name, frozenset(roles), password).checked()
    password_hash = passwords.hashed(password)
    with transaction("users.create", by.user_id) as session:
        return insert_user(session, new, password_hash, by)


def insert_user(
    session: Session, new: NewUser, password_hash: str | None, by: Actor | None
) -> UUID:
    """Create a person in the caller's transaction; without `by` they create themselves.

    Raises:
        ConflictError: the e-mail address is taken.
    """
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
        _keep_an_admin(session, user_id, stays=active)
        changed = update(User).where(User.id == user_id).values(active=active)
        if not changed_rows(session, changed, {}):
            raise NotFoundError(NOBODY)
        if not active:
            end_all_of(session, user_id)
        event = Event.USER_REACTIVATED if active else Event.USER_SUSPENDED
        audit.record(session, event, actor=by, about=("user", user_id))


def set_roles(user_id: UUID, roles: Collection[str], *, by: Actor) -> None:
    """Give a person exactly these roles; a change ends their sessions: they sign in anew.

    Raises:
        InvalidError: no roles, or unknown ones.
        NotFoundError: no such person.
        ConflictError: nobody else could administer Pilot then.
    """
    wanted = sorted(set(roles))
    if issues := role_issues(frozenset(wanted)):
        raise InvalidError(issues)
    with transaction("users.set_roles", by.user_id) as session:
        _keep_an_admin(session, user_id, stays=Role.ADMIN in wanted)
        row = session.get(User, user_id, with_for_update=True)
        if row is None:
            raise NotFoundError(NOBODY)
        before = sorted(row.roles)
        if before == wanted:
            return
        row.roles = wanted
        end_all_of(session, user_id)
        details = {"roles": {"before": before, "after": wanted}}
        event = Event.USER_ROLE_CHANGED
        audit.record(session, event, actor=by, about=("user", user_id), details=details)


def _keep_an_admin(session: Session, user_id: UUID, *, stays: bool) -> None:
    """Refuse to lose the last active administrator; the others are locked until the commit."""
    admins = session.scalars(  # locked: two administrators could switch off each other
        select(User.id).where(*ACTIVE_ADMIN).order_by(User.id).with_for_update()
    ).all()
    if not stays and list(admins) == [user_id]:
        raise ConflictError("This is the last active administrator; make another one first.")


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


def find(session: Session, email: str, *, active_only: bool = True) -> SessionUser:
    """Return the person with an address.

    Raises:
        NotFoundError: there is none, or they are switched off.
    """
    row = session.scalar(select(User).where(User.email == email.strip().lower()))
    if row is None or (active_only and not row.active):
        word = "active person" if active_only else "person"
        raise NotFoundError(f"There is no {word} with the address {email[:80]}.")
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
        CodeNeededError: both are right, and a code is asked for: see `second_step`.
    """
    user_id = _tried(email, password, origin)
    with transaction("users.sign_in", user_id) as session:
        if not second_factor.is_on(session, user_id):
            _forget_failures(session, user_id)
            return begin_session(session, user_id, origin)
        proof = links.give(session, Purpose.SECOND_STEP, user_id)
    raise CodeNeededError(proof)


def second_step(proof: str | None, code: str, origin: Origin) -> str:
    """Finish a sign-in with a code; codes are throttled as passwords are.

    Raises:
        NotFoundError: the first step is too old, or was never taken.
        InvalidError: the code opens nothing (`/code`).
        RateLimitedError: as `authenticate`.
    """
    with transaction("users.second_attempt", None) as session:
        user_id = links.find(session, Purpose.SECOND_STEP, proof)
        row = session.scalar(select(User).where(User.id == user_id, User.active))
        if row is None:
            raise NotFoundError(links.GONE)
        sign_in_limits.count_attempt(session, row.email, origin.address)
    with transaction("users.second_step", row.id) as session:
        if used := second_factor.check(session, row.id, code):
            links.use_up(session, Purpose.SECOND_STEP, proof)
            _forget_failures(session, row.id)
            return begin_session(session, row.id, origin, used)
    _record_failure(row.id, origin)
    raise InvalidError([Issue("second_factor", "/code", second_factor.WRONG)])


def prove(email: str, password: str, origin: Origin) -> UUID:
    """Check a person's password and return their id.

    Raises:
        InvalidError, RateLimitedError: as `authenticate`.
    """
    user_id = _tried(email, password, origin)
    with transaction("users.proved", user_id) as session:
        _forget_failures(session, user_id)
    return user_id


def confirm(token: str, email: str, password: str, origin: Origin) -> None:
    """Check the password of a session's person again; the session is fresh from now on.

    Raises:
        InvalidError, RateLimitedError: as `authenticate`.
    """
    user_id = prove(email, password, origin)
    mine = UserSession.token_hash == _hash(token), UserSession.user_id == user_id
    with transaction("users.confirm", user_id) as session:
        session.execute(update(UserSession).where(*mine).values(proved_at=NOW))


def _forget_failures(session: Session, user_id: UUID) -> None:
    emails = select(User.email).where(User.id == user_id)
    session.execute(delete(SignInFailure).where(SignInFailure.email.in_(emails)))


def _tried(email: str, password: str, origin: Origin) -> UUID:
    """Check a password; the try stays counted until the caller forgets it."""
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
    found: UUID = row.id
    return found


def _record_failure(user_id: UUID | None, origin: Origin) -> None:
    # The typed address is not kept for unknown accounts: it may be a password in the wrong field.
    actor = Actor("anonymous", origin.address, origin.request_id)
    with transaction("users.sign_in_failed", None) as session:
        about = ("user", user_id or "unknown")
        audit.record(session, Event.USER_LOGIN_FAILED, actor=actor, about=about)


def begin_session(session: Session, user_id: UUID, origin: Origin, code: str = "") -> str:
    """Sign a person in, in the caller's transaction, and return the new session's token."""
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
    details = {"code": code} if code else {}  # of the app, or a recovery code
    about = ("user", user_id)
    audit.record(session, Event.USER_LOGIN, actor=actor, about=about, details=details)
    return token


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def end_all_of(session: Session, user_id: UUID) -> None:
    """End a person's sessions in the caller's transaction; their streams close within seconds."""
    _end(session, UserSession.user_id == user_id)


LIVE = """
  ended_at IS NULL AND last_seen_at > pilot_now() - interval '30 minutes'
  AND s.created_at > pilot_now() - interval '12 hours'"""

# One statement: who it is, and that they were here; written at most once a minute.
SESSION_USER = f"""
WITH live AS (
  SELECT s.id AS session_id, s.last_seen_at, u.id, u.email, u.name, u.roles, u.zone,
         s.proved_at > pilot_now() - interval '10 minutes' AS fresh
    FROM user_session s JOIN app_user u ON u.id = s.user_id
   WHERE s.token_hash = :token_hash AND u.active AND {LIVE}
), seen AS (
  UPDATE user_session SET last_seen_at = pilot_now()
   WHERE :touch AND id IN (
     SELECT session_id FROM live WHERE last_seen_at < pilot_now() - interval '1 minute'))
SELECT id, email, name, roles, zone, fresh FROM live
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
    return replace(_person(row), fresh=row.fresh) if row else None


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
