"""Forks of executions, and moves to another version: what would be reused, and the act."""

from typing import Any
from uuid import UUID

from flask import Blueprint
from pydantic import Field

from pilot.api import Body, Problem, example, key, operation, reach
from pilot.api.executions_told import Receipt, Result
from pilot.engine.agents.agents import MOST_VERSIONS
from pilot.engine.life import executions, forks, moving, receipts
from pilot.engine.people.api_tokens import Scope
from pilot.reports import results
from pilot.views import actor, reading, setup, signed_in, visitor

bp = Blueprint("api_forks", __name__)
FORK = "/executions/<uuid:execution_id>/fork"
MIGRATE = "/executions/<uuid:execution_id>/migrate"


class ForkBody(Body):
    """What is other than in the old execution; what is left out is as it was."""

    model_config = example({"inputs": {"city": "Kassel"}, "version": 4, "sequence": 17})

    inputs: dict[str, Any] | None = Field(None, description="All of them.")
    version: int | None = Field(
        None, ge=1, le=MOST_VERSIONS, description="Of the agent's workflow."
    )
    sequence: int | None = Field(None, ge=0, description="Of the receipt that was read before.")


class MigrateBody(Body):
    """Which version takes over."""

    model_config = example({"version": 4, "sequence": 17})

    version: int | None = Field(
        None, ge=1, le=MOST_VERSIONS, description="Without one, the newest."
    )
    sequence: int | None = Field(None, ge=0, description="Of the receipt that was read before.")
    repeat_effects: bool = Field(
        False, description="Whether effects that happened already may happen once more."
    )


@operation(
    bp,
    f"{FORK}/receipt",
    scope=Scope.EXECUTIONS_RUN,
    gives=Receipt,
    method="POST",
    also={409: Problem},
)
def receipt(execution_id: UUID, json: ForkBody) -> Any:
    """Return what a fork would reuse and run; nothing begins."""
    _reached(execution_id)
    asked = forks.Fork(json.inputs, json.version)
    with reading() as session:
        found = forks.plan(session, execution_id, asked, user_id=signed_in(), setup=setup())
        return receipts.of_fork(session, found).facts()


@operation(
    bp,
    FORK,
    scope=Scope.EXECUTIONS_RUN,
    gives=Result,
    method="POST",
    status=202,
    at="/executions/{execution_id}/result",
)
def fork(execution_id: UUID, json: ForkBody) -> Any:
    """Begin a new execution that reuses what is unchanged; returns how it stands."""
    _reached(execution_id)
    made = forks.fork(
        execution_id,
        forks.Fork(json.inputs, json.version, key()),
        by=actor(),
        user_id=signed_in(),
        sees_all=visitor().sees_all,
        seen_seq=json.sequence,
        setup=setup(),
    )
    with reading() as session:
        return results.result(session, made), 202


@operation(
    bp,
    f"{MIGRATE}/receipt",
    scope=Scope.EXECUTIONS_RUN,
    gives=Receipt,
    method="POST",
    also={409: Problem},
)
def migrate_receipt(execution_id: UUID, json: MigrateBody) -> Any:
    """Return what would be reused and run; 409 with all that does not fit."""
    _reached(execution_id)
    with reading() as session:
        row = executions.find(session, execution_id)
        return receipts.of_move(session, moving.plan(session, row, json.version)).facts()


@operation(bp, MIGRATE, scope=Scope.EXECUTIONS_RUN, gives=Result, method="POST")
def migrate(execution_id: UUID, json: MigrateBody) -> Any:
    """Let another version of its workflow take over, and go on; 409 with all that does not fit."""
    _reached(execution_id)
    moving.move(
        execution_id,
        moving.Move(json.version, json.repeat_effects, key()),
        by=actor(),
        user_id=signed_in(),
        sees_all=visitor().sees_all,
        seen_seq=json.sequence,
    )
    with reading() as session:
        return results.result(session, execution_id)


def _reached(execution_id: UUID) -> None:
    with reading() as session:
        agent_id = executions.find(session, execution_id).agent_id
    reach(agent_id)
