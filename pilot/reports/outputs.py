"""Whole outputs, and what approvals ask, for downloads: large ones are read piece by piece."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine.life import executions
from pilot.errors import NotFoundError

PIECE_BYTES = 1024 * 1024
PIECE_CHARACTERS = 8 * 1024 * 1024  # each is found by reading all before it
OF_STEP = text("""
SELECT s.owner_id, s.output::text AS output, s.output_blob, b.size
  FROM step_execution s
  LEFT JOIN blob b ON b.owner_id = s.owner_id AND b.sha256 = s.output_blob
 WHERE s.execution_id = :id AND s.path = :path AND s.status = 'completed'
   AND (cast(:attempt AS int) IS NULL OR s.attempt = :attempt)
 ORDER BY s.attempt DESC LIMIT 1
""")
OF_EXECUTION = text("""
SELECT e.owner_id, e.output::text AS output, e.output_blob, b.size
  FROM execution e
  LEFT JOIN blob b ON b.owner_id = e.owner_id AND b.sha256 = e.output_blob
 WHERE e.id = :id
""")
PIECE = text(
    "SELECT substring(content FROM :start FOR :most) FROM blob "
    "WHERE owner_id = :owner AND sha256 = :sha256"
)

OF_APPROVAL = text(
    "SELECT payload_hash, octet_length(payload) AS size FROM approval WHERE id = :id"
)
APPROVAL_PIECE = text(
    "SELECT substr(payload, :start, :most) FROM approval WHERE id = :id AND payload_hash = :sha256"
)


@dataclass(frozen=True)
class Output:
    """An output that may be read: its JSON, or where the large one is."""

    owner_id: UUID
    text: str
    sha256: bytes | None
    size: int


def find(session: Session, execution_id: UUID, path: str | None, attempt: int | None) -> Output:
    """Return what a step's completed attempt gave, by default the newest; no path: the execution.

    Raises:
        NotFoundError: there is none (any more), or it is somebody else's.
    """
    executions.find(session, execution_id)
    values: dict[str, Any] = {"id": execution_id}
    if path is not None:
        values |= {"path": path, "attempt": attempt}
    row = session.execute(OF_EXECUTION if path is None else OF_STEP, values).one_or_none()
    if row is None or row.output is None:
        raise NotFoundError("There is no such output.")
    sha256 = None if row.output_blob is None else bytes(row.output_blob)
    size = len(row.output.encode()) if row.size is None else row.size
    return Output(row.owner_id, row.output, sha256, size)


def piece(session: Session, output: Output, start: int) -> bytes:
    """Return up to a megabyte of a large output, from a byte on; empty at its end."""
    values = {"start": start + 1, "most": PIECE_BYTES, "owner": output.owner_id}
    found = session.scalar(PIECE, values | {"sha256": output.sha256})
    return bytes(found or b"")


@dataclass(frozen=True)
class Payload:
    """What an approval asks: its bytes are those that are hashed."""

    approval_id: UUID
    sha256: str
    size: int


def payload(session: Session, approval_id: UUID) -> Payload:
    """Return where the whole of what an approval asks is.

    Raises:
        NotFoundError: absent, or this person may not see it.
    """
    row = session.execute(OF_APPROVAL, {"id": approval_id}).one_or_none()
    if row is None:
        raise NotFoundError("There is no such approval, or it is not for you.")
    return Payload(approval_id, row.payload_hash, row.size)


def payload_piece(session: Session, found: Payload, start: int) -> str:
    """Return some million characters of it; empty at its end, or once it was changed."""
    values = {"id": found.approval_id, "sha256": found.sha256}
    return (
        session.scalar(APPROVAL_PIECE, values | {"start": start + 1, "most": PIECE_CHARACTERS})
        or ""
    )
