"""Claims goals that wait for a model; apart, so that a worker loads the planner with the first."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from pilot import db


@dataclass(frozen=True)
class Claim:
    """A generation that this worker may work on, until another one claims it."""

    id: UUID
    owner_id: UUID
    runs: int


def claim(worker_id: UUID, limit: int) -> list[Claim]:
    """Take goals that wait for a worker, or whose worker is gone."""
    statement = text("SELECT id, owner_id, runs FROM claim_generations(:worker, :n)")
    with db.transaction("generation.claim", None) as session:
        rows = session.execute(statement, {"worker": worker_id, "n": limit}).all()
    return [Claim(row.id, row.owner_id, row.runs) for row in rows]
