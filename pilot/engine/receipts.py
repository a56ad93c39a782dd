"""What a resume or a retry would do: which outputs are reused, what runs, what is sent again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine import document as documents
from pilot.engine import executions
from pilot.engine.status import RESUMABLE, RETRYABLE, StepStatus
from pilot.errors import ConflictError
from pilot.models.agent import WorkflowVersion
from pilot.models.execution import Execution

KINDS = {"resume": RESUMABLE, "retry": RETRYABLE}
ATTEMPTS = text("""
SELECT DISTINCT ON (path) path, status, effect, key, duration_ms FROM step_execution
 WHERE execution_id = :id ORDER BY path, attempt DESC
""")
MEDIANS = text("""
SELECT s.path, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.duration_ms)::int8 AS median_ms
  FROM step_execution s JOIN execution e ON e.id = s.execution_id
 WHERE e.agent_id = :agent AND s.status = 'completed' AND s.duration_ms IS NOT NULL
 GROUP BY s.path
""")
LIVE_WORKER = text(
    "SELECT EXISTS (SELECT 1 FROM worker WHERE stopped_at IS NULL AND NOT draining "
    "AND lease_until > pilot_now())"
)


@dataclass(frozen=True)
class Line:
    """One step of a receipt."""

    path: str
    status: str
    effect: str | None
    key: UUID | None
    ms: int | None  # reused: what it took; to run: the median of its history, None: unknown


@dataclass(frozen=True)
class Receipt:
    """What would happen, as of one event sequence: posted back, it must still be the present."""

    kind: str
    seq: int
    reused: list[Line]
    runs: list[Line]
    asks: list[Line]  # unknown outcomes that need an answer first
    live_worker: bool
    version: int | None

    @property
    def kept_ms(self) -> int:
        """The time that reuse saves."""
        return sum(line.ms or 0 for line in self.reused)

    @property
    def again(self) -> list[Line]:
        """Effects that are sent once more, under the same key."""
        return [line for line in self.runs if line.key is not None and line.effect != "pure"]


def receipt(session: Session, execution_id: UUID, kind: str) -> Receipt:
    """Return the receipt of `resume` or `retry` for an execution.

    Raises:
        NotFoundError: no such execution.
        ConflictError: it cannot be resumed or retried now.
    """
    row = executions.find(session, execution_id)
    if row.status not in KINDS[kind]:
        status = row.status.replace("_", " ")
        raise ConflictError(f"It is {status}: there is nothing to {kind}.")
    newest = {one.path: one for one in session.execute(ATTEMPTS, {"id": execution_id})}
    medians = {one.path: one.median_ms for one in session.execute(MEDIANS, {"agent": row.agent_id})}
    done = {StepStatus.COMPLETED, StepStatus.SKIPPED}
    reused = [_line(one, one.duration_ms) for one in newest.values() if one.status in done]
    asks = [_line(one, None) for one in newest.values() if one.status == StepStatus.UNKNOWN]
    kept = {line.path for line in (*reused, *asks)}
    runs = [
        _line(newest[path], medians.get(path))
        if path in newest
        else Line(path, "pending", None, None, medians.get(path))
        for path in _order(_document(session, row), newest)
        if path not in kept
    ]
    return Receipt(
        kind,
        row.event_seq,
        reused,
        runs,
        asks,
        bool(session.scalar(LIVE_WORKER)),
        row.version_number,
    )


def _line(one: Any, ms: int | None) -> Line:
    return Line(one.path, one.status, one.effect, one.key, ms)


def _document(session: Session, row: Execution) -> Any:
    if row.document is not None or row.version_id is None:
        return row.document
    version = session.get(WorkflowVersion, row.version_id)
    return version.document if version is not None else None


def _order(document: Any, newest: dict[str, Any]) -> Sequence[str]:
    """Return the paths that may still run: the steps at the top, then what failed inside them."""
    top = [step.id for step in documents.parse(document).steps] if document else []
    inner = [path for path in newest if path not in top]
    return [*top, *inner]
