"""Agents leave as YAML and come in as YAML; what would change is shown first."""

from uuid import UUID

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, FileField, TextAreaField

from pilot.engine.agents import agents, portable
from pilot.engine.editor import differences
from pilot.errors import ConflictError, InvalidError
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
)

bp = Blueprint("portable", __name__)


class ImportForm(FlaskForm):  # type: ignore[misc]
    """The text, typed or of a file."""

    file = FileField("File", description="A YAML file of one agent, at most 5 MB.")
    text = TextAreaField("Or its text", render_kw={"rows": 18, "spellcheck": "false"})
    new_version = BooleanField(
        "Change the agent of that name",
        description="Its workflow becomes the next version; without this the name must be free.",
    )


@route(bp, "/agents/<uuid:agent_id>/export", allow=VIEW)
def export(agent_id: UUID) -> ResponseReturnValue:
    """The agent as a YAML file."""
    with reading() as session:
        agent = agents.load(session, agent_id)
        text = portable.text(agent, agents.newest(session, agent))
    answer = Response(text, mimetype="application/yaml")
    answer.headers["Content-Disposition"] = f'attachment; filename="agent-{agent_id}.yaml"'
    return answer


@route(bp, "/agents/import", allow=OPERATE)
def index() -> ResponseReturnValue:
    """The form that takes an agent's text."""
    return _page(ImportForm(formdata=None))


@route(bp, "/agents/import", allow=OPERATE, methods=("POST",), takes=(ImportForm, "do"))
def act() -> ResponseReturnValue:
    """Show what would change, or take the agent in: as a new one it is switched off."""
    form = ImportForm()
    file = request.files.get("file")
    source = (form.text.data or "").replace("\r\n", "\n").encode()
    if file:
        source = file.read()
        file.close()
        form.text.data = _shown(source)
    try:
        if request.form.get("do") == "check":
            return _page(form, portable.preview(source, user_id=signed_in()))
        made = portable.bring_in(
            source, new_version=bool(form.new_version.data), by=actor(), user_id=signed_in()
        )
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(form, status=422)
    except ConflictError as error:
        form.form_errors.append(error.message)
        return _page(form, status=409)
    toast("Imported. A new agent is switched off until you switch it on.")
    return redirect_to(f"/agents/{made}")


def _shown(source: bytes) -> str:
    """Return a file as the text that can be sent again; what is no text is not shown."""
    try:
        return "" if len(source) > portable.MAX_BYTES else source.decode()
    except UnicodeDecodeError:
        return ""


def _page(
    form: ImportForm, would: portable.Import | None = None, *, status: int = 200
) -> ResponseReturnValue:
    changes = differences.marked(would.changes) if would else []
    return render("portable/index.html", status=status, form=form, would=would, changes=changes)
