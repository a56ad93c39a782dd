"""Schedules of agents: list, read, make, change, delete."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint
from pydantic import AwareDatetime, BaseModel, Field

from pilot.api import Body, example, key, match, operation, reach
from pilot.engine.agents import agents
from pilot.engine.people.api_tokens import Scope
from pilot.engine.triggers import triggers
from pilot.engine.triggers.schedules import Timing
from pilot.models.trigger import Trigger
from pilot.reports import triggers as report
from pilot.views import actor, json_answer, reading, signed_in

bp = Blueprint("api_schedules", __name__)
ALL = "/agents/<uuid:agent_id>/schedules"
ONE = f"{ALL}/<uuid:schedule_id>"


class ScheduleBody(Body):
    """When it fires: `cron` or `every_s`; what is left out is as usual."""

    model_config = example({"cron": "0 8 * * 1-5", "zone": "Europe/Berlin", "overlap": "skip"})

    cron: str | None = Field(None, max_length=200, description="Five fields, in the zone.")
    every_s: int | None = Field(None, description="60 and more.")
    zone: str = Field("UTC", max_length=100, description="Of the IANA list.")
    starts_at: AwareDatetime | None = Field(None, strict=False)
    ends_at: AwareDatetime | None = Field(None, strict=False)
    jitter_s: int = Field(0, description="Each fire is late by up to this.")
    overlap: str = Field("skip", description="skip, queue, allow or cancel_previous.")
    catch_up: str = Field("one", description="none, one or all.")
    inputs: dict[str, Any] | None = Field(None, description="Over the agent's saved ones.")
    active: bool = True


class Schedule(BaseModel):
    """A schedule with its next times."""

    id: UUID
    cron: str | None
    every_s: int | None
    zone: str
    starts_at: datetime | None
    ends_at: datetime | None
    jitter_s: int
    overlap: str
    catch_up: str
    in_words: str
    inputs: dict[str, Any] | None
    active: bool
    off_reason: str = Field(description="Why it starts nothing more, unless a person paused it.")
    failures: int
    version: int
    next_times: list[str]


class Schedules(BaseModel):
    """The schedules of an agent."""

    items: list[Schedule]


class Fires(BaseModel):
    """The newest fires: what each started, or why it did not."""

    items: list[dict[str, Any]]


class Deleted(BaseModel):
    """It fires no more."""

    id: UUID
    deleted: bool


@operation(bp, ALL, scope=Scope.AGENTS_READ, gives=Schedules)
def index(agent_id: UUID) -> Any:
    """List the schedules of an agent, the oldest first."""
    reach(agent_id)
    with reading() as session:
        agents.load(session, agent_id)
        rows = triggers.listed(session, agent_id)
        return {"items": [triggers.told(session, row) for row in rows]}


@operation(
    bp,
    ALL,
    scope=Scope.AGENTS_WRITE,
    gives=Schedule,
    method="POST",
    status=201,
    tagged=True,
    at="/agents/{agent_id}/schedules/{id}",
)
def create(agent_id: UUID, json: ScheduleBody) -> Any:
    """Give the agent a schedule; it acts as the agent's owner."""
    reach(agent_id)
    who: dict[str, Any] = {"by": actor(), "user_id": signed_in()}
    how: dict[str, Any] = {"active": json.active, "key": key()}
    made = triggers.create(agent_id, _timing(json), json.inputs, **how, **who)
    return _now(agent_id, made, status=201)


@operation(bp, ONE, scope=Scope.AGENTS_READ, gives=Schedule, tagged=True)
def read(agent_id: UUID, schedule_id: UUID) -> Any:
    """Return one schedule with its next five times."""
    reach(agent_id)
    return _now(agent_id, schedule_id)


@operation(bp, ONE, scope=Scope.AGENTS_WRITE, gives=Schedule, method="PUT", tagged=True)
def change(agent_id: UUID, schedule_id: UUID, json: ScheduleBody) -> Any:
    """Change a schedule as a whole; If-Match names what was read."""
    reach(agent_id)
    row = _matched(agent_id, schedule_id)
    who: dict[str, Any] = {"by": actor(), "user_id": signed_in()}
    how: dict[str, Any] = {"active": json.active, "seen": row.version}
    triggers.change(schedule_id, _timing(json), json.inputs, **how, **who)
    return _now(agent_id, schedule_id)


@operation(bp, ONE, scope=Scope.AGENTS_WRITE, gives=Deleted, method="DELETE", tagged=True)
def delete(agent_id: UUID, schedule_id: UUID) -> Any:
    """Take a schedule away; what it started stays."""
    reach(agent_id)
    row = _matched(agent_id, schedule_id)
    triggers.delete(schedule_id, seen=row.version, by=actor(), user_id=signed_in())
    return {"id": schedule_id, "deleted": True}


@operation(bp, f"{ONE}/fires", scope=Scope.AGENTS_READ, gives=Fires)
def fires(agent_id: UUID, schedule_id: UUID) -> Any:
    """List what a schedule fired, the newest first."""
    reach(agent_id)
    with reading() as session:
        triggers.schedule(session, schedule_id, agent_id)
        return {"items": report.fires(session, agent_id, schedule_id)}


def _timing(json: ScheduleBody) -> Timing:
    return Timing(**json.model_dump(exclude={"inputs", "active"}))


def _matched(agent_id: UUID, schedule_id: UUID) -> Trigger:
    with reading() as session:
        row = triggers.schedule(session, schedule_id, agent_id)
        match(f'"{row.version}"', present=triggers.told(session, row))
    return row


def _now(agent_id: UUID, schedule_id: UUID, *, status: int = 200) -> Any:
    with reading() as session:
        row = triggers.schedule(session, schedule_id, agent_id)
        told = triggers.told(session, row)
    answer = json_answer(told, status=status)
    answer.headers["ETag"] = f'"{row.version}"'
    return answer
