"""A workflow's versions: read one, compare two, edit as text, restore."""

import difflib
from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy import select
from sqlalchemy.orm import Session
from wtforms import HiddenField, StringField, TextAreaField
from wtforms.validators import InputRequired

from pilot import settings
from pilot.engine import agents, display, generation, validation
from pilot.engine import document as documents
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError
from pilot.models.agent import Agent, WorkflowVersion
from pilot.views import (
    OPERATE,
    VIEW,
    actor,
    reading,
    redirect_to,
    render,
    route,
    show_issues,
    signed_in,
    toast,
    visitor,
)

bp = Blueprint("workflow", __name__)

URL = "/agents/<uuid:agent_id>/workflow"


class EditForm(FlaskForm):  # type: ignore[misc]
    """The text, why it changed, and the version that it began as."""

    text = TextAreaField("Workflow, as JSON or YAML", render_kw={"rows": 24})
    reason = StringField("Why did you change it?", [InputRequired("Say why it was changed.")])
    base = HiddenField()


@route(bp, f"{URL}/<int(max=1000000):number>", allow=VIEW, twin=True)
def version(agent_id: UUID, number: int) -> ResponseReturnValue:
    """One version: graph, steps, text; with `?against=` what differs from another."""
    against = request.args.get("against", "")
    with reading() as session:
        agent = agents.load(session, agent_id)
        found = _version(session, agent, number)
        other = _version(session, agent, int(against)) if _is_number(against) else None
    known = generation.known_actions(current_app.config["DATA"], agent.owner_id)
    document = found.document or agents.one_step(agent.prompt, agent.grants)
    text = documents.text(document)
    before = documents.text(other.document) if other is not None else ""
    return render(
        "workflow/version.html",
        twin=lambda: {
            "agent": agent.id,
            "number": found.number,
            "reason": found.reason,
            "origin": found.origin,
            "created_at": found.created_at,
            "document": found.document,
        },
        agent=agent,
        version=found,
        document=document,
        text=text,
        other=other,
        lines=display.lines(document, known),
        difference=_difference(before, text) if other is not None else [],
        may_operate=visitor().may(OPERATE),
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 7


def _version(session: Session, agent: Agent, number: int) -> WorkflowVersion:
    found = session.scalar(
        select(WorkflowVersion).where(
            WorkflowVersion.agent_id == agent.id, WorkflowVersion.number == number
        )
    )
    if found is None:
        raise NotFoundError(f"The agent has no version {number}.")
    return found


def _difference(before: str, after: str) -> list[tuple[str, str]]:
    """Return the changed lines with their surroundings: ("+" added, "-" removed, " " kept)."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=3, lineterm="")
    return [(line[:1], line[1:]) for line in lines if line[:3] not in {"---", "+++"}]


@route(bp, f"{URL}/edit", allow=OPERATE)
def edit(agent_id: UUID) -> ResponseReturnValue:
    """The editor with the newest version's text."""
    with reading() as session:
        agent = agents.load(session, agent_id)
        newest = agents.newest(session, agent)
    document = newest.document if newest is not None else None
    text = documents.text(document or agents.one_step(agent.prompt, agent.grants))
    return _editor(agent, EditForm(formdata=None, text=text, base=str(agent.version_number)))


@route(bp, f"{URL}/edit", allow=OPERATE, methods=("POST",))
def save(agent_id: UUID) -> ResponseReturnValue:
    """Check the text, apply one fix, or save it as the next version."""
    form = EditForm()
    with reading() as session:
        agent = agents.load(session, agent_id)
        limit = int(settings.value(session, "pilot_max_steps"))
    known = generation.known_actions(current_app.config["DATA"], agent.owner_id)
    text = (form.text.data or "").replace("\r\n", "\n").replace("\0", "\ufffd")
    issues = validation.validate(text, known, max_steps=limit)
    if request.form.get("do") == "check":
        return _editor(agent, form, issues=issues, checked=True)
    if request.form.get("fix"):
        return _fixed(agent, form, text, issues, lambda one: validation.validate(one, known))
    if any(one.severity == "error" for one in issues):
        return _editor(agent, form, issues=issues, status=422)
    base = int(form.base.data) if _is_number(form.base.data or "") else 0
    try:
        saved = agents.save_version(
            agent_id,
            documents.decode(text),
            reason=form.reason.data or "",
            base=base,
            by=actor(),
            user_id=signed_in(),
        )
    except InvalidError as error:
        show_issues(form, [one for one in error.issues if one.path == "/reason"])
        shown = [one for one in error.issues if one.path != "/reason"]
        return _editor(agent, form, issues=shown, status=422)
    except ConflictError as error:
        return _clash(agent, form, text, error)
    toast(f"Saved as version {saved.number}.")
    return redirect_to(f"/agents/{agent_id}")


def _fixed(
    agent: Agent, form: EditForm, text: str, issues: list[Issue], check: Any
) -> ResponseReturnValue:
    """Apply the fix of one issue to the text of the form; nothing is saved yet."""
    code, _, path = request.form["fix"].partition(" ")
    wanted = [one for one in issues if (one.code, one.path) == (code, path) and one.fix]
    if not wanted:
        return _editor(agent, form, issues=issues, status=422)
    patched = validation.apply_fix(documents.decode(text), wanted[0])
    form.text.data = documents.text(patched)
    difference = _difference(text, form.text.data)
    return _editor(agent, form, issues=check(patched), checked=True, difference=difference)


def _clash(agent: Agent, form: EditForm, text: str, error: ConflictError) -> ResponseReturnValue:
    """Show what the other person saved beside the text that was not."""
    with reading() as session:
        fresh = agents.load(session, agent.id)
        newest = agents.newest(session, fresh)
    theirs = documents.text(newest.document) if newest is not None and newest.document else ""
    form.base.data = str(fresh.version_number)
    return _editor(
        fresh, form, clash=error.message, difference=_difference(theirs, text), status=409
    )


def _editor(  # noqa: PLR0913 -- one keyword for each thing that may stand above the text
    agent: Agent,
    form: EditForm,
    *,
    issues: list[Issue] | None = None,
    checked: bool = False,
    clash: str = "",
    difference: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    return render(
        "workflow/edit.html",
        status=status,
        agent=agent,
        form=form,
        issues=issues or [],
        checked=checked,
        clash=clash,
        difference=difference or [],
    )


@route(bp, f"{URL}/<int(max=1000000):number>/restore", allow=OPERATE, methods=("POST",))
def restore(agent_id: UUID, number: int) -> ResponseReturnValue:
    """Save an earlier version as the newest."""
    saved = agents.restore(agent_id, number, by=actor(), user_id=signed_in())
    toast(f"Version {number} is the newest again, as version {saved.number}.")
    return redirect_to(f"/agents/{agent_id}")
