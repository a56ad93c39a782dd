"""What runs again when a person asks for it: recorded attempts are superseded, never deleted."""

import re
from collections.abc import Iterable, Iterator
from uuid import UUID

from sqlalchemy import select, tuple_, update
from sqlalchemy.orm import Session

from pilot.engine.outline import AFTER
from pilot.engine.status import StepStatus
from pilot.models.execution import StepExecution

Attempt = tuple[str, int]  # path and number
_ANSWERED = re.compile(rf"(.*?)/(?:{'|'.join(AFTER)})/")


def failed(session: Session, execution_id: UUID) -> list[Attempt]:
    """Let every failed step run again, and the finished containers that put up with a failure.

    A container whose error branch took the place of a failure stays as it is. Returns what was
    superseded.
    """
    newest = _newest(session, execution_id)
    answered = {found[1] for path in newest if (found := _ANSWERED.match(path))}
    broken = [path for path, (_, status) in newest.items() if status == StepStatus.FAILED]
    around = {one for path in broken for one in _tolerating(path, answered)}
    finished = {path for path in around if newest.get(path, (0, ""))[1] == StepStatus.COMPLETED}
    again = [(path, newest[path][0]) for path in sorted({*broken, *finished})]
    _supersede(session, execution_id, again)
    return again


def _newest(session: Session, execution_id: UUID) -> dict[str, tuple[int, str]]:
    """Return number and status of the newest attempt by path."""
    rows = session.execute(
        select(StepExecution.path, StepExecution.attempt, StepExecution.status)
        .where(StepExecution.execution_id == execution_id)
        .order_by(StepExecution.path, StepExecution.attempt)
    )
    return {path: (attempt, status) for path, attempt, status in rows}


def _tolerating(path: str, answered: set[str]) -> Iterator[str]:
    """Yield the containers around a failed step, up to one whose error branch answered for it."""
    for container in containers(path):
        if container in answered:
            return
        yield container


def containers(path: str) -> Iterator[str]:
    """Yield the paths of the steps around a step, the innermost first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        for segment in AFTER:
            path = path.removesuffix(f"/{segment}")
        path = path.rpartition("[")[0] if path.endswith("]") else path
        yield path


def _supersede(session: Session, execution_id: UUID, again: Iterable[Attempt]) -> None:
    session.execute(
        update(StepExecution)
        .where(
            StepExecution.execution_id == execution_id,
            tuple_(StepExecution.path, StepExecution.attempt).in_(list(again)),
        )
        .values(status=StepStatus.SUPERSEDED)
    )
