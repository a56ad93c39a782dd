"""Agents and their workflows: list, read, versions; check a document."""

from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint, Response, current_app
from pydantic import BaseModel, Field

from pilot import older
from pilot.api import (
    Body,
    Page,
    Strict,
    example,
    for_all_agents,
    key,
    listed,
    match,
    only_agents,
    operation,
    reach,
    wanted,
)
from pilot.engine import validation
from pilot.engine.agents import agent_details, agents, archiving
from pilot.engine.agents.agents import MOST_VERSIONS, NewAgent
from pilot.engine.editor import differences, display
from pilot.engine.generation import surroundings
from pilot.engine.language import catalogue
from pilot.engine.life import preflight
from pilot.engine.life.forecast import forecast
from pilot.engine.people.api_tokens import Scope
from pilot.engine.workflow import document as documents
from pilot.reports import agents as rows
from pilot.reports.listing import Listed
from pilot.views import actor, json_answer, reading, signed_in

bp = Blueprint("api_agents", __name__)
SORT = "name"
DOCUMENT = {
    "format": 1,
    "name": "Nightly report",
    "steps": [{"id": "day", "type": "transform", "operation": "set", "config": {"value": 1}}],
}
ONE = "/agents/<uuid:agent_id>"
VERSION = f"{ONE}/versions/<int(max={MOST_VERSIONS}):number>"
AnyDocument = dict[str, Any] | list[Any]  # older builders wrote a list of steps
Changes = Annotated[
    list[str] | None,
    Field(description="What was read otherwise than an older builder wrote it; null: nothing."),
]


class ListQuery(Page):
    """Which agents."""

    q: str = Field("", max_length=200, description="In name, goal or tags.")
    active: bool | None = None


class DiffQuery(Strict):
    """With which version."""

    to: int | None = Field(None, ge=1, le=MOST_VERSIONS, description="Its number; the newest.")


class DocumentBody(Body):
    """A workflow document to check."""

    model_config = example({"document": DOCUMENT})

    document: AnyDocument


class NewBody(Body):
    """A new agent."""

    model_config = example(
        {"name": "Nightly report", "goal": "Sum up the day", "document": DOCUMENT}
    )

    name: str = Field(min_length=1, max_length=120)
    goal: str = Field("", max_length=8_000)
    prompt: str = Field("", max_length=20_000)
    document: AnyDocument | None = None


class ChangeBody(Body):
    """What is changed; the rest stays."""

    model_config = example({"name": "Daily report", "tags": ["reports"], "active": False})

    name: str = Field("", max_length=120)
    goal: str = Field("", max_length=8_000)
    prompt: str = Field("", max_length=20_000)
    tags: list[str] = Field(default_factory=list, max_length=20)
    active: bool | None = None


class VersionBody(Body):
    """A workflow and why it was changed."""

    model_config = example({"document": DOCUMENT, "reason": "Two is right", "base": 1})

    document: AnyDocument
    reason: str = Field(min_length=1, max_length=500)
    base: int = Field(
        ge=0, le=MOST_VERSIONS, description="The number of the version that it was made from."
    )


class Listing(BaseModel):
    """A page of a list."""

    items: list[dict[str, Any]]
    next: str | None


class Versions(BaseModel):
    """Versions, the newest first."""

    items: list[dict[str, Any]]
    next: str | None


class Agent(BaseModel):
    """An agent with its newest workflow."""

    id: UUID
    name: str
    goal: str
    prompt: str
    tags: list[str]
    active: bool
    version: int | None
    document: dict[str, Any] | None
    inputs_schema: dict[str, Any] | None
    workflow_steps: list[dict[str, Any]]
    conversion: Changes


class Version(BaseModel):
    """One version and its workflow."""

    number: int
    reason: str
    origin: str
    created_at: datetime
    document: dict[str, Any]
    inputs_schema: dict[str, Any] | None
    hash: str = Field(description="SHA-256 of what was written.")
    conversion: Changes
    original: Any = Field(None, description="What an older builder wrote; null: none did.")


class Difference(BaseModel):
    """What differs: steps that were added, removed, moved or changed; fields outside of steps."""

    earlier: int = Field(alias="from", description="The number of the earlier version.")
    later: int = Field(alias="to")
    steps: list[dict[str, Any]]
    document: list[dict[str, Any]]


class Archived(BaseModel):
    """It is on no list any more."""

    id: UUID
    archived: bool


class Expected(BaseModel):
    """What an execution probably takes; null: its document cannot be read."""

    forecast: dict[str, Any] | None


class Checked(BaseModel):
    """What is wrong with a document; without errors it can be saved."""

    valid: bool
    issues: list[dict[str, Any]]
    conversion: Changes = None


makes = partial(
    operation,
    bp,
    scope=Scope.AGENTS_WRITE,
    gives=Agent,
    method="POST",
    status=201,
    tagged=True,
)


@operation(bp, "/agents", scope=Scope.AGENTS_READ, gives=Listing)
def index(query: ListQuery) -> dict[str, Any]:
    """List agents by name."""
    filters = rows.Filters(query.q, query.active, only_agents())
    bound = {"q": query.q, "active": query.active}
    with reading() as session:
        found = rows.listed(session, filters, wanted(query, SORT, bound))
    return listed(found, SORT, bound)


@makes("/agents", at="/agents/{id}")
def create(json: NewBody) -> Any:
    """Make an agent of a document, or of a prompt alone."""
    for_all_agents()
    new = NewAgent(json.name, goal=json.goal, prompt=json.prompt, origin="api")
    saved = agents.create(new, json.document, owner_id=signed_in(), by=actor(), key=key())
    return _now(saved.agent_id, status=201)


@operation(bp, ONE, scope=Scope.AGENTS_READ, gives=Agent, tagged=True)
def read(agent_id: UUID) -> Any:
    """Return an agent with its newest workflow, as document and in words; 304 if it is known."""
    reach(agent_id)
    return _now(agent_id)


@operation(bp, ONE, scope=Scope.AGENTS_WRITE, gives=Agent, method="PATCH", tagged=True)
def change(agent_id: UUID, json: ChangeBody) -> Any:
    """Change name, goal, prompt, tags or whether it is on; If-Match names what was read."""
    reach(agent_id)
    with reading() as session:
        agent = agents.load(session, agent_id)
        present = _told(agent, agents.newest(session, agent))
    known = agent_details.of(agent)
    match(_etag(agent), present=present)
    given = json.model_dump(exclude_unset=True, exclude={"active"})
    given |= {"tags": tuple(given["tags"])} if "tags" in given else {}
    who: dict[str, Any] = {"by": actor(), "user_id": signed_in()}
    how: dict[str, Any] = {"seen": agent.updated_at, "active": json.active}
    agent_details.change(agent_id, replace(known, **given), **how, **who)
    return _now(agent_id)


@makes(f"{ONE}/versions", at="/agents/{id}/versions/{version}")
def save_version(agent_id: UUID, json: VersionBody) -> Any:
    """Save a document as the next version; 409 if a newer one than `base` exists."""
    reach(agent_id)
    who: dict[str, Any] = {"by": actor(), "user_id": signed_in(), "key": key()}
    agents.save_version(agent_id, json.document, reason=json.reason, base=json.base, **who)
    return _now(agent_id, status=201)


def _etag(agent: Any) -> str:
    return f'"{agent.version_number}-{agent.updated_at.timestamp():.6f}"'


def _now(agent_id: UUID, *, status: int = 200) -> Response:
    with reading() as session:
        agent = agents.load(session, agent_id)
        version = agents.newest(session, agent)
    answer = json_answer(_told(agent, version), status=status)
    answer.headers["ETag"] = _etag(agent)
    return answer


def _told(agent: Any, version: Any) -> dict[str, Any]:
    document = version.document if version is not None else None
    return {
        "id": agent.id,
        "name": agent.name,
        "goal": agent.goal,
        "prompt": agent.prompt,
        "tags": agent.tags,
        "active": agent.active,
        "version": agent.version_number or None,
        "document": document,
        "inputs_schema": version.inputs_schema if version is not None else None,
        "workflow_steps": display.workflow_steps(
            agents.workflow_of(agent, version), catalogue.load()
        ),
        "conversion": _changes(version),
    }


def _changes(version: Any) -> list[str] | None:
    return version.conversion.notes if version is not None and version.conversion else None


@operation(bp, f"{ONE}/versions", scope=Scope.AGENTS_READ, gives=Versions)
def versions(agent_id: UUID, query: Page) -> dict[str, Any]:
    """List the versions of its workflow, the newest first."""
    reach(agent_id)
    order, bound = "-number", {"agent": agent_id}
    page = wanted(query, order, bound)
    before = int(page.after[0]) if page.after else rows.NEWEST
    with reading() as session:
        agents.load(session, agent_id)
        found = rows.versions(session, agent_id, before=before, size=page.size + 1)
    shown = found[: page.size]
    following = (str(shown[-1]["number"]), "") if len(found) > page.size else None
    return listed(Listed(shown, len(shown), following), order, bound)


@operation(bp, VERSION, scope=Scope.AGENTS_READ, gives=Version)
def version(agent_id: UUID, number: int) -> Any:
    """Return one version with its workflow."""
    reach(agent_id)
    with reading() as session:
        agent = agents.load(session, agent_id)
        found = agents.version(session, agent, number)
    return {
        "number": found.number,
        "reason": found.reason,
        "origin": found.origin,
        "created_at": found.created_at,
        "document": agents.workflow_of(agent, found),
        "inputs_schema": found.inputs_schema,
        "hash": found.document_hash,
        "conversion": _changes(found),
        "original": found.written if found.conversion else None,
    }


@operation(
    bp,
    f"{VERSION}/diff",
    scope=Scope.AGENTS_READ,
    gives=Difference,
)
def diff(agent_id: UUID, number: int, query: DiffQuery) -> Any:
    """Return what differs between a version and a later one: steps, then what is around them."""
    reach(agent_id)
    with reading() as session:
        agent = agents.load(session, agent_id)
        new = query.to or agent.version_number
        pair = [agents.version(session, agent, one) for one in (number, new)]
    old, later = (agents.workflow_of(agent, one) for one in pair)
    return {"from": number, "to": new} | asdict(differences.compare(old, later))


@makes(f"{VERSION}/restore", at="/agents/{id}/versions/{version}")
def restore(agent_id: UUID, number: int) -> Any:
    """Save an earlier version's workflow as the newest; the newest one stays as it is."""
    reach(agent_id)
    agents.restore(agent_id, number, key=key(), by=actor(), user_id=signed_in())
    return _now(agent_id, status=201)


@makes(f"{ONE}/duplicate", at="/agents/{id}")
def duplicate(agent_id: UUID) -> Any:
    """Make a new agent with the newest workflow, prompt and grants of this one."""
    for_all_agents()
    made = agents.duplicate(agent_id, key=key(), by=actor(), user_id=signed_in())
    return _now(made, status=201)


@operation(bp, f"{ONE}/archive", scope=Scope.AGENTS_WRITE, gives=Archived, method="POST")
def archive(agent_id: UUID) -> Any:
    """Take it off all lists for good; versions and executions stay; 409 while some run."""
    reach(agent_id)
    archiving.archive(agent_id, key=key(), by=actor(), user_id=signed_in())
    return {"id": agent_id, "archived": True}


@operation(bp, f"{ONE}/forecast", scope=Scope.AGENTS_READ, gives=Expected)
def expected(agent_id: UUID) -> Any:
    """Return what an execution will probably take: seconds, USD, decisions of people."""
    reach(agent_id)
    with reading() as session:
        agent = agents.load(session, agent_id)
        document = agents.workflow_of(agent, agents.newest(session, agent))
        saved = preflight.saved_inputs(session, agent_id, signed_in())
        found = forecast(session, document, agent_id, saved)
    return {"forecast": None if found is None else asdict(found)}


@operation(bp, "/workflows/validate", scope=Scope.AGENTS_READ, gives=Checked, method="POST")
def validate(json: DocumentBody) -> dict[str, Any]:
    """Check a document over the caller's tables and actions; nothing is stored."""
    known = surroundings.known_actions(current_app.config["DATA"], signed_in())
    made = older.convert(json.document) if older.is_older(json.document) else None
    document = made.document if made is not None else json.document
    issues = validation.validate(document, known, max_steps=documents.MAX_STEPS_CEILING)
    found = {"valid": not any(one.severity == "error" for one in issues), "issues": issues}
    return found | ({"conversion": made.notes} if made is not None else {})
