"""What Pilot holds of a person: take it along, make it anonymous, or erase it.

Anonymous: their account loses address and name, nobody can sign in with it, what they built stays.
Erased: besides, everything that they own is deleted, with their files. Ids stay where others or
sums refer to them, and name nobody any more. Calls keep what they cost, not what was asked.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import Column, Table, text

from pilot import audit, db, person_keys, strictjson
from pilot.audit import Actor, Event
from pilot.db import Base
from pilot.engine import folders
from pilot.errors import ConflictError, NotFoundError
from pilot.models.blob import Blob
from pilot.plugins.mail import addresses

# Tables of owners that keep their rows: sums of money, and chains that lose only their records.
KEPT = frozenset({"audit", "call", "rollup_line"})
# Columns that open or prove something: no export holds them.
SECRET = re.compile(r"(^|_)(hash|sealed|key|secret|token)(_|$)")
SHORTEST_NAME = 3  # that is searched for in records
ABOUT = {"user_session": "user_id", "vote": "user_id", "one_time_token": "user_id"}
BY_EMAIL = ("sign_in_failure", "reset_request")


@dataclass(frozen=True)
class Person:
    """Whose data it is."""

    id: UUID
    email: str
    name: str


@dataclass
class Erased:
    """What was deleted, and where the address still stands: in what belongs to others."""

    rows: int = 0
    records: int = 0  # of the audit trail, emptied
    left: dict[str, int] = field(default_factory=dict)  # rows by table


def find(who: str) -> Person:
    """Return a person by mail address or id, switched off ones too.

    Raises:
        NotFoundError: there is none.
    """
    with db.reading(None) as session:
        row = session.execute(
            text("SELECT id, email, name FROM app_user WHERE email = lower(:w) OR id::text = :w"),
            {"w": who.strip()},
        ).one_or_none()
    if row is None:
        raise NotFoundError(f"There is nobody with the address or id {who[:80]}.")
    return Person(row.id, row.email, row.name)


def export(person: Person, data: Path, *, by: Actor) -> bytes:
    """Return a zip with all that belongs to a person: a JSON file per table, and their files."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in _rows(person):
            archive.writestr(f"{name}.json", strictjson.dumps(rows))
        for sha256, content in _large_outputs(person):
            archive.writestr(f"outputs/{sha256}.json", content)
        folder = folders.private(data, person.id)
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.write(path, f"files/{path.relative_to(folder)}")
    with db.transaction("personal_data.export", None) as session:
        details = {"bytes": held.tell()}
        about = ("user", person.id)
        audit.record(session, Event.DATA_EXPORTED, actor=by, about=about, details=details)
    return held.getvalue()


def _rows(person: Person) -> Iterator[tuple[str, list[Any]]]:
    with db.reading(None, sees_all=True) as session:
        for table in Base.metadata.sorted_tables:
            column = "id" if table.name == "app_user" else ABOUT.get(table.name, "owner_id")
            if column not in table.columns or table.name == "audit":
                continue
            shown = [one.name for one in table.columns if _is_listed(one)]
            listed = ", ".join(f'"{name}"' for name in shown)
            query = text(
                f'SELECT to_json(x) FROM (SELECT {listed} FROM "{table.name}" '  # noqa: S608
                f'WHERE "{column}" = :id) x'
            )
            yield table.name, list(session.scalars(query, {"id": person.id}))
        records = session.scalars(
            text(
                "SELECT record::json FROM audit WHERE record::json ->> 'actor' = :actor ORDER BY at"
            ),
            {"actor": f"user:{person.id}"},
        ).all()
        details = person_keys.open_fields(session, (one["details"] for one in records))
        yield "audit", [a | {"details": b} for a, b in zip(records, details, strict=True)]


def _is_listed(column: Column[Any]) -> bool:
    return not SECRET.search(column.name) and column is not Blob.__table__.c.content


def _large_outputs(person: Person) -> Iterator[tuple[str, bytes]]:
    """Yield hash and content of each large output; they are files of the export."""
    query = "SELECT encode(sha256, 'hex') FROM blob WHERE owner_id = :id ORDER BY created_at"
    read = text("SELECT content FROM blob WHERE owner_id = :id AND sha256 = decode(:hash, 'hex')")
    with db.reading(None, sees_all=True) as session:
        for sha256 in session.scalars(text(query), {"id": person.id}).all():
            content = session.execute(read, {"id": person.id, "hash": sha256}).scalar_one()
            yield sha256, bytes(content)


def anonymise(person: Person, *, url: str, by: Actor) -> Erased:
    """Take address, name and sign-in from a person; what they built stays.

    Raises:
        ConflictError: nobody else could administer Pilot then.
    """
    with _owning(url) as connection:
        _refuse_last_admin(connection, person)
        return _forget(connection, person, by, Event.DATA_ANONYMIZED, [])


def erase(person: Person, data: Path, *, url: str, by: Actor) -> Erased:
    """Delete all that a person owns, then make them anonymous; again deletes what was left over.

    Raises:
        ConflictError: nobody else could administer Pilot then, or others build on what they own.
    """
    with _owning(url) as connection:
        _refuse_last_admin(connection, person)
        chains = connection.execute(
            "SELECT id::text FROM execution WHERE owner_id = %s", [person.id]
        ).fetchall()
        rows = _delete_owned(connection, person)
        done = _forget(connection, person, by, Event.DATA_DELETED, [one for (one,) in chains])
        done.rows += rows
    rmtree(folders.private(data, person.id), ignore_errors=True)
    for box in (data / "users").glob(f"*/mail/{addresses.folder_name(person.email)}"):
        rmtree(box, ignore_errors=True)
    return done


@contextmanager
def _owning(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Open one transaction as the tables' owner, who sees every row."""
    options = "-c role=pilot_owner -c app.maintain=on -c lock_timeout=5s"
    try:
        with psycopg.connect(db.dsn(url), options=options, connect_timeout=5) as connection:
            yield connection
    except psycopg.errors.ForeignKeyViolation as error:
        raise ConflictError(
            f"Rows of others build on what this person owns ({error.diag.table_name}): delete or "
            "hand over those first, or make the person anonymous instead."
        ) from error
    except psycopg.errors.LockNotAvailable as error:
        raise ConflictError("Somebody is changing these rows right now; try again.") from error


def _refuse_last_admin(connection: psycopg.Connection[Any], person: Person) -> None:
    other = connection.execute(
        "SELECT 1 FROM app_user WHERE active AND 'admin' = ANY (roles) AND id <> %s "
        "LIMIT 1 FOR UPDATE",
        [person.id],
    ).fetchone()
    if other is None:
        raise ConflictError("This is the last active administrator; make another one first.")


def _delete_owned(connection: psycopg.Connection[Any], person: Person) -> int:
    """Delete the rows of every owned table, those that refer to others first."""
    rows = connection.execute(
        "UPDATE call SET agent_id = NULL, execution_id = NULL, generation_id = NULL, path = NULL, "
        "key = NULL, issues = '[]', routing = NULL, request_id = NULL WHERE owner_id = %s",
        [person.id],
    ).rowcount
    connection.execute(
        "DELETE FROM flag_rule WHERE agent_id IN (SELECT id FROM agent WHERE owner_id = %s)",
        [person.id],
    )
    for table in reversed(Base.metadata.sorted_tables):
        if "owner_id" in table.columns and table.name not in KEPT:
            rows += _delete(connection, table, "owner_id", person.id)
    return rows


def _delete(
    connection: psycopg.Connection[Any], table: Table | str, column: str, value: Any
) -> int:
    name = table if isinstance(table, str) else table.name
    statement = sql.SQL("DELETE FROM {} WHERE {} = %s")
    names = (sql.Identifier(name), sql.Identifier(column))
    return connection.execute(statement.format(*names), [value]).rowcount


def _forget(
    connection: psycopg.Connection[Any],
    person: Person,
    by: Actor,
    event: Event,
    chains: list[str],
) -> Erased:
    """Take the person out of the account, the trail and what was kept to sign them in."""
    done = Erased()
    for table in BY_EMAIL:
        done.rows += _delete(connection, table, "email", person.email)
    for table in ("user_session", "one_time_token", "person_key", "flag_rule", "agent_grant"):
        done.rows += _delete(connection, table, "user_id", person.id)
    keys = ("api_token", "connection", "secret", "recovery_code", "second_factor")
    for table in (*keys, "hook_delivery", "hook", "trigger_fire", "agent_trigger"):
        done.rows += _delete(connection, table, "owner_id", person.id)
    connection.execute("UPDATE vote SET comment = '' WHERE user_id = %s", [person.id])
    connection.execute(
        "UPDATE app_user SET email = %s, name = 'Erased person', password_hash = NULL, "
        "active = false, zone = 'UTC' WHERE id = %s",
        [f"erased-{person.id}@pilot.invalid", person.id],
    )
    done.records = _empty_records(connection, person, chains)
    details = {"rows": done.rows, "records": done.records}
    line = audit.entry(event, actor=by.name, about=("user", person.id), details=details)
    with _role(connection, "pilot_app"):
        connection.execute(
            "SELECT audit_append(ARRAY['system'], ARRAY[NULL::uuid], ARRAY[%s])", [line]
        )
    done.left = _left(connection, person)
    return done


def _empty_records(connection: psycopg.Connection[Any], person: Person, chains: list[str]) -> int:
    """Empty the records of the person's executions, and all that name them in clear."""
    texts = [person.email] + ([person.name] if len(person.name) >= SHORTEST_NAME else [])
    pattern = "|".join(rf"(^|\W){re.escape(one)}($|\W)" for one in texts)
    with _role(connection, "pilot_audit"):
        row = connection.execute(
            "SELECT empty_records(coalesce(array_agg(chain), '{}'), "
            "coalesce(array_agg(seq), '{}'), 'erasure', %s) FROM ("
            "SELECT chain, seq FROM audit WHERE record <> '{}' AND event <> 'AUDIT_PRUNED' "
            "AND (chain = ANY (%s) OR record ~* %s)) x",
            [strictjson.dumps({"type": "user", "id": str(person.id)}), chains, pattern],
        ).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _role(connection: psycopg.Connection[Any], name: str) -> Iterator[None]:
    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(name)))
    yield
    connection.execute("SET LOCAL ROLE pilot_owner")


def _left(connection: psycopg.Connection[Any], person: Person) -> dict[str, int]:
    """Return in how many rows of others the address stands, by table."""
    found = {}
    for table in Base.metadata.sorted_tables:
        statement = sql.SQL("SELECT count(*) FROM {} x WHERE strpos(lower(x::text), lower(%s)) > 0")
        row = connection.execute(
            statement.format(sql.Identifier(table.name)), [person.email]
        ).fetchone()
        if row and row[0]:
            found[table.name] = int(row[0])
    return found
