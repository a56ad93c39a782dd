"""The audit trail as a list: who did what to which object, found over all records."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import person_keys, strictjson
from pilot.audit import SYSTEM, Event
from pilot.audit_bundle import line_of
from pilot.reports.listing import MOST_COUNTED, Listed, Sort, Source, Wanted, fetch, midnight

SORTS = {"at": Sort("a.at", "timestamptz")}
SOURCE = Source(
    columns="""a.chain, a.seq, a.at, a.event, a.record, encode(a.hash, 'hex') AS hash,
      (SELECT u.email FROM app_user u WHERE 'user:' || u.id = a.actor) AS person""",
    tables="audit a",
    id="(a.chain || '/' || lpad(a.seq::text, 12, '0'))",
    sorts=SORTS,
    id_type="text",
)

CHAIN = text(
    f"SELECT {SOURCE.columns} FROM audit a "  # noqa: S608 -- of constants
    "WHERE a.chain = :chain AND a.seq > :after AND a.event <> '' ORDER BY a.seq LIMIT :most"
)
FEW = 1_000  # records of which a search says where they stand
FOUND = """
WITH found AS (SELECT a.chain FROM audit a WHERE {where} LIMIT :most)
SELECT count(*), CASE WHEN count(*) <= :few THEN array_agg(chain) END FROM found
"""
CONDITIONS = {
    "event": "a.event = :event",
    "severity": "a.event = ANY(:severity)",  # the events of it, which an index finds
    "actor": "a.actor = ANY(ARRAY(SELECT cast(:actor AS text) UNION ALL "
    "SELECT 'user:' || u.id FROM app_user u WHERE u.email = lower(:actor)))",
    # An execution's records are its chain; all others stand on the system's.
    "object": f"a.chain = :object OR a.chain = '{SYSTEM}' "
    "AND a.record::json #>> '{object,id}' = :object",
    "q": "strpos(lower(a.record), lower(:q)) > 0",
    "since": f"a.at >= {midnight(':since')}",
    "until": f"a.at < {midnight(':until', 1)}",
}


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to."""

    event: str | None = None
    severity: str | None = None
    actor: str = ""  # an e-mail address, or as it is recorded: worker, system, cli:root
    object: str = ""  # the id of what it happened to
    q: str = ""  # part of the record
    since: date | None = None
    until: date | None = None
    zone: str | None = None  # in which these days begin; None: in UTC


def listed(session: Session, filters: Filters, wanted: Wanted) -> Listed:
    """Return one page of records, each with its members apart; emptied ones are left out."""
    conditions, values = _conditions(filters)
    conditions.append("a.event <> ''")
    if filters.q and wanted.counted:
        found = _searched(session, conditions, values, wanted)
    else:
        found = fetch(session, SOURCE, conditions, values, wanted)
    rows = [_apart(row) for row in found.rows]
    opened = person_keys.open_fields(session, (row["details"] for row in rows))
    apart = [row | {"details": details} for row, details in zip(rows, opened, strict=True)]
    return Listed(apart, found.total, found.next)


def _searched(
    session: Session, conditions: list[str], values: dict[str, Any], wanted: Wanted
) -> Listed:
    """Return one page of what a search finds, looking through all records only once.

    No index serves what stands in a record. So whoever counts what is found also says where it
    stands, if that is little: a page of much is soon full.
    """
    where = " AND ".join(f"({one})" for one in conditions)
    most = {"few": FEW, "most": MOST_COUNTED + 1}
    total, chains = session.execute(text(FOUND.format(where=where)), values | most).one()
    if not total:
        return Listed([], 0, None)
    if chains is not None:
        conditions, values = [*conditions, "a.chain = ANY(:chains)"], values | {"chains": chains}
    found = fetch(session, SOURCE, conditions, values, replace(wanted, counted=False))
    return Listed(found.rows, total, found.next)


def of_execution(
    session: Session, execution_id: UUID, after: int, most: int
) -> list[dict[str, Any]]:
    """Return so many records of an execution after one of them, without what is sealed in them."""
    values = {"chain": str(execution_id), "after": after, "most": most}
    rows = session.execute(CHAIN, values).mappings()
    return [
        row | {"details": {name: one for name, one in row["details"].items() if not _sealed(one)}}
        for row in map(_apart, rows)
    ]


def _sealed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(person_keys.PREFIX)


def exported(session: Session, filters: Filters) -> Generator[str, None, None]:
    """Yield every matching record as a JSON line, the oldest first."""
    conditions, values = _conditions(filters)
    where = " AND ".join(f"({one})" for one in conditions) or "true"
    query = text(
        f"SELECT a.chain, a.seq, a.record, a.prev, a.hash FROM audit a WHERE {where} "  # noqa: S608
        "ORDER BY a.at, a.chain, a.seq"
    )
    with session.execute(query.execution_options(yield_per=1000), values) as rows:
        for row in rows:
            yield line_of(row.chain, row.seq, row.record, row.prev, row.hash)


def _conditions(filters: Filters) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for name, condition in CONDITIONS.items():
        if getattr(filters, name):
            conditions.append(condition)
            values[name] = getattr(filters, name)
    if filters.since or filters.until:
        values["zone"] = filters.zone or "UTC"
    if filters.severity:
        values["severity"] = [one.name for one in Event if one.severity == filters.severity]
    return conditions, values


def _apart(row: Any) -> dict[str, Any]:
    """Return a record with its members as columns; the text itself is what the hash covers."""
    members = strictjson.loads(row["record"], max_bytes=16 * 1024 * 1024)
    about = members.get("object", {})
    return {
        "at": row["at"],
        "event": row["event"],
        "severity": members.get("severity", ""),
        "actor": members.get("actor", ""),
        "person": row["person"],
        "object_type": about.get("type", ""),
        "object_id": about.get("id", ""),
        "details": members.get("details", {}),
        "chain": row["chain"],
        "seq": row["seq"],
        "hash": row["hash"],
    }
