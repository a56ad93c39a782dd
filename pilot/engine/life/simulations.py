"""Simulations of an agent's workflow: one, or as many as take every way through it once."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from pilot import db
from pilot.audit import Actor
from pilot.engine import idempotency
from pilot.engine.agents import agents
from pilot.engine.life import preflight, starts
from pilot.engine.workflow import document, ways
from pilot.engine.workflow.ways import Ways


@dataclass(frozen=True)
class Asked:
    """What is simulated."""

    inputs: dict[str, Any] = field(default_factory=dict)
    force: Ways = field(default_factory=dict)  # way by step
    each: bool = False  # every way once
    complete: bool = False  # the given inputs are all: saved ones do not lie under them
    key: str | None = None  # idempotency key of the request


def begin(
    agent_id: UUID,
    asked: Asked,
    *,
    by: Actor,
    user_id: UUID,
    setup: preflight.Setup = preflight.UNTOLD,
    trigger: str = "manual",
) -> UUID:
    """Start the simulations; returns the id under which they belong together. Same key: the same.

    Raises:
        NotFoundError: no such agent, or it is not yours.
        ForbiddenError: it is shared with you only to look at it.
        InvalidError: with all that stands in the way: wrong inputs, ways that there are not, a
            workflow with errors; or the key is of another body.
        ConflictError: it has nothing to run.
    """
    made = uuid4()
    with db.transaction("simulation.begin", user_id) as session:
        kept = idempotency.open_request(
            session, user_id, asked.key, "simulation.begin", _body(agent_id, asked)
        )
        if kept is not None:
            return UUID(kept["simulation_id"])
        agent = agents.load(session, agent_id)
        body = document.parse(agents.workflow_of(agent, agents.newest(session, agent))).steps
        ways.check(body, asked.force)
        chosen = ways.covering(body) if asked.each else [{}]
        for one in chosen:
            start = starts.Start(
                mode=starts.SIMULATE,
                inputs=asked.inputs,
                complete=asked.complete,
                trigger=trigger,
                ways=one | asked.force,
                simulation_id=made,
            )
            starts.begin(session, agent_id, start, by=by, user_id=user_id, setup=setup)
        idempotency.keep_answer(session, user_id, asked.key, {"simulation_id": str(made)})
    return made


def _body(agent_id: UUID, asked: Asked) -> dict[str, Any]:
    """Return what the same idempotency key has to come with."""
    return {
        "agent": str(agent_id),
        "inputs": asked.inputs,
        "force": asked.force,
        "each": asked.each,
        "complete": asked.complete,
    }
