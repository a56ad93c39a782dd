"""Connections as people see them: state, last use, and what would break without one."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pilot import db, older, plugins, strictjson
from pilot.engine.acting import resting
from pilot.engine.secrets import connections
from pilot.engine.workflow.outline import outline
from pilot.errors import NotFoundError
from pilot.models.connection import Connection
from pilot.models.user import User

# The newest workflow of each agent, and every execution that has not ended, that name some.
NEWEST = text("""
SELECT a.id, a.name, v.document FROM agent a JOIN LATERAL (
  SELECT document FROM workflow_version w WHERE w.agent_id = a.id ORDER BY number DESC LIMIT 1) v
    ON true
 WHERE a.deleted_at IS NULL AND v.document::text LIKE '%"connection"%' ORDER BY a.name, a.id
""")
OPEN = text("""
SELECT e.id, v.document FROM execution e JOIN workflow_version v ON v.id = e.version_id
 WHERE e.status NOT IN ('completed', 'completed_with_errors', 'failed', 'cancelled')
   AND v.document::text LIKE '%"connection"%'
""")
RESTING = text(
    "SELECT model_id, open_until FROM model_state "
    "WHERE open_until > pilot_now() AND model_id LIKE 'connection:%'"
)


@dataclass(frozen=True)
class Line:
    """One connection, without its secret."""

    id: UUID
    plugin: str
    label: str
    kind: str
    fields: dict[str, Any]
    state: str  # untested, ok, expiring, failing, reconnect, disabled
    reason: str | None
    account: str | None
    secret_ending: str
    secret_set_at: datetime
    expires_at: datetime | None
    tested_at: datetime | None
    tested_ms: int | None
    last_used_at: datetime | None
    shared: bool
    mine: bool
    owner: str
    agents: int  # whose newest workflow names it
    version: int
    rate_per_minute: int | None  # at most so many calls
    rests_until: datetime | None  # after repeated failures nobody calls; then one tries


@dataclass(frozen=True)
class Breaks:
    """What needs a connection."""

    agents: list[tuple[UUID, str]]
    executions: int  # that have not ended


def listed(session: Session, owner_id: UUID) -> list[Line]:
    """Return the connections of a person, and those that are shared with everybody."""
    query = (
        select(Connection, User.name)
        .join(User, User.id == Connection.owner_id, isouter=True)
        .where((Connection.owner_id == owner_id) | Connection.shared)
        .order_by(Connection.plugin, Connection.label, Connection.id)
    )
    named = [set(_named(document)) for _, _, document in session.execute(NEWEST)]
    rests = {row.model_id: row.open_until for row in session.execute(RESTING)}
    return [
        _line(row, owner, owner_id, named, rests.get(resting.of_connection(str(row.id))))
        for row, owner in session.execute(query)
    ]


def one(session: Session, connection_id: UUID, owner_id: UUID) -> Line:
    """Return one connection of a person.

    Raises:
        NotFoundError: there is none, or it is not theirs.
    """
    for line in listed(session, owner_id):
        if line.id == connection_id and line.mine:
            return line
    raise NotFoundError("There is no such connection, or it is not yours.")


def told(line: Line) -> dict[str, Any]:
    """Return what programs are told of a connection: nothing of its secret but its age."""
    facts = {name: value for name, value in asdict(line).items() if name != "secret_ending"}
    plain: dict[str, Any] = strictjson.plain(facts)
    return plain


def breaks(session: Session, plugin: str, label: str) -> Breaks:
    """Return which agents and executions name a connection."""
    meant = (plugin, label.casefold())
    agents = [
        (agent_id, name)
        for agent_id, name, document in session.execute(NEWEST)
        if meant in _named(document)
    ]
    found = [document for _, document in session.execute(OPEN)]
    return Breaks(agents, sum(meant in _named(document) for document in found))


def _named(document: Any) -> Iterator[tuple[str, str]]:
    for node in outline(older.ours(document)):
        label = node.step.get("connection")
        if isinstance(label, str):
            yield str(node.step.get("plugin")), label.strip().casefold()


def _line(
    row: Connection,
    owner: str | None,
    owner_id: UUID,
    named: list[set[tuple[str, str]]],
    rests_until: datetime | None,
) -> Line:
    account = plugins.load(row.plugin).account
    return Line(
        id=row.id,
        plugin=row.plugin,
        label=row.label,
        kind=account.kind if account else row.kind,
        fields=row.fields,
        state=connections.standing(row, db.now()),
        reason=row.reason,
        account=row.account,
        secret_ending=row.secret_ending,
        secret_set_at=row.secret_set_at,
        expires_at=row.expires_at,
        tested_at=row.tested_at,
        tested_ms=row.tested_ms,
        last_used_at=row.last_used_at,
        shared=row.shared,
        mine=row.owner_id == owner_id,
        owner=owner or "an administrator",
        agents=sum((row.plugin, row.label.casefold()) in one for one in named),
        version=row.version,
        rate_per_minute=row.rate_per_minute,
        rests_until=rests_until,
    )
