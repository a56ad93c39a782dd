"""Simulations of an agent's workflow: one, or as many as take every way through it once."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4, uuid5

from pilot import db
from pilot.audit import Actor
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
    """Start the simulations; returns the id under which they belong together.

    Raises:
        NotFoundError: no such agent, or it is not yours.
        ForbiddenError: it is shared with you only to look at it.
        InvalidError: with all that stands in the way: wrong inputs, ways that there are not, a
            workflow with errors.
        ConflictError: it has nothing to run.
    """
    made = uuid5(user_id, asked.key) if asked.key else uuid4()
    with db.transaction("simulation.begin", user_id) as session:
        agent = agents.load(session, agent_id)
        body = document.parse(agents.workflow_of(agent, agents.newest(session, agent))).steps
        ways.check(body, asked.force)
        chosen = ways.covering(body) if asked.each else [{}]
        for number, one in enumerate(chosen):
            start = starts.Start(
                mode=starts.SIMULATE,
                inputs=asked.inputs,
                complete=asked.complete,
                trigger=trigger,
                key=f"{asked.key[:240]}/{number}" if asked.key else None,
                ways=one | asked.force,
                simulation_id=made,
            )
            starts.begin(session, agent_id, start, by=by, user_id=user_id, setup=setup)
    return made
