"""Whole outputs, for downloads: large ones are read piece by piece."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine.life import executions
from pilot.errors import NotFoundError

PIECE_BYTES = 1024 * 1024
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
