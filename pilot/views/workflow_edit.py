"""The workflow as text: check, fix, convert, save; whatever happens, the text stays."""

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
from pilot.engine.agents import agents
from pilot.engine.editor import differences, editing
from pilot.engine.editor.editing import Checked
from pilot.engine.generation import surroundings
from pilot.engine.workflow import document as documents
from pilot.engine.workflow import simple_loop
from pilot.errors import ConflictError, ForbiddenError, InvalidError
from pilot.models.agent import Agent, WorkflowVersion
from pilot.views import (
    OPERATE,
    actor,
    reading,
    redirect_to,
    render,
    route,
    show_issues,
    signed_in,
    toast,
)

bp = Blueprint("workflow_edit", __name__)

URL = "/agents/<uuid:agent_id>/workflow/edit"


class EditForm(FlaskForm):  # type: ignore[misc]
    """The text, why it changed, and the version that it began as."""

    text = TextAreaField(
        "Workflow, as JSON or YAML", [InputRequired("Give a workflow.")], render_kw={"rows": 24}
    )
    reason = StringField("Why did you change it?", [InputRequired("Say why it was changed.")])
    base = HiddenField()


@route(bp, URL, allow=OPERATE)
def index(agent_id: UUID) -> ResponseReturnValue:
    """The editor with the newest version's text."""
    with reading() as session:
        agent = _own(session, agent_id)
        newest = agents.newest(session, agent)
    text = documents.text(agents.workflow_of(agent, newest))
    return _editor(agent, EditForm(formdata=None, text=text, base=str(agent.version_number)))


@route(bp, URL, allow=OPERATE, methods=("POST",), takes=(EditForm, "do", "fix"))
def act(agent_id: UUID) -> ResponseReturnValue:
    """Check the text, fix or convert it, or save it as the next version."""
    form = EditForm()
    with reading() as session:
        agent = _own(session, agent_id)
        limit = int(settings.value(session, "pilot_max_steps"))
    form.text.data = editing.clean(form.text.data or "")
    checked = _checked(agent, form.text.data, limit)
    if request.form.get("fix"):
        return _fixed(agent, form, checked, limit)
    match request.form.get("do"):
        case "check":
            return _editor(agent, form, checked=checked)
        case "convert" if checked.is_older:
            converted = editing.convert(checked)
            return _changed(agent, form, checked, converted.text, limit, notes=converted.notes)
    return _save(agent, form, checked)


def _checked(agent: Agent, text: str, limit: int) -> Checked:
    known = surroundings.known_actions(current_app.config["DATA"], agent.owner_id)
    return editing.check(text, known, max_steps=limit)


def _fixed(agent: Agent, form: EditForm, checked: Checked, limit: int) -> ResponseReturnValue:
    """Apply the fix of one issue to the text of the form; nothing is saved yet."""
    code, _, path = request.form["fix"].partition(" ")
    try:
        text = editing.fix(checked, code, path)
    except InvalidError as error:
        show_issues(form, error.issues)
        return _editor(agent, form, checked=checked, status=422)
    return _changed(agent, form, checked, text, limit)


def _changed(
    agent: Agent,
    form: EditForm,
    before: Checked,
    text: str,
    limit: int,
    *,
    notes: list[str] | None = None,
) -> ResponseReturnValue:
    """Show the editor with a text that Pilot changed, and how; nothing is saved yet."""
    lines = differences.text_lines(editing.rewritten(before), text)
    form.text.data = text
    checked = _checked(agent, text, limit)
    return _editor(agent, form, checked=checked, changed=lines, notes=notes)


def _save(agent: Agent, form: EditForm, checked: Checked) -> ResponseReturnValue:
    if checked.wrong:
        return _editor(agent, form, checked=checked, status=422)
    try:
        saved = agents.save_version(
            agent.id,
            checked.document,
            reason=form.reason.data or "",
            base=_base(form),
            by=actor(),
            user_id=signed_in(),
        )
    except InvalidError as error:
        show_issues(form, error.issues)
        return _editor(agent, form, checked=checked, status=422)
    except ConflictError as error:
        return _clash(agent.id, form, checked, error)
    told = f"Saved as version {saved.number}."
    if saved.number == agent.version_number:
        told = f"Nothing was changed: version {saved.number} holds this workflow."
    elif simple_loop.is_enough(checked.document):
        told += " One model step: its prompt runs as the simple loop."
    toast(told)
    return redirect_to(f"/agents/{agent.id}/workflow")


def _clash(
    agent_id: UUID, form: EditForm, checked: Checked, error: ConflictError
) -> ResponseReturnValue:
    """Show what the other person changed and what this one did, from the version both began as."""
    base = _base(form)
    with reading() as session:
        agent = agents.load(session, agent_id)
        query = select(WorkflowVersion).where(WorkflowVersion.agent_id == agent_id)
        newest = agents.newest(session, agent)
        began = session.scalar(query.where(WorkflowVersion.number == base))
    theirs, old = agents.workflow_of(agent, newest), agents.workflow_of(agent, began)
    clash = {
        "message": error.message,
        "base": base,
        "newest": agent.version_number,
        "text": documents.text(theirs),
        "theirs": differences.text_lines(documents.text(old), documents.text(theirs)),
        "yours": differences.text_lines(documents.text(theirs), documents.text(checked.document)),
    }
    form.base.data = str(agent.version_number)
    return _editor(agent, form, checked=checked, clash=clash, status=409)


def _own(session: Session, agent_id: UUID) -> Agent:
    """Return an agent that this visitor may change.

    Raises:
        NotFoundError: no such agent.
        ForbiddenError: it is somebody else's.
    """
    agent = agents.load(session, agent_id)
    if agent.owner_id != signed_in():
        raise ForbiddenError("Only its owner may change it: duplicate it, or ask them.")
    return agent


def _base(form: EditForm) -> int:
    """Return the version that the text began as; 0, older than all, where it says none."""
    text = form.base.data or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _editor(  # noqa: PLR0913 -- one keyword for each thing that may stand above the text
    agent: Agent,
    form: EditForm,
    *,
    checked: Checked | None = None,
    clash: dict[str, Any] | None = None,
    changed: list[tuple[str, str]] | None = None,
    notes: list[str] | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    return render(
        "workflow/edit.html",
        status=status,
        agent=agent,
        form=form,
        checked=checked,
        clash=clash,
        changed=changed or [],
        notes=notes or [],
    )
