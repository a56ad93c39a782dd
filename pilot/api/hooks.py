"""Webhooks that start agents from outside: list, make, rotate, switch, delete; what came in."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from flask import Blueprint, current_app
from pydantic import BaseModel, Field

from pilot.api import Body, example, key, match, operation, reach
from pilot.engine.agents import agents
from pilot.engine.people.api_tokens import Scope
from pilot.engine.triggers import hooks
from pilot.views import actor, json_answer, reading, signed_in

bp = Blueprint("api_hooks", __name__)
ALL = "/agents/<uuid:agent_id>/hooks"
ONE = f"{ALL}/<uuid:hook_id>"


class HookBody(Body):
    """How senders prove who they are, and what becomes of what they send."""

    model_config = example(
        {
            "proof": "signature",
            "match": "payload.type == 'order.paid'",
            "inputs": {"order": "{{ payload.data.id }}"},
        }
    )

    proof: Literal["signature", "bearer"] = Field(
        "signature", description="A signature of Standard Webhooks, or the secret itself."
    )
    match: str | None = Field(None, max_length=2_000, description="A condition over `payload`.")
    inputs: dict[str, Any] | None = Field(
        None, description="Templates over `payload`; null: the body is all inputs."
    )


class HookSwitch(Body):
    """On or off."""

    model_config = example({"active": False})

    active: bool


class Hook(BaseModel):
    """A webhook; its secret is told once, when it is made or rotated."""

    id: UUID
    url: str
    proof: Literal["signature", "bearer"]
    match: str | None
    inputs: dict[str, Any] | None
    active: bool
    version: int
    created_at: datetime


class NewHook(Hook):
    """A webhook with its secret, this once."""

    secret: str | None = Field(description="Null: it was told to an earlier request of this key.")


class Hooks(BaseModel):
    """The webhooks of an agent, the newest first."""

    items: list[Hook]


class Deliveries(BaseModel):
    """What came in, the newest first: what each started, or why it did not."""

    items: list[dict[str, Any]]


class Deleted(BaseModel):
    """Nothing answers at its address any more."""

    id: UUID
    deleted: bool


@operation(bp, ALL, scope=Scope.AGENTS_READ, gives=Hooks)
def index(agent_id: UUID) -> Any:
    """List the webhooks of an agent, the newest first."""
    reach(agent_id)
    with reading() as session:
        agents.load(session, agent_id)
        return {"items": [_told(row) for row in hooks.listed(session, agent_id)]}


@operation(
    bp,
    ALL,
    scope=Scope.AGENTS_WRITE,
    gives=NewHook,
    method="POST",
    status=201,
    tagged=True,
    at="/agents/{agent_id}/hooks/{id}",
)
def create(agent_id: UUID, json: HookBody) -> Any:
    """Give the agent an address that starts it, as its owner; answers with the secret."""
    reach(agent_id)
    shape = hooks.Shape(json.proof == "bearer", json.match, json.inputs)
    made = hooks.create(agent_id, shape, key=key(), by=actor(), user_id=signed_in())
    return _now(agent_id, made.id, status=201, secret=made.secret)


@operation(bp, ONE, scope=Scope.AGENTS_READ, gives=Hook, tagged=True)
def read(agent_id: UUID, hook_id: UUID) -> Any:
    """Return one webhook, without its secret."""
    reach(agent_id)
    return _now(agent_id, hook_id)


@operation(bp, f"{ONE}/rotate", scope=Scope.AGENTS_WRITE, gives=NewHook, method="POST", tagged=True)
def rotate(agent_id: UUID, hook_id: UUID) -> Any:
    """Make a new secret; the one before holds for 24 hours more, or until the next is made."""
    reach(agent_id)
    made = hooks.rotate(agent_id, hook_id, key=key(), by=actor(), user_id=signed_in())
    return _now(agent_id, hook_id, secret=made.secret)


@operation(bp, ONE, scope=Scope.AGENTS_WRITE, gives=Hook, method="PATCH", tagged=True)
def switch(agent_id: UUID, hook_id: UUID, json: HookSwitch) -> Any:
    """Switch a webhook on or off; switched off it answers as if it did not exist."""
    reach(agent_id)
    seen = _matched(agent_id, hook_id)
    hooks.set_active(agent_id, hook_id, json.active, seen=seen, by=actor(), user_id=signed_in())
    return _now(agent_id, hook_id)


@operation(bp, ONE, scope=Scope.AGENTS_WRITE, gives=Deleted, method="DELETE", tagged=True)
def delete(agent_id: UUID, hook_id: UUID) -> Any:
    """Forget a webhook and its secret; what came in stays."""
    reach(agent_id)
    seen = _matched(agent_id, hook_id)
    hooks.delete(agent_id, hook_id, seen=seen, by=actor(), user_id=signed_in())
    return {"id": hook_id, "deleted": True}


@operation(bp, f"{ALL}/deliveries", scope=Scope.AGENTS_READ, gives=Deliveries)
def deliveries(agent_id: UUID) -> Any:
    """List what came in at the agent's webhooks, the newest first."""
    reach(agent_id)
    with reading() as session:
        agents.load(session, agent_id)
        return {"items": [hooks.came(row) for row in hooks.deliveries(session, agent_id)]}


def _matched(agent_id: UUID, hook_id: UUID) -> str:
    with reading() as session:
        row = hooks.find(session, agent_id, hook_id)
    seen = hooks.state(row)
    match(f'"{seen}"', present=_told(row))
    return seen


def _now(agent_id: UUID, hook_id: UUID, *, status: int = 200, **more: Any) -> Any:
    with reading() as session:
        row = hooks.find(session, agent_id, hook_id)
    answer = json_answer(_told(row) | more, status=status)
    answer.headers["ETag"] = f'"{hooks.state(row)}"'
    return answer


def _told(row: Any) -> dict[str, Any]:
    return hooks.told(row, current_app.config["URL"])
