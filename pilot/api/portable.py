"""Agents leave as YAML and come in as YAML."""

from typing import Any
from uuid import UUID

from flask import Blueprint
from pydantic import BaseModel, Field

from pilot.api import Body, example, for_all_agents, key, operation, reach
from pilot.engine.agents import agents, portable
from pilot.engine.people.api_tokens import Scope
from pilot.views import actor, reading, signed_in

bp = Blueprint("api_portable", __name__)


class Exported(BaseModel):
    """The text of one agent: its newest workflow, prompt and tags, never a secret."""

    text: str


class ImportBody(Body):
    """The text of one agent; without `new_version` its name must be free."""

    model_config = Body.model_config | example(
        {"text": "pilot: 1\nkind: agent\nname: Nightly\n", "new_version": False}
    )
    text: str = Field(min_length=1, max_length=portable.MAX_BYTES)
    new_version: bool = Field(False, description="Change the agent of that name.")


class Imported(BaseModel):
    """The agent; a new one is switched off until somebody switches it on."""

    id: UUID
    name: str
    version: int
    active: bool


@operation(bp, "/agents/<uuid:agent_id>/export", scope=Scope.AGENTS_READ, gives=Exported)
def export(agent_id: UUID) -> Any:
    """Return an agent as YAML: equal content, equal bytes."""
    reach(agent_id)
    with reading() as session:
        agent = agents.load(session, agent_id)
        return {"text": portable.text(agent, agents.newest(session, agent))}


@operation(
    bp,
    "/agents/import",
    scope=Scope.AGENTS_WRITE,
    gives=Imported,
    method="POST",
    status=201,
    at="/agents/{id}",
)
def bring_in(json: ImportBody) -> Any:
    """Make an agent of a text, or a new version of the one of its name; nothing is started."""
    for_all_agents()
    source = json.text.encode(errors="replace")
    who: dict[str, Any] = {"by": actor(), "user_id": signed_in(), "key": key()}
    made = portable.bring_in(source, new_version=json.new_version, **who)
    with reading() as session:
        agent = agents.load(session, made)
        facts = {"id": agent.id, "name": agent.name, "version": agent.version_number}
    return facts | {"active": agent.active}, 201
