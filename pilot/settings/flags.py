"""Rules of switches: agent over person over a share of all agents over the setting for all.

The database resolves them (`resolve_flag`, migration 0016), so an execution that runs is asked the
same question as one that starts.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pilot import audit, settings
from pilot.audit import Actor
from pilot.db import transaction
from pilot.errors import InvalidError, Issue, NotFoundError
from pilot.models.agent import Agent
from pilot.models.flag_rule import FlagRule
from pilot.models.user import User
from pilot.settings import SETTINGS, Values

Scope = Literal["agent", "user", "percentage"]
SWITCHES = tuple(key for key, one in SETTINGS.items() if one.type is bool)
ALL = 100
RESOLVE = text("SELECT value, rule, rule_id FROM resolve_flag(:key, :agent, :user)")
# Stored values, version, and the switches that rules decide for some.
SNAPSHOT = f"""{settings.SNAPSHOT.rstrip()},
       (SELECT array_agg(DISTINCT key) FROM flag_rule) AS ruled"""  # noqa: S608 -- constants


@dataclass(frozen=True)
class NewRule:
    """What a switch shall be for some executions; exactly the member of its scope is given."""

    key: str
    scope: Scope
    value: bool
    agent_id: UUID | None = None
    user_id: UUID | None = None
    percent: int | None = None  # of all agents
    expires_at: datetime | None = None  # aware; None: it stays


@dataclass(frozen=True)
class Rule:
    """A rule with the names that people know."""

    row: FlagRule
    subject: str  # the agent's name, the person's address, or the share

    @property
    def label(self) -> str:
        """What the switch is called."""
        return SETTINGS[self.row.key].label


@dataclass(frozen=True)
class Decision:
    """What a switch is for one execution, and by which rule."""

    value: bool
    rule: str  # agent, user, percentage, global
    rule_id: UUID | None


def rules(session: Session) -> list[Rule]:
    """Return all rules, by switch and from the narrowest to the widest."""
    query = (
        select(FlagRule, Agent.name, User.email)
        .outerjoin(Agent, Agent.id == FlagRule.agent_id)
        .outerjoin(User, User.id == FlagRule.user_id)
        .where(FlagRule.key.in_(SWITCHES))
        .order_by(FlagRule.key, FlagRule.scope, FlagRule.id)
    )
    return [Rule(row, _subject(row, agent, email)) for row, agent, email in session.execute(query)]


def _subject(row: FlagRule, agent: str | None, email: str | None) -> str:
    if row.scope == "percentage":
        return f"{row.percent} % of all agents"
    return agent or email or str(row.agent_id or row.user_id)


def set_rule(new: NewRule, *, by: Actor) -> UUID:
    """Set a rule; one of the same switch and subject is replaced, a share keeps its members.

    Raises:
        InvalidError: no such switch, no subject, a share beyond 0 to 100, or a past date.
    """
    with transaction("flags.set", by.user_id, sees_all=True) as session:
        issues = _issues(session, new)
        if issues:
            raise InvalidError(issues)
        facts = {
            "percent": new.percent,
            "value": new.value,
            "expires_at": new.expires_at,
            "author": by.name,
        }
        statement = insert(FlagRule).values(
            key=new.key,
            scope=new.scope,
            agent_id=new.agent_id,
            user_id=new.user_id,
            salt=secrets.token_hex(8),
            **facts,
        )
        statement = statement.on_conflict_do_update(constraint="flag_rule_once", set_=facts)
        rule_id: UUID = session.scalars(statement.returning(FlagRule.id)).one()
        _record(session, new.key, by, {"set": _told(new)})
    return rule_id


def remove(rule_id: UUID, *, by: Actor) -> None:
    """Remove a rule; the next wider one counts for what starts from now on.

    Raises:
        NotFoundError: there is no such rule.
    """
    with transaction("flags.remove", by.user_id) as session:
        statement = delete(FlagRule).where(FlagRule.id == rule_id).returning(FlagRule)
        row = session.scalars(statement).one_or_none()
        if row is None:
            raise NotFoundError("There is no such rule; somebody removed it already.")
        subject = {"scope": row.scope, "agent": row.agent_id, "user": row.user_id}
        facts = subject | {"percent": row.percent, "value": row.value}
        _record(session, row.key, by, {"removed": _plain(facts)})


def resolve(session: Session, key: str, agent_id: UUID | None, user_id: UUID | None) -> Decision:
    """Return what a switch is for an agent and a person.

    Raises:
        InvalidError: there is no such switch.
    """
    if key not in SWITCHES:
        raise InvalidError([_no_switch(key)])
    row = session.execute(RESOLVE, {"key": key, "agent": agent_id, "user": user_id}).one()
    value = SETTINGS[key].default if row.value is None else row.value
    return Decision(value, row.rule, row.rule_id)


def snapshot(
    session: Session, agent_id: UUID | None, user_id: UUID | None
) -> tuple[Values, int, dict[str, Any]]:
    """Return the settings for an agent and a person, their version, and which rules decided."""
    return decided(session, session.execute(text(SNAPSHOT)).one(), agent_id, user_id)


def decided(
    session: Session, row: Row[Any], agent_id: UUID | None, user_id: UUID | None
) -> tuple[Values, int, dict[str, Any]]:
    """Return the same of a row of `SNAPSHOT`."""
    values, ruled = settings.with_defaults(row.stored), row.ruled or ()
    by_rule: dict[str, Any] = {}
    for key in SWITCHES:
        if key not in ruled:
            continue
        found = resolve(session, key, agent_id, user_id)
        values[key] = found.value
        if found.rule_id is not None:
            told = {"value": found.value, "rule": found.rule, "id": str(found.rule_id)}
            by_rule[key] = told
    return values, row.version, by_rule


def _issues(session: Session, new: NewRule) -> list[Issue]:
    issues = [] if new.key in SWITCHES else [_no_switch(new.key)]
    if new.scope == "agent" and (new.agent_id is None or session.get(Agent, new.agent_id) is None):
        issues.append(Issue("flag_subject", "/subject", "Name an agent.", "an agent"))
    if new.scope == "user" and (new.user_id is None or session.get(User, new.user_id) is None):
        issues.append(Issue("flag_subject", "/subject", "Name a person.", "an address"))
    if new.scope == "percentage" and (new.percent is None or not 0 <= new.percent <= ALL):
        issues.append(Issue("flag_percent", "/subject", "Give a share of 0 to 100.", "0 to 100"))
    now: datetime = session.scalars(select(func.pilot_now())).one()
    if new.expires_at is not None and new.expires_at <= now:
        issues.append(Issue("flag_expiry", "/until", "Give a date in the future, or none."))
    return issues


def _no_switch(key: str) -> Issue:
    known = ", ".join(SWITCHES)
    return Issue("flag_unknown", "/key", f"There is no switch {key!r}.", known, key[:80])


def _told(new: NewRule) -> dict[str, Any]:
    return _plain(
        {
            "scope": new.scope,
            "agent": new.agent_id,
            "user": new.user_id,
            "percent": new.percent,
            "value": new.value,
            "expires_at": new.expires_at and new.expires_at.isoformat(),
        }
    )


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, UUID) else value
        for name, value in facts.items()
        if value is not None
    }


def _record(session: Session, key: str, by: Actor, details: dict[str, Any]) -> None:
    about = ("setting", key)
    audit.record(session, settings.event(key), actor=by, about=about, details=details)
