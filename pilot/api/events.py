"""Events from outside, for the steps that wait for them."""

from typing import Any
from uuid import UUID

from flask import Blueprint
from pydantic import BaseModel, Field

from pilot.api import Body, example, for_all_agents, key, operation
from pilot.engine.people.api_tokens import Scope
from pilot.engine.waits import events
from pilot.views import actor, signed_in

bp = Blueprint("api_events", __name__)


class EventBody(Body):
    """An event; without an id the Idempotency-Key is its id, and without both each one is new."""

    model_config = Body.model_config | example(
        {"source": "shop", "id": "evt_1", "name": "order.paid", "data": {"order": 7}}
    )
    name: str = Field(min_length=1, max_length=100)
    data: Any = Field(None, description="The payload, any JSON to 256 KiB.")
    source: str = Field("api", min_length=1, max_length=255)
    id: str | None = Field(None, min_length=1, max_length=255)


class Resolved(BaseModel):
    """A step that waited for it and goes on."""

    execution_id: UUID
    path: str


class Taken(BaseModel):
    """What became of it: `repeated` is one that came before, `kept` one for what waits later."""

    id: str
    repeated: bool
    kept: bool
    resolved: list[Resolved]


@operation(bp, "/events", scope=Scope.EVENTS_WRITE, gives=Taken, method="POST", status=202)
def send(json: EventBody) -> Any:
    """Resolve the waits that an event fits, or keep it for 24 hours; twice is once."""
    for_all_agents()
    sent = events.Sent(json.name, json.data, json.source, json.id or key(), key())
    answer = events.send(sent, by=actor(), user_id=signed_in())
    facts = {"id": answer.id, "repeated": answer.repeated, "kept": answer.kept}
    return facts | {"resolved": answer.resolved}, 202
