"""Past executions as tests: replay one offline on what it recorded, read what differs."""

from typing import Any
from uuid import UUID

from flask import Blueprint
from pydantic import BaseModel, Field

from pilot.api import Body, example, key, operation, reach
from pilot.engine.agents.agents import MOST_VERSIONS
from pilot.engine.life import executions, replays
from pilot.engine.people.api_tokens import Scope
from pilot.reports import replays as report
from pilot.views import actor, reading, setup, signed_in, visitor

bp = Blueprint("api_replays", __name__)


class ReplayBody(Body):
    """What is tested, besides the newest version on recorded answers."""

    model_config = example({"version": 4, "model": "gpt-6-luna"})

    version: int | None = Field(
        None, ge=1, le=MOST_VERSIONS, description="Of the agent's workflow."
    )
    model: str | None = Field(
        None,
        min_length=1,
        max_length=120,
        description="Who is asked in the place of recorded answers: that costs.",
    )


class Replay(BaseModel):
    """What it shows; `equal` and the differences count once it is `final`."""

    id: UUID
    execution_id: UUID
    agent_id: UUID
    version: int | None
    model: str | None
    status: str
    final: bool
    equal: bool
    steps: int
    differences: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    before: dict[str, Any]
    now: dict[str, Any]


@operation(
    bp,
    "/executions/<uuid:execution_id>/replay",
    scope=Scope.EXECUTIONS_RUN,
    gives=Replay,
    method="POST",
    status=202,
    at="/replays/{id}",
)
def begin(execution_id: UUID, json: ReplayBody) -> Any:
    """Run a past execution again offline, once for a key; only a model that is named is called."""
    with reading() as session:
        reach(executions.find(session, execution_id).agent_id)
    made = replays.begin(
        execution_id,
        replays.Asked(json.version, json.model, "api", key()),
        by=actor(),
        user_id=signed_in(),
        sees_all=visitor().sees_all,
        setup=setup(),
    )
    return _facts(made), 202


@operation(bp, "/replays/<uuid:replay_id>", scope=Scope.EXECUTIONS_READ, gives=Replay)
def read(replay_id: UUID) -> Any:
    """Return how a replay stands beside what it replays."""
    return _facts(replay_id)


def _facts(replay_id: UUID) -> dict[str, Any]:
    with reading() as session:
        shown = report.shown(session, replay_id)
    reach(shown.agent_id)
    return report.facts(shown)
