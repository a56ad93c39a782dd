"""The rounds of loops and scatters: counted by the database, however many there are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine import steps
from pilot.engine.workflow.outline import Node, recorded_path

MOST_NAMED = 20  # failed or open rounds that are shown by themselves, of one execution
GRAVEST = ("unknown", "failed", "waiting", "running", "pending", "completed", "skipped")
INSIDE = "EXISTS (SELECT 1 FROM unnest(cast(:repeats AS text[])) AS r WHERE starts_with(s.path, r))"
NEWEST = f"""
WITH newest AS (
  SELECT DISTINCT ON (s.path) s.path, s.status, s.duration_ms, s.started_at, s.finished_at
    FROM step_execution s WHERE s.execution_id = :id AND {INSIDE}
   ORDER BY s.path, s.attempt DESC)
"""  # noqa: S608 -- constants
COUNTS = text(f"""{NEWEST}
SELECT regexp_replace(path, '\\[\\d+\\]', '', 'g') AS pattern,
       CASE WHEN status IN ('superseded', 'replaced', 'interrupted') THEN 'pending'
            ELSE status END AS status,
       count(*) AS count, coalesce(sum(duration_ms), 0) AS working_ms,
       min(started_at) AS started_at, max(finished_at) AS finished_at,
       bool_or(finished_at IS NULL) AS open
  FROM newest GROUP BY 1, 2
""")  # noqa: S608 -- constants
NAMED = text(f"""{NEWEST}
SELECT path FROM newest WHERE status IN ('unknown', 'failed', 'waiting', 'running')
 ORDER BY array_position(ARRAY['unknown', 'failed', 'waiting', 'running'], status), started_at
 LIMIT :most
""")  # noqa: S608 -- constants
PARTS = text("""
SELECT DISTINCT s.path, length(s.path) FROM step_execution s
 WHERE s.execution_id = :id
   AND EXISTS (SELECT 1 FROM unnest(cast(:parts AS text[])) AS r WHERE starts_with(s.path, r))
 ORDER BY length(s.path), s.path LIMIT :most
""")


@dataclass(frozen=True)
class Rounds:
    """How one step stands in all rounds that began: each counts by its newest attempt."""

    counts: dict[str, int]
    started_at: datetime
    finished_at: datetime | None  # None: one is going on
    working_ms: int  # of all together, without their waits

    @property
    def duration_ms(self) -> int | None:
        """From the first begin to the last end."""
        if self.finished_at is None:
            return None
        return round((self.finished_at - self.started_at) / timedelta(milliseconds=1))

    @property
    def status(self) -> str:
        """The gravest status among them."""
        return next((one for one in GRAVEST if one in self.counts), "pending")

    @property
    def number(self) -> int:
        """How many rounds began."""
        return sum(self.counts.values())

    @property
    def words(self) -> str:
        """How many rounds stand how."""
        order = sorted(self.counts, key=GRAVEST[::-1].index)
        return ", ".join(f"{self.counts[one]:,} {one}" for one in order)


def repeats(nodes: Iterable[Node]) -> list[str]:
    """Return what the paths of rounds begin with, and of what a batch has one of for many rows."""
    known = list(nodes)
    found = [
        f"{recorded_path(node)}["
        for node in known
        if node.type and hasattr(steps.load(node.type), "REPEATS")
    ]
    return found + parts(known)


def parts(nodes: Iterable[Node]) -> list[str]:
    """Return what the paths of the questions of batches begin with."""
    return [
        f"{recorded_path(node)}/{name}["
        for node in nodes
        if node.step.get("batch") is not None
        for name in ("call", "again", "row")
    ]


def counted(session: Session, execution_id: UUID, prefixes: list[str]) -> dict[str, Rounds]:
    """Return how the steps in rounds stand, by path without the numbers of the rounds."""
    if not prefixes:
        return {}
    rows: dict[str, list[Any]] = {}
    for row in session.execute(COUNTS, {"id": execution_id, "repeats": prefixes}):
        rows.setdefault(row.pattern, []).append(row)
    return {
        pattern: Rounds(
            {row.status: row.count for row in found},
            min(row.started_at for row in found),
            None if any(row.open for row in found) else max(row.finished_at for row in found),
            sum(row.working_ms for row in found),
        )
        for pattern, found in rows.items()
    }


def named(session: Session, execution_id: UUID, prefixes: list[str], parts: list[str]) -> list[str]:
    """Return the paths of failed and open rounds, those that need somebody first.

    Of the questions of batches also the first ones that were answered.
    """
    if not prefixes:
        return []
    values = {"id": execution_id, "repeats": prefixes, "parts": parts, "most": MOST_NAMED}
    found = list(session.scalars(NAMED, values))
    return found + list(session.scalars(PARTS, values) if parts else ())
