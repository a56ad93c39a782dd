"""A workflow's versions: read one, compare two, download, restore."""

import re
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from pilot.engine.agents import agents
from pilot.engine.agents.agents import MOST_VERSIONS
from pilot.engine.editor import differences, display, step_facts
from pilot.engine.generation import surroundings
from pilot.engine.language import catalogue, yaml_text
from pilot.engine.workflow import document as documents
from pilot.errors import NotFoundError
from pilot.models.agent import Agent, WorkflowVersion
from pilot.reports import agents as agent_rows
from pilot.views import (
    OPERATE,
    VIEW,
    actor,
    reading,
    redirect_to,
    render,
    route,
    signed_in,
    toast,
    visitor,
)
from pilot.views.lists import part

bp = Blueprint("workflow", __name__)

URL = "/agents/<uuid:agent_id>/workflow"
VERSION = f"{URL}/<int(max={MOST_VERSIONS}):number>"
DIFF = re.compile(r"([0-9]{1,6})\.\.([0-9]{1,6})")
SYNTAXES = {"json": (documents.text, "application/json"), "yaml": (yaml_text.dumps, "text/yaml")}
PAGE_SIZE = 50


@route(bp, URL, allow=VIEW, twin=True)
def index(agent_id: UUID) -> ResponseReturnValue:
    """The newest version."""
    return _page(agent_id, None)


@route(bp, VERSION, allow=VIEW, twin=True)
def version(agent_id: UUID, number: int) -> ResponseReturnValue:
    """One version."""
    return _page(agent_id, number)


def _page(agent_id: UUID, number: int | None) -> ResponseReturnValue:
    """Show a version: graph, steps, text; with `?diff=12..14` what differs between two."""
    ignored: list[tuple[str, str]] = []
    before = _before(ignored)
    with reading() as session:
        agent = agents.load(session, agent_id)
        found = agents.version(session, agent, number or agent.version_number)
        rows = agent_rows.versions(session, agent_id, before=before, size=PAGE_SIZE + 1)
        pair = _pair(session, agent, ignored)
    known = surroundings.known_actions(current_app.config["DATA"], agent.owner_id)
    document = agents.workflow_of(agent, found)
    lines, selected = display.lines(document, known), request.args.get("step", "")
    syntax = request.args.get("as", "json")
    if syntax not in SYNTAXES:
        ignored.append(("as", syntax))
        syntax = "json"
    compared = _compared(agent, pair)
    return render(
        "workflow/index.html",
        twin=lambda: {
            **_twin(agent, found),
            "versions": rows[:PAGE_SIZE],
            "differences": compared["differences"],
        },
        agent=agent,
        url=f"/agents/{agent.id}/workflow",
        version=found,
        document=document,
        has_pilot_steps=found.document is not None,
        conversion=found.conversion,
        original=documents.text(found.written) if found.conversion else "",
        syntax=syntax,
        text=SYNTAXES[syntax][0](document),
        lines=lines,
        part=part(lines, display.place(lines, selected)),
        facts=step_facts.facts(document, known),
        selected=selected,
        versions=rows[:PAGE_SIZE],
        older=rows[PAGE_SIZE - 1]["number"] if len(rows) > PAGE_SIZE else None,
        ignored=ignored,
        may_change=visitor().may(OPERATE) and agent.owner_id == signed_in(),
        **compared,
    )


def _before(ignored: list[tuple[str, str]]) -> int:
    text = request.args.get("before", "")
    if text and not re.fullmatch("[0-9]{1,6}", text):
        ignored.append(("before", text))
        return agent_rows.NEWEST
    return int(text) if text else agent_rows.NEWEST


def _pair(
    session: Session, agent: Agent, ignored: list[tuple[str, str]]
) -> tuple[WorkflowVersion, WorkflowVersion] | None:
    """Return the two versions that the URL compares."""
    text = request.args.get("diff", "")
    match = DIFF.fullmatch(text)
    try:
        if match:
            first, second = (agents.version(session, agent, int(one)) for one in match.groups())
            return first, second
    except NotFoundError:
        match = None
    if text:
        ignored.append(("diff", text))
    return None


def _compared(agent: Agent, pair: tuple[WorkflowVersion, WorkflowVersion] | None) -> dict[str, Any]:
    if pair is None:
        return {"pair": None, "differences": None, "difference": []}
    old, new = (agents.workflow_of(agent, one) for one in pair)
    return {
        "pair": pair,
        "differences": differences.compare(old, new),
        "difference": differences.text_lines(documents.text(old), documents.text(new)),
    }


def _twin(agent: Agent, found: WorkflowVersion) -> dict[str, Any]:
    document = agents.workflow_of(agent, found)
    return {
        "agent": agent.id,
        "number": found.number,
        "newest": agent.version_number,
        "reason": found.reason,
        "origin": found.origin,
        "created_at": found.created_at,
        "hash": found.document_hash,
        "document": found.document,
        "workflow_steps": display.workflow_steps(document, catalogue.load()),
        "inputs_schema": found.inputs_schema,
        "conversion": found.conversion.notes if found.conversion else None,
        "original": found.written if found.conversion else None,
    }


@route(bp, f"{VERSION}/download", allow=VIEW)
def download(agent_id: UUID, number: int) -> ResponseReturnValue:
    """Give a version's text as a file: `?as=yaml` or JSON; `?as=original`: as it was written."""
    with reading() as session:
        agent = agents.load(session, agent_id)
        found = agents.version(session, agent, number)
    is_original = request.args.get("as") == "original"
    read = agents.as_written if is_original else agents.workflow_of
    syntax = "yaml" if request.args.get("as") == "yaml" else "json"
    write, mimetype = SYNTAXES[syntax]
    slug = re.sub("[^a-z0-9]+", "-", agent.name.lower()).strip("-")[:60] or "workflow"
    name = f"{slug}-v{number}{'-original' if is_original else ''}.{syntax}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    text = write(read(agent, found)).rstrip("\n") + "\n"
    return Response(text, mimetype=mimetype, headers=headers)


@route(bp, f"{VERSION}/restore", allow=OPERATE, methods=("POST",), takes=())
def restore(agent_id: UUID, number: int) -> ResponseReturnValue:
    """Save an earlier version as the newest."""
    with reading() as session:
        newest = agents.load(session, agent_id).version_number
    once = request.form.get("request_id")
    saved = agents.restore(agent_id, number, key=once, by=actor(), user_id=signed_in())
    undo = f"/agents/{agent_id}/workflow/{newest}/restore" if saved.number > newest else None
    toast(f"Version {number} is the newest again, as version {saved.number}.", undo_url=undo)
    return redirect_to(f"/agents/{agent_id}/workflow")
