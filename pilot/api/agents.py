"""Agents and their workflows: list, read, versions; check a document."""

from typing import Any
from uuid import UUID

from flask import Blueprint, current_app
from pydantic import BaseModel, Field

from pilot.api import Page, Strict, listed, operation, reach, wanted
from pilot.engine import agents, catalogue, display, folders, validation
from pilot.engine import document as documents
from pilot.engine.api_tokens import Scope
from pilot.plugins.tables.sampling import sample
from pilot.reports import agents as rows
from pilot.views import reading, signed_in

bp = Blueprint("api_agents", __name__)
SORT = "name"


class ListQuery(Page):
    """Which agents."""

    q: str = Field("", max_length=200, description="In name, goal or tags.")
    active: bool | None = None


class VersionsQuery(Strict):
    """Which versions."""

    limit: int = Field(50, ge=1, le=200)
    before: int = Field(rows.NEWEST, ge=1, le=rows.NEWEST, description="Older than this number.")


class DocumentBody(Strict):
    """A workflow document to check."""

    document: dict[str, Any]


class Listing(BaseModel):
    """A page of a list."""

    items: list[dict[str, Any]]
    next: str | None


class Versions(BaseModel):
    """Versions, the newest first."""

    items: list[dict[str, Any]]


class Agent(BaseModel):
    """An agent with its newest workflow."""

    id: UUID
    name: str
    goal: str
    active: bool
    version: int | None
    document: dict[str, Any] | None
    inputs_schema: dict[str, Any] | None
    workflow_steps: list[dict[str, Any]]


class Checked(BaseModel):
    """What is wrong with a document; without errors it can be saved."""

    valid: bool
    issues: list[dict[str, Any]]


@operation(bp, "/agents", scope=Scope.AGENTS_READ, gives=Listing)
def index(query: ListQuery) -> dict[str, Any]:
    """List agents by name."""
    filters = rows.Filters(q=query.q, active=query.active)
    bound = {"q": query.q, "active": query.active}
    with reading() as session:
        found = rows.listed(session, filters, wanted(query, SORT, bound))
    return listed(found, SORT, bound)


@operation(bp, "/agents/<uuid:agent_id>", scope=Scope.AGENTS_READ, gives=Agent)
def read(agent_id: UUID) -> dict[str, Any]:
    """Return an agent with its newest workflow, as document and in words."""
    reach(agent_id)
    with reading() as session:
        agent = agents.load(session, agent_id)
        version = agents.newest(session, agent)
    document = version.document if version is not None else None
    return {
        "id": agent.id,
        "name": agent.name,
        "goal": agent.goal,
        "active": agent.active,
        "version": agent.version_number or None,
        "document": document,
        "inputs_schema": version.inputs_schema if version is not None else None,
        "workflow_steps": display.workflow_steps(
            agents.workflow_of(agent, version), catalogue.load()
        ),
    }


@operation(bp, "/agents/<uuid:agent_id>/versions", scope=Scope.AGENTS_READ, gives=Versions)
def versions(agent_id: UUID, query: VersionsQuery) -> dict[str, Any]:
    """List the versions of its workflow, the newest first."""
    reach(agent_id)
    with reading() as session:
        agents.load(session, agent_id)
        return {"items": rows.versions(session, agent_id, before=query.before, size=query.limit)}


@operation(bp, "/workflows/validate", scope=Scope.AGENTS_READ, gives=Checked, method="POST")
def validate(json: DocumentBody) -> dict[str, Any]:
    """Check a document over the caller's tables and actions; nothing is stored."""
    samples = sample(folders.private(current_app.config["DATA"], signed_in()))
    known = catalogue.load().with_samples(samples)
    issues = validation.validate(json.document, known, max_steps=documents.MAX_STEPS_CEILING)
    return {"valid": not any(one.severity == "error" for one in issues), "issues": issues}
