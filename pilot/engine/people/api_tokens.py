"""Tokens of programs: made for a person, shown once, with scopes and an end; revoked at once."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from pilot import audit
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.engine.people.users import SessionUser
from pilot.errors import InvalidError, Issue, NotFoundError
from pilot.models.agent import Agent
from pilot.models.api_token import ApiToken

PREFIX = "plt_"
DAYS, MOST_DAYS = 90, 365
KINDS = ("person", "agent")
USE = text("SELECT * FROM use_token(:hash, :address)")


class Scope(StrEnum):
    """What a token may do; it never may more than its owner."""

    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    EXECUTIONS_READ = "executions:read"
    EXECUTIONS_RUN = "executions:run"
    APPROVALS_READ = "approvals:read"
    EVENTS_WRITE = "events:write"
    COSTS_READ = "costs:read"
    AUDIT_READ = "audit:read"
    SETTINGS_READ = "settings:read"


@dataclass(frozen=True)
class NewToken:
    """What a token is for."""

    label: str
    scopes: Collection[str]
    days: int = DAYS
    kind: str = "person"
    agent_ids: Sequence[UUID] | None = None  # only these agents; None: all of its owner


@dataclass(frozen=True)
class Created:
    """A new token; its text is never told again."""

    id: UUID
    token: str


@dataclass(frozen=True)
class TokenUser:
    """As whom a request with a token acts."""

    id: UUID  # of the token
    label: str
    kind: str
    scopes: frozenset[str]
    agent_ids: frozenset[UUID] | None  # None: all of its owner
    owner: SessionUser

    def may(self, scope: Scope) -> bool:
        """Whether the token was given a scope."""
        return str(scope) in self.scopes


def create(new: NewToken, *, owner_id: UUID, by: Actor) -> Created:
    """Make a token for a person.

    Raises:
        InvalidError: no label, no or unknown scopes, days beyond a year, foreign agents.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction("api_tokens.create", owner_id) as session:
        issues = [*_issues(new), *_agent_issues(session, new)]
        if issues:
            raise InvalidError(issues)
        row = ApiToken(
            owner_id=owner_id,
            token_hash=_hash(secret),
            label=new.label.strip(),
            kind=new.kind,
            scopes=sorted(set(new.scopes)),
            agent_ids=None if new.agent_ids is None else list(new.agent_ids),
            expires_at=session.scalars(select(func.pilot_now())).one() + timedelta(days=new.days),
        )
        session.add(row)
        session.flush()
        details = {"label": row.label, "scopes": row.scopes, "days": new.days, "kind": row.kind}
        _record(session, Event.SETTINGS_API_KEY_CREATED, by, row.id, details)
    return Created(row.id, secret)


def revoke(token_id: UUID, *, owner_id: UUID, by: Actor, sees_all: bool = False) -> None:
    """End a token now; one that has ended stays so.

    Raises:
        NotFoundError: there is no such token, or it is not theirs.
    """
    with transaction("api_tokens.revoke", owner_id, sees_all=sees_all) as session:
        row = session.get(ApiToken, token_id, with_for_update=True)
        if row is None:
            raise NotFoundError("There is no such token, or it is not yours.")
        if row.revoked_at is None:
            row.revoked_at = session.scalars(select(func.pilot_now())).one()
            _record(session, Event.SETTINGS_API_KEY_REVOKED, by, row.id, {"label": row.label})


def listed(session: Session) -> list[ApiToken]:
    """Return the tokens that the session's user may see, the newest first."""
    return list(session.scalars(select(ApiToken).order_by(ApiToken.id.desc())))


def user(token: str, address: str) -> TokenUser | None:
    """Return as whom a live token acts; None: it opens nothing (any more)."""
    if not token.startswith(PREFIX) or len(token) > 100:
        return None
    with transaction("api_tokens.use", None) as session:
        row = session.execute(USE, {"hash": _hash(token), "address": address[:100]}).one_or_none()
    if row is None:
        return None
    owner = SessionUser(row.owner_id, row.email, row.name, tuple(row.roles), row.zone)
    agents = None if row.agent_ids is None else frozenset(row.agent_ids)
    return TokenUser(row.id, row.label, row.kind, frozenset(row.scopes), agents, owner)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _issues(new: NewToken) -> list[Issue]:
    issues = []
    if not 0 < len(new.label.strip()) <= 80:
        issues.append(Issue("token_label", "/label", "Say what it is for, in 80 characters."))
    known = [str(one) for one in Scope]
    unknown = sorted(set(new.scopes) - set(known))
    if unknown or not new.scopes:
        text = f"There is no scope {unknown[0]!r}." if unknown else "Give at least one scope."
        issues.append(Issue("token_scope", "/scopes", text, f"of {', '.join(known)}"))
    if not 1 <= new.days <= MOST_DAYS:
        text = f"A token lives 1 to {MOST_DAYS} days."
        issues.append(Issue("token_days", "/days", text, f"1 to {MOST_DAYS}", str(new.days)))
    if new.kind not in KINDS:
        issues.append(Issue("token_kind", "/kind", f"A token is for a {' or an '.join(KINDS)}."))
    return issues


def _agent_issues(session: Session, new: NewToken) -> list[Issue]:
    if new.agent_ids is None:
        return []
    wanted = set(new.agent_ids)
    known = set(session.scalars(select(Agent.id).where(Agent.id.in_(wanted))))
    missing = sorted(map(str, wanted - known))
    if not missing and wanted:
        return []
    text = f"There is no agent {missing[0]}, or it is not yours." if missing else "Name an agent."
    return [Issue("token_agent", "/agents", text)]


def _record(
    session: Session, event: Event, by: Actor, token_id: UUID, details: dict[str, Any]
) -> None:
    audit.record(session, event, actor=by, about=("api_token", token_id), details=details)
