"""Where executions and drafts stand: what live pages look at again and again, many at once."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot.engine.status import FINAL
from pilot.models.execution import Execution
from pilot.models.generation import Generation


@dataclass(frozen=True)
class State:
    """Where the subject of a stream stands."""

    seq: int  # of its newest event
    final: bool


def executions(session: Session, ids: Collection[UUID]) -> dict[UUID, State]:
    """Return where those executions stand that the session's user may see."""
    query = select(Execution.id, Execution.event_seq, Execution.status)
    rows = session.execute(query.where(Execution.id.in_(ids)))
    return {row.id: State(row.event_seq, row.status in FINAL) for row in rows}


def generations(session: Session, ids: Collection[UUID]) -> dict[UUID, State]:
    """Return where those drafts stand that the session's user may see."""
    query = select(Generation.id, Generation.seq, Generation.stage)
    rows = session.execute(query.where(Generation.id.in_(ids)))
    return {row.id: State(row.seq, row.stage == "done") for row in rows}
