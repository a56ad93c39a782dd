"""Taking an agent off all lists, once nothing of it is under way."""

from uuid import UUID

from sqlalchemy import func, select

from pilot import audit, db
from pilot.audit import Actor, Event
from pilot.engine import idempotency
from pilot.engine.agents import agents
from pilot.errors import ConflictError
from pilot.models.columns import NOW
from pilot.models.execution import Execution


def archive(agent_id: UUID, *, key: str | None, by: Actor, user_id: UUID) -> None:
    """Take an agent off all lists for good; its versions and executions stay.

    Raises:
        NotFoundError: no such agent.
        ConflictError: executions of it are under way.
    """
    body = {"agent": str(agent_id)}
    with db.transaction("agent.archive", user_id) as session:
        if idempotency.open_request(session, user_id, key, "agent.archive", body) is not None:
            return
        agent = agents.load(session, agent_id, lock=True)
        under_way = session.scalar(
            select(func.count()).where(
                Execution.agent_id == agent_id, Execution.finished_at.is_(None)
            )
        )
        if under_way:
            raise ConflictError(
                f"{under_way} executions are under way: let them end or cancel them first.",
                {"under_way": under_way},
            )
        agent.active, agent.deleted_at = False, session.scalars(select(NOW)).one()
        audit.record(
            session,
            Event.AGENT_DELETED,
            actor=by,
            about=("agent", agent_id),
            owner_id=agent.owner_id,
            details={"name": agent.name, "kept": "versions and executions"},
        )
        idempotency.keep_answer(session, user_id, key, {"done": True})
