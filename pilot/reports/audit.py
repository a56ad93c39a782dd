"""The audit trail as a list: who did what to which object, found over all records."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from pilot import strictjson
from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch

SORTS = {"at": Sort("a.at", "timestamptz")}
SOURCE = Source(
    columns="a.chain, a.seq, a.at, a.event, a.record, encode(a.hash, 'hex') AS hash",
    tables="audit a",
    id="(a.chain || '/' || lpad(a.seq::text, 12, '0'))",
    sorts=SORTS,
    id_type="text",
)


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to."""

    event: str | None = None
    severity: str | None = None
    q: str = ""  # an object's id, or part of the record
    since: date | None = None
    until: date | None = None


def listed(session: Session, filters: Filters, wanted: Wanted) -> Listed:
    """Return one page of records, each with its members apart."""
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for name, condition in (
        ("event", "a.event = :event"),
        (
            "severity",
            "a.event IN (SELECT name FROM audit_event WHERE audit_event.severity = :severity)",
        ),
        ("q", "strpos(lower(a.record), lower(:q)) > 0"),
        ("since", "a.at >= cast(:since AS date)"),
        ("until", "a.at < cast(:until AS date) + 1"),
    ):
        if getattr(filters, name):
            conditions.append(condition)
            values[name] = getattr(filters, name)
    found = fetch(session, SOURCE, conditions, values, wanted)
    return Listed([_apart(row) for row in found.rows], found.total, found.next)


def _apart(row: Any) -> dict[str, Any]:
    """Return a record with its members as columns; the text itself is what the hash covers."""
    members = strictjson.loads(row["record"], max_bytes=16 * 1024 * 1024)
    about = members.get("object", {})
    return {
        "at": row["at"],
        "event": row["event"],
        "severity": members.get("severity", ""),
        "actor": members.get("actor", ""),
        "object_type": about.get("type", ""),
        "object_id": about.get("id", ""),
        "details": members.get("details", {}),
        "chain": row["chain"],
        "seq": row["seq"],
        "hash": row["hash"],
    }
