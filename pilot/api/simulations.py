"""Simulations of agents: start them, read what they show."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint
from pydantic import BaseModel, Field

from pilot.api import Body, example, key, operation, reach
from pilot.engine.life import simulations
from pilot.engine.people.api_tokens import Scope
from pilot.reports import simulations as report
from pilot.views import actor, reading, setup, signed_in

bp = Blueprint("api_simulations", __name__)


class SimulateBody(Body):
    """What is simulated: the inputs, and which ways are taken."""

    model_config = example({"inputs": {"city": "Kassel"}, "each": True})

    inputs: dict[str, Any] = Field(default_factory=dict, description="Over the saved ones.")
    force: dict[str, str] = Field(
        default_factory=dict,
        description="Way by step (of a sub_workflow's own steps: sub_workflow/step): then, else, "
        "case0 .., default, on_error, on_timeout or rejected.",
    )
    each: bool = Field(False, description="As many simulations as take every way once.")


class Execution(BaseModel):
    """One of them; its timeline is that of an execution."""

    id: UUID
    status: str
    status_reason: str | None
    ways: dict[str, str] | None
    error: dict[str, Any] | None
    created_at: datetime
    finished_at: datetime | None


class Simulation(BaseModel):
    """What they show."""

    id: UUID
    agent_id: UUID
    version: int | None
    final: bool
    ways_taken: int
    ways: int
    executions: list[Execution]
    coverage: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    worst_case: dict[str, Any]


@operation(
    bp,
    "/agents/<uuid:agent_id>/simulate",
    scope=Scope.EXECUTIONS_RUN,
    gives=Simulation,
    method="POST",
    status=202,
    at="/simulations/{id}",
)
def begin(agent_id: UUID, json: SimulateBody) -> Any:
    """Simulate the newest workflow: nothing is called, sent or paid; same key, same simulation."""
    reach(agent_id)
    asked = simulations.Asked(json.inputs, json.force, each=json.each, key=key())
    by: dict[str, Any] = {"by": actor(), "user_id": signed_in(), "setup": setup()}
    made = simulations.begin(agent_id, asked, trigger="api", **by)
    return _facts(made), 202


@operation(bp, "/simulations/<uuid:simulation_id>", scope=Scope.EXECUTIONS_READ, gives=Simulation)
def read(simulation_id: UUID) -> Any:
    """Return how they stand: ways taken, where outputs come from, what it takes at worst."""
    return _facts(simulation_id)


def _facts(simulation_id: UUID) -> dict[str, Any]:
    with reading() as session:
        shown = report.shown(session, simulation_id)
    reach(shown.agent_id)
    return report.facts(shown)
