"""Events of Pilot's own that start agents: list, make, change, switch, delete."""

from typing import Any
from uuid import UUID

from flask import Blueprint
from pydantic import BaseModel, Field

from pilot.api import Body, example, for_all_agents, key, match, operation, reach
from pilot.engine.agents import agents
from pilot.engine.people.api_tokens import Scope
from pilot.engine.triggers import event_triggers, triggers
from pilot.engine.triggers.event_triggers import Following
from pilot.reports import triggers as report
from pilot.views import actor, json_answer, reading, signed_in

bp = Blueprint("api_triggers", __name__)
ALL = "/agents/<uuid:agent_id>/triggers"
ONE = f"{ALL}/<uuid:trigger_id>"


class TriggerBody(Body):
    """After what the agent starts, and with which inputs."""

    model_config = example(
        {
            "event": "execution_finished",
            "statuses": ["failed"],
            "match": "payload.mode == 'run'",
            "inputs": {"about": "{{ payload.agent }}"},
        }
    )

    event: str = Field(max_length=40, description="execution_finished or approval_decided.")
    about_agent_id: UUID | None = Field(
        None, strict=False, description="Of which agent; null: of any other of the owner."
    )
    statuses: list[str] | None = Field(None, min_length=1, max_length=10)
    match: str | None = Field(None, max_length=2_000, description="A condition over `payload`.")
    inputs: dict[str, Any] | None = Field(
        None, description="Templates over `payload`, over the saved inputs."
    )


class SwitchBody(Body):
    """On or off."""

    model_config = example({"active": False})

    active: bool


class Trigger(BaseModel):
    """A trigger."""

    id: UUID
    event: str
    about_agent_id: UUID | None
    statuses: list[str] | None
    match: str | None
    inputs: dict[str, Any] | None
    active: bool
    off_reason: str
    failures: int
    version: int
    in_words: str


class Triggers(BaseModel):
    """What an agent follows, and what that started."""

    items: list[Trigger]
    fires: list[dict[str, Any]]


class Deleted(BaseModel):
    """It fires no more."""

    id: UUID
    deleted: bool


@operation(bp, ALL, scope=Scope.AGENTS_READ, gives=Triggers)
def index(agent_id: UUID) -> Any:
    """List what an agent follows, and the newest fires."""
    reach(agent_id)
    with reading() as session:
        agents.load(session, agent_id)
        rows = event_triggers.listed(session, agent_id)
        items = [event_triggers.told(session, row) for row in rows]
        return {"items": items, "fires": report.fires(session, agent_id, kind="event")}


@operation(
    bp,
    ALL,
    scope=Scope.AGENTS_WRITE,
    gives=Trigger,
    method="POST",
    status=201,
    tagged=True,
    at="/agents/{agent_id}/triggers/{id}",
)
def create(agent_id: UUID, json: TriggerBody) -> Any:
    """Let the agent start after executions or decisions; it acts as its owner."""
    reach(agent_id)
    following = _following(json)
    made = event_triggers.create(agent_id, following, key=key(), by=actor(), user_id=signed_in())
    return _now(agent_id, made, status=201)


@operation(bp, ONE, scope=Scope.AGENTS_READ, gives=Trigger, tagged=True)
def read(agent_id: UUID, trigger_id: UUID) -> Any:
    """Return one trigger."""
    reach(agent_id)
    return _now(agent_id, trigger_id)


@operation(bp, ONE, scope=Scope.AGENTS_WRITE, gives=Trigger, method="PUT", tagged=True)
def change(agent_id: UUID, trigger_id: UUID, json: TriggerBody) -> Any:
    """Change what the agent follows, as a whole; whether it is on stays."""
    reach(agent_id)
    following, seen = _following(json), _matched(agent_id, trigger_id)
    who: dict[str, Any] = {"by": actor(), "user_id": signed_in()}
    event_triggers.change(trigger_id, agent_id, following, seen=seen, **who)
    return _now(agent_id, trigger_id)


@operation(bp, ONE, scope=Scope.AGENTS_WRITE, gives=Trigger, method="PATCH", tagged=True)
def switch(agent_id: UUID, trigger_id: UUID, json: SwitchBody) -> Any:
    """Switch a trigger on or off."""
    reach(agent_id)
    seen = _matched(agent_id, trigger_id)
    triggers.set_active(trigger_id, json.active, seen=seen, by=actor(), user_id=signed_in())
    return _now(agent_id, trigger_id)


@operation(bp, ONE, scope=Scope.AGENTS_WRITE, gives=Deleted, method="DELETE", tagged=True)
def delete(agent_id: UUID, trigger_id: UUID) -> Any:
    """Take a trigger away; what it started stays."""
    reach(agent_id)
    seen = _matched(agent_id, trigger_id)
    triggers.delete(trigger_id, seen=seen, by=actor(), user_id=signed_in())
    return {"id": trigger_id, "deleted": True}


def _following(json: TriggerBody) -> Following:
    """Return what is followed: with a token for some agents, one of these."""
    if json.about_agent_id is not None:
        reach(json.about_agent_id)
    else:
        for_all_agents()
    return Following(**json.model_dump())


def _matched(agent_id: UUID, trigger_id: UUID) -> int:
    with reading() as session:
        row = event_triggers.find(session, trigger_id, agent_id)
        match(f'"{row.version}"', present=event_triggers.told(session, row))
    return row.version


def _now(agent_id: UUID, trigger_id: UUID, *, status: int = 200) -> Any:
    with reading() as session:
        row = event_triggers.find(session, trigger_id, agent_id)
        told = event_triggers.told(session, row)
    answer = json_answer(told, status=status)
    answer.headers["ETag"] = f'"{row.version}"'
    return answer
