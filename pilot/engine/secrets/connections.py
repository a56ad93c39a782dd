"""Connections: accounts of people at foreign places, each with one sealed secret.

Secrets are write-only: `opened` and `test` alone open one, for the action that they call. An
execution opens those of its owner, and those that an administrator shares.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from pilot import audit, db, plugins, vault
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.egress import Egress
from pilot.errors import (
    ConfigError,
    ConflictError,
    ErrorClass,
    Hold,
    InvalidError,
    Issue,
    NotFoundError,
    PluginError,
    StepError,
)
from pilot.models.connection import Connection
from pilot.plugins import Account, Call, Credentials

log = structlog.get_logger()

LONGEST_LABEL, LONGEST_SECRET = 80, 5_000
ENDING = 4  # characters of a secret that pages may show
SOON = timedelta(days=7)
TEST_S = 15.0
EXPIRED = "it has expired"
NOTE = text("SELECT note_connection(:id, :version, :reason)")


@dataclass(frozen=True)
class Given:
    """What a person enters; a secret of None keeps the one that is stored."""

    label: str
    fields: Mapping[str, Any]
    secret: str | None = field(default=None, repr=False)
    shared: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Held:
    """A connection that is opened for one action."""

    id: UUID
    version: int
    owner_id: UUID  # as whom it was opened
    credentials: Credentials
    rate_per_minute: int | None  # of calls


@dataclass(frozen=True)
class Tested:
    """How a test ended: the state now, how long it took, and the account or what is wrong."""

    state: str
    ms: int
    account: str | None
    reason: str | None


def create(plugin: str, given: Given, *, by: Actor, owner_id: UUID) -> UUID:
    """Store a connection of a person and return its id; nothing is dialled.

    Raises:
        InvalidError: a field is missing or wrong, or the label is taken.
        NotFoundError: there is no such plugin, or it takes no connection.
        ConfigError: the installation has no key to seal with.
    """
    account = _account(plugin)
    fields = _checked(account, given)
    with transaction("connections.create", owner_id) as session:
        row = Connection(
            id=session.scalars(select(func.uuidv7())).one(),
            owner_id=owner_id,
            plugin=plugin,
            kind=account.kind,
            version=1,
        )
        _fill(row, given, fields)
        _store(session, row)
        record(session, Event.PLUGIN_CONNECTED, row, by, {"fields": fields})
        return row.id


def change(
    connection_id: UUID, given: Given, *, seen_version: int, by: Actor, owner_id: UUID
) -> None:
    """Change a connection of this person; it counts as untested then.

    Another server needs the secret again: it must not be sent where it was not given for.

    Raises:
        InvalidError: a field is missing or wrong, or the label is taken.
        ConflictError: somebody changed it meanwhile.
        NotFoundError: there is no such connection, or it is not theirs.
    """
    with transaction("connections.change", owner_id) as session:
        row = owned(session, connection_id, owner_id)
        if row.version != seen_version:
            raise ConflictError("This connection was changed meanwhile: look at it again.")
        fields = _checked(_account(row.plugin), given, row.fields)
        secret = given.secret or vault.open_sealed(row.sealed, _place(row))
        before = {"fields": row.fields, "label": row.label, "state": row.state}
        row.version += 1
        _fill(row, given, fields, secret=secret)
        row.state, row.reason, row.account = "untested", None, None
        _store(session, row)
        details = {"before": before, "fields": fields, "secret_changed": bool(given.secret)}
        record(session, Event.PLUGIN_RECONNECTED, row, by, details)


def test(connection_id: UUID, *, by: Actor, owner_id: UUID, egress: Egress, folder: Path) -> Tested:
    """Make one harmless call over a connection and keep how it ended.

    Raises:
        NotFoundError: there is no such connection, or it is not theirs.
    """
    with db.reading(owner_id) as session:
        row = owned(session, connection_id, owner_id)
        held, plugin, was = _held(row, owner_id), row.plugin, row.state
    begun = time.monotonic()
    call = Call(
        key="test",
        deadline=begun + TEST_S,
        zone=ZoneInfo("UTC"),
        folder=folder,
        owner_email="",
        http=egress,
        log=log.bind(connection=str(connection_id)),
        credentials=held.credentials,
    )
    state, account, reason = "ok", None, None
    try:
        account = _account(plugin).check(call)
    except StepError as error:
        state = "reconnect" if error.error_class is ErrorClass.AUTH else "failing"
        reason = error.message
    tested = Tested(state, round((time.monotonic() - begun) * 1000), account, reason)
    _keep(held, tested, was=was, by=by)
    return tested


def _keep(held: Held, tested: Tested, *, was: str, by: Actor) -> None:
    with transaction("connections.test", held.owner_id) as session:
        row = owned(session, held.id, held.owner_id)
        if row.version != held.version:
            return  # changed meanwhile: the test was of another account
        if row.state != "disabled":
            row.state = tested.state
        row.reason, row.account, row.tested_ms = tested.reason, tested.account, tested.ms
        row.tested_at = db.now()
        if tested.state == "reconnect" and was != "reconnect":
            record(session, Event.PLUGIN_AUTH_FAILED, row, by, {"reason": tested.reason})
        if tested.state == "ok" and was in {"reconnect", "failing"}:
            record(session, Event.PLUGIN_RECONNECTED, row, by, {"was": was})


def set_enabled(connection_id: UUID, *, enabled: bool, by: Actor, owner_id: UUID) -> None:
    """Switch a connection off, so that nothing uses it, or on again, untested.

    Raises:
        NotFoundError: there is no such connection, or it is not theirs.
    """
    with transaction("connections.set_enabled", owner_id) as session:
        row = owned(session, connection_id, owner_id)
        if enabled == (row.state != "disabled"):
            return
        row.state, row.reason = ("untested" if enabled else "disabled"), None
        event = Event.PLUGIN_RECONNECTED if enabled else Event.PLUGIN_DISCONNECTED
        record(session, event, row, by, {"state": row.state})


def delete(connection_id: UUID, *, label: str, by: Actor, owner_id: UUID) -> None:
    """Forget a connection and its secret.

    Raises:
        InvalidError: `label` is not its label.
        NotFoundError: there is no such connection, or it is not theirs.
    """
    with transaction("connections.delete", owner_id) as session:
        row = owned(session, connection_id, owner_id)
        if label.strip() != row.label:
            message = f"To delete it, enter its label: {row.label}"
            raise InvalidError([Issue("connection_label", "/label", message, row.label)])
        record(session, Event.PLUGIN_DISCONNECTED, row, by, {"deleted": True})
        session.delete(row)


def find(session: Session, owner_id: UUID, plugin: str, label: str) -> Connection | None:
    """Return the connection that an owner means by a label: their own, else a shared one."""
    query = (
        select(Connection)
        .where(
            Connection.plugin == plugin,
            func.lower(Connection.label) == func.lower(label.strip()),
            (Connection.owner_id == owner_id) | Connection.shared,
        )
        .order_by((Connection.owner_id == owner_id).desc(), Connection.id)
        .limit(1)
    )
    return session.scalar(query)


def labels(session: Session, owner_id: UUID) -> dict[str, dict[str, str]]:
    """Return label and standing of the connections that an owner may name, by plugin.

    A plugin that takes none is absent; one that takes some is there, also without any.
    """
    found: dict[str, dict[str, str]] = {
        name: {} for name in plugins.names() if plugins.load(name).account is not None
    }
    mine = (Connection.owner_id == owner_id) | Connection.shared
    order = (Connection.owner_id == owner_id, Connection.id.desc())  # their own hide shared ones
    now = db.now()
    for row in session.scalars(select(Connection).where(mine).order_by(*order)):
        found.setdefault(row.plugin, {})[row.label] = standing(row, now)
    return found


def standing(row: Connection, now: datetime) -> str:
    """Return the state that people see; a known end of its life counts."""
    if row.state in {"ok", "untested"} and row.expires_at is not None:
        if row.expires_at <= now:
            return "reconnect"
        return "expiring" if row.expires_at <= now + SOON else row.state
    return row.state


def opened(owner_id: UUID, plugin: str, label: str) -> Held:
    """Open the connection that an execution of this owner names.

    Raises:
        PluginError: there is none, it is switched off, or it has to be connected again.
    """
    with db.reading(owner_id) as session:
        row = find(session, owner_id, plugin, label)
        if row is None:
            message = f"There is no connection {label!r} for {plugin}: add it on Connections."
            raise PluginError(ErrorClass.CONFIG, message, code="not_connected", sent=False)
        state = standing(row, db.now())
        if state == "disabled":
            message = f"The connection {row.label} is switched off: switch it on on Connections."
            raise PluginError(ErrorClass.CONFIG, message, code="disabled", sent=False)
        if state == "reconnect":
            message = f"{again(row.label)} ({row.reason or EXPIRED})"
            error = PluginError(ErrorClass.AUTH, message, code="reconnect", sent=False)
            error.hold = hold(row.id, row.label)
            _expire(owner_id, row)
            raise error
        try:
            return _held(row, owner_id)
        except ConfigError as error:
            raise PluginError(ErrorClass.CONFIG, error.message, sent=False) from error


def used(held: Held) -> None:
    """Note that a connection was used, at most once a minute."""
    with transaction("connections.used", held.owner_id) as session:
        session.execute(NOTE, {"id": held.id, "version": held.version, "reason": None})


def hold(connection_id: UUID, label: str) -> Hold:
    """Return what a step waits for whose connection is refused."""
    return Hold("reconnect", asked={"connection": str(connection_id), "label": label})


def _expire(owner_id: UUID, row: Connection) -> None:
    """Note that a known end of its life has come: what waits goes on once it is mended."""
    if row.state != "reconnect":
        with transaction("connections.expired", owner_id) as session:
            session.execute(NOTE, {"id": row.id, "version": row.version, "reason": EXPIRED})


def again(label: str) -> str:
    """Return what to do about a connection that is refused."""
    return (
        f"Reconnect {label}: test it with its present password on Connections; what waits for it "
        "goes on then."
    )


def _held(row: Connection, owner_id: UUID) -> Held:
    account = _account(row.plugin)
    fields, issues = plugins.check_fields(account, row.fields)
    if fields is None:
        text_ = " ".join(issue.message for issue in issues)
        raise ConfigError(f"The connection {row.label} needs to be entered again: {text_}")
    secret = vault.open_sealed(row.sealed, _place(row))
    credentials = Credentials(row.label, fields, secret)
    return Held(row.id, row.version, owner_id, credentials, row.rate_per_minute)


def _account(plugin: str) -> Account:
    account = plugins.load(plugin).account
    if account is None:
        raise NotFoundError(f"The plugin {plugin} takes no connection.")
    return account


def _checked(
    account: Account, given: Given, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    fields, issues = plugins.check_fields(account, dict(given.fields))
    label = given.label.strip()
    if not 0 < len(label) <= LONGEST_LABEL or not label.isprintable():
        message = f"Give it a name of at most {LONGEST_LABEL} characters, on one line."
        issues.append(Issue("connection_label", "/label", message))
    secret = given.secret or ""
    if len(secret) > LONGEST_SECRET or "\n" in secret or "\r" in secret or "\0" in secret:
        issues.append(Issue("connection_secret", "/secret", f"{account.secret}: one line."))
    after = {} if fields is None else fields.model_dump(mode="json")
    if not secret and (before is None or (after and _places(after) != _places(before))):
        message = f"Enter the {account.secret.lower()}: it is sent only where it was entered for."
        issues.append(Issue("connection_secret", "/secret", message))
    if fields is None or issues:
        raise InvalidError(issues)
    return after


def _places(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the secret goes, and for whom."""
    names = ("host", "port", "security", "user", "base_url")
    return {name: fields[name] for name in sorted(fields) if name.endswith(names)}


def _fill(
    row: Connection, given: Given, fields: dict[str, Any], *, secret: str | None = None
) -> None:
    text_ = given.secret or secret or ""
    row.label, row.fields, row.shared = given.label.strip(), fields, given.shared
    row.expires_at = given.expires_at
    row.sealed = vault.seal(text_, _place(row))
    row.secret_ending = text_[-min(ENDING, len(text_) // 4) :] if len(text_) >= ENDING else ""
    if given.secret:
        row.secret_set_at = db.now()


def _store(session: Session, row: Connection) -> None:
    try:
        session.add(row)
        session.flush()
    except IntegrityError as error:
        message = f"You have another connection named {row.label} for {row.plugin}."
        raise InvalidError([Issue("connection_label", "/label", message)]) from error


def _place(row: Connection) -> vault.Place:
    return vault.Place("connection", str(row.id), row.version, str(row.owner_id))


def owned(session: Session, connection_id: UUID, owner_id: UUID) -> Connection:
    """Return a connection of this person, locked.

    Raises:
        NotFoundError: there is no such connection, or it is not theirs.
    """
    query = (
        select(Connection)
        .where(Connection.id == connection_id, Connection.owner_id == owner_id)
        .options(undefer(Connection.sealed))
        .with_for_update()
    )
    row = session.scalar(query)
    if row is None:
        raise NotFoundError("There is no such connection, or it is not yours.")
    return row


def record(
    session: Session, event: Event, row: Connection, by: Actor, details: dict[str, Any]
) -> None:
    """Record what happened to a connection in its owner's chain."""
    facts = {"plugin": row.plugin, "label": row.label} | details
    about = ("connection", row.id)
    audit.record(session, event, actor=by, about=about, details=facts, owner_id=row.owner_id)
