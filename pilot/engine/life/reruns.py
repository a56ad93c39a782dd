"""What runs again when a person asks for it: recorded attempts are marked, never deleted."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pilot.engine import trail
from pilot.engine.status import StepStatus
from pilot.engine.workflow.following import containers, following
from pilot.engine.workflow.outline import AFTER
from pilot.models.execution import StepExecution

Attempt = tuple[str, int]  # path and number
_ANSWERED = re.compile(rf"(.*?)/(?:{'|'.join(AFTER)})/")
MARK = text("""
UPDATE step_execution s SET status = :status
  FROM unnest(cast(:paths AS text[]), cast(:attempts AS int[])) AS v(path, attempt)
 WHERE s.execution_id = :id AND s.path = v.path AND s.attempt = v.attempt
""")
# An attempt that provably never left the worker repeats nothing. What a step did by executions of
# its own, it does again with them.
HAPPENED = text("""
WITH RECURSIVE within AS (
  SELECT id, parent_path || ' > ' AS place FROM execution
   WHERE parent_id = :id AND parent_path = ANY (cast(:paths AS text[]))
  UNION ALL
  SELECT e.id, w.place || e.parent_path || ' > '
    FROM execution e JOIN within w ON e.parent_id = w.id
), acted AS (
  SELECT s.execution_id, s.path, s.path AS place, s.attempt, s.effect, s.key, s.status, s.error
    FROM step_execution s WHERE s.execution_id = :id AND s.path = ANY (cast(:paths AS text[]))
  UNION ALL
  SELECT s.execution_id, s.path, w.place || s.path, s.attempt, s.effect, s.key, s.status, s.error
    FROM within w JOIN step_execution s ON s.execution_id = w.id)
SELECT DISTINCT ON (place) place AS path, effect, key FROM acted a
 WHERE effect IN ('keyed', 'probe', 'once')
   AND status IN ('completed', 'interrupted', 'failed', 'superseded')
   AND coalesce(cast(error ->> 'sent' AS boolean), true)
   AND NOT EXISTS (SELECT 1 FROM step_execution r WHERE r.execution_id = a.execution_id
                      AND r.path = a.path AND r.status = 'replaced' AND r.attempt >= a.attempt)
 ORDER BY place, attempt DESC
""")
END_WAITS = text("""
WITH ended AS (
  UPDATE wait SET consumed_at = pilot_now()
   WHERE execution_id = :id AND path = ANY (cast(:paths AS text[])) AND consumed_at IS NULL
  RETURNING id)
UPDATE approval SET decision = 'cancelled', decided_at = pilot_now()
 WHERE wait_id IN (SELECT id FROM ended) AND decided_at IS NULL
""")


@dataclass(frozen=True)
class Effect:
    """An effect that happened, or may have: run again it happens once more."""

    path: str
    effect: str  # keyed, probe or once
    key: UUID


@dataclass(frozen=True)
class Again:
    """What runs again with a step."""

    replaced: list[str]  # as if it had never run, under new keys
    reopened: list[str]  # containers that go on with what they decided
    effects: list[Effect]  # that would happen once more


def failed(session: Session, execution_id: UUID, *, tolerated: bool = True) -> list[Attempt]:
    """Let every failed step run again, and the finished containers that put up with a failure.

    A container whose error branch took the place of a failure stays as it is; with `tolerated`
    off, so does all that a finished container put up with. Returns what was superseded.
    """
    newest = _newest(session, execution_id)
    statuses = {path: status for path, (_, status) in newest.items()}
    around = _around_failures(statuses)
    finished = tolerant(statuses)
    broken = list(around)
    if not tolerated:
        broken = [path for path in broken if not finished.intersection(around[path])]
        finished = set()
    again = [(path, newest[path][0]) for path in sorted({*broken, *finished})]
    mark(session, execution_id, again, StepStatus.SUPERSEDED)
    return again


def tolerant(statuses: Mapping[str, str]) -> set[str]:
    """Return the finished containers that put up with a failure, by the newest statuses."""
    found = (one for around in _around_failures(statuses).values() for one in around)
    return {one for one in found if statuses.get(one) == StepStatus.COMPLETED}


def _around_failures(statuses: Mapping[str, str]) -> dict[str, list[str]]:
    """Return each failed step with the containers around it that its failure reached."""
    answered = {found[1] for path in statuses if (found := _ANSWERED.match(path))}
    broken = [path for path, status in statuses.items() if status == StepStatus.FAILED]
    return {path: list(_tolerating(path, answered)) for path in broken}


def with_step(session: Session, execution_id: UUID, document: Any, path: str) -> Again:
    """Return what would run again with a step.

    Raises:
        NotFoundError: the step has not run.
        ConflictError: it cannot run again by itself.
    """
    found = following(document, _newest(session, execution_id), path)
    return Again(
        sorted(found.again), sorted(found.reopened), effects(session, execution_id, found.again)
    )


def effects(session: Session, execution_id: UUID, paths: Iterable[str]) -> list[Effect]:
    """Return which effects would happen once more if these steps ran as if they never had."""
    rows = session.execute(HAPPENED, {"id": execution_id, "paths": list(paths)})
    return [Effect(row.path, row.effect, row.key) for row in rows]


def replace(session: Session, execution_id: UUID, again: Again) -> None:
    """Let steps run again as if they had never run; what they waited for is over."""
    newest = _newest(session, execution_id)
    gone = [(path, newest[path][0]) for path in again.replaced]
    opened = [
        (path, newest[path][0])
        for path in again.reopened
        if newest[path][1] in {StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.CANCELLED}
    ]
    mark(session, execution_id, gone, StepStatus.REPLACED)
    mark(session, execution_id, opened, StepStatus.SUPERSEDED)
    session.execute(END_WAITS, {"id": execution_id, "paths": again.replaced})


def mark(
    session: Session, execution_id: UUID, attempts: Sequence[Attempt], status: StepStatus
) -> None:
    """Say of recorded attempts that they are superseded or replaced, and tell the timeline."""
    values = {
        "id": execution_id,
        "status": status,
        "paths": [path for path, _ in attempts],
        "attempts": [number for _, number in attempts],
    }
    session.execute(MARK, values)
    lines = [(path, {"status": str(status), "attempt": number}) for path, number in attempts]
    trail.tell_steps(session, execution_id, lines)


def _newest(session: Session, execution_id: UUID) -> dict[str, tuple[int, str]]:
    """Return number and status of the newest attempt by path, without what was replaced."""
    rows = session.execute(
        select(StepExecution.path, StepExecution.attempt, StepExecution.status)
        .where(StepExecution.execution_id == execution_id)
        .order_by(StepExecution.path, StepExecution.attempt)
    )
    newest = {path: (attempt, status) for path, attempt, status in rows}
    return {path: one for path, one in newest.items() if one[1] != StepStatus.REPLACED}


def _tolerating(path: str, answered: set[str]) -> Iterator[str]:
    """Yield the containers around a failed step, up to one whose error branch answered for it."""
    for container in containers(path):
        if container in answered:
            return
        yield container
