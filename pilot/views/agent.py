"""One agent: what it does, what would keep it from running, its inputs, start, versions."""

from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, Field, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.form import BaseForm

from pilot import strictjson
from pilot.engine import agents, catalogue, display, inputs, preflight, starts
from pilot.errors import InvalidError, Issue
from pilot.models.agent import WorkflowVersion
from pilot.reports import agents as agent_rows
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

bp = Blueprint("agent", __name__)

URL = "/agents/<uuid:agent_id>"
PREFIX = "input-"
FIXES = {
    "agent": ("Change the agent", "#settings"),
    "switch": ("System config", "/system-config#switches"),
    "inputs": ("Fill it in", "#start"),
    "workflow": ("Edit the workflow", "/workflow/edit"),
    "worker": ("", ""),
}
REASONS = {
    "pilot_steps": "Its pilot steps run.",
    "no_pilot_steps": "It runs as the simple loop of one model step: it has no pilot steps.",
    "pilot_disabled": "It runs as the simple loop: pilot steps are switched off.",
    "override": "It runs as the simple loop: asked for with this start.",
}


@route(bp, URL, allow=VIEW, twin=True)
def index(agent_id: UUID) -> ResponseReturnValue:
    """The agent and the form that starts it."""
    return _page(agent_id)


def _page(
    agent_id: UUID, form: BaseForm | None = None, *, status: int = 200
) -> ResponseReturnValue:
    with reading() as session:
        agent = agents.load(session, agent_id)
        version = agents.newest(session, agent)
        checked = preflight.examine(
            session, agent, version, data=current_app.config["DATA"], user_id=signed_in()
        )
        saved = preflight.saved_inputs(session, agent_id, signed_in())
        versions = agent_rows.versions(session, agent_id)
        recent = agent_rows.recent(session, agent_id)
    document = _document(version) or agents.one_step(agent.prompt, agent.grants)
    lines = display.lines(document, catalogue.load())
    return render(
        "agent/index.html",
        status=status,
        twin=lambda: {
            "id": agent.id,
            "name": agent.name,
            "goal": agent.goal,
            "prompt": agent.prompt,
            "active": agent.active,
            "grants": agent.grants,
            "version": agent.version_number,
            "document": _document(version),
            "workflow_steps": version.workflow_steps if version is not None else [],
            "inputs_schema": _schema(version),
            "runs": checked.choice.runs,
            "runs_reason": checked.choice.reason,
            "preflight": checked.items,
        },
        agent=agent,
        document=document,
        lines=lines,
        links={line.id: f"#step-{line.id}" for line in lines},
        checked=checked,
        why=REASONS[checked.choice.reason],
        fixes=FIXES,
        form=form or _form(_schema(version), inputs.fill_defaults(_schema(version), saved)),
        has_pilot_steps=_document(version) is not None,
        versions=versions,
        recent=recent,
        may_operate=visitor().may(OPERATE),
    )


def _document(version: WorkflowVersion | None) -> Any:
    return version.document if version is not None else None


def _schema(version: WorkflowVersion | None) -> dict[str, Any] | None:
    schema: dict[str, Any] | None = version.inputs_schema if version is not None else None
    return schema


def _form(schema: dict[str, Any] | None, values: dict[str, Any] | None) -> BaseForm:
    """Return the inputs form with these values, or (None) with what was sent."""
    properties = (schema or {}).get("properties", {})
    required = set((schema or {}).get("required", []))
    fields = {name: _field(name, part, name in required) for name, part in properties.items()}
    form = BaseForm(fields, prefix=PREFIX)
    if values is None:
        form.process(formdata=request.form)
    else:
        shown = {name: _shown(part, values.get(name)) for name, part in properties.items()}
        form.process(data=shown)
    return form


def _field(name: str, part: Any, required: bool) -> Field:  # noqa: FBT001 - what the schema says
    part = part if isinstance(part, dict) else {}
    label = str(part.get("title") or name.replace("_", " ").capitalize())
    told: dict[str, Any] = {"description": str(part.get("description", ""))}
    look: dict[str, Any] = {}
    kind = part.get("type", "string")
    if kind == "boolean":
        return BooleanField(label, **told)
    if isinstance(part.get("enum"), list):
        choices = [SelectChoice(_text(one)) for one in part["enum"]]
        return SelectField(
            label, choices=[SelectChoice("", "Choose"), *choices], validate_choice=False, **told
        )
    if kind in {"array", "object"} or part.get("x-widget") == "textarea":
        look["rows"] = 3
        field: Any = TextAreaField(label, render_kw=look, **told)
    else:
        look |= _keyboard(kind, str(part.get("format", "")))
        field = StringField(label, render_kw=look, **told)
    if required:
        look["aria-required"] = "true"
    return field


def _keyboard(kind: Any, form: str) -> dict[str, str]:
    if kind in {"integer", "number"}:
        return {"inputmode": "numeric" if kind == "integer" else "decimal"}
    return {"type": form} if form in {"date", "email"} else {}


def _shown(part: Any, value: Any) -> Any:
    """Return a value as its field shows it: a list by lines, an object as JSON."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "boolean":
        return bool(value)
    if value is None:
        return ""
    return "\n".join(map(_text, value)) if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else strictjson.dumps(value)


def _given(schema: dict[str, Any] | None) -> dict[str, Any]:
    """Return the inputs that were sent; what does not fit stays text, so that it is named."""
    names = (schema or {}).get("properties", {})
    texts: dict[str, str | list[str]] = {
        name: request.form.get(PREFIX + name, "").replace("\0", "\ufffd") for name in names
    }
    return inputs.from_form(schema, texts)


@route(bp, f"{URL}/start", allow=OPERATE, methods=("POST",))
def start(agent_id: UUID) -> ResponseReturnValue:
    """Start an execution with the inputs of the form."""
    with reading() as session:
        schema = _schema(agents.newest(session, agents.load(session, agent_id)))
    asked = starts.Start(
        mode="test" if request.form.get("mode") == "test" else "run",
        inputs=_given(schema),
        prompt=request.form.get("prompt", "").strip() or None,
        simple=bool(request.form.get("simple")),
        key=request.form.get("request_id"),
    )
    try:
        execution_id = starts.start(agent_id, asked, by=actor(), user_id=signed_in())
    except InvalidError as error:
        return _refused(agent_id, schema, error.issues)
    return redirect_to(f"/executions/{execution_id}")


@route(bp, f"{URL}/inputs", allow=OPERATE, methods=("POST",))
def save_inputs(agent_id: UUID) -> ResponseReturnValue:
    """Save the inputs of the form for this person's runs."""
    with reading() as session:
        schema = _schema(agents.newest(session, agents.load(session, agent_id)))
    given = _given(schema)
    issues = [one for one in inputs.check(schema, given) if one.code != "E_INPUT_MISSING"]
    if issues:
        return _refused(agent_id, schema, issues)
    agents.save_inputs(agent_id, given, user_id=signed_in())
    toast("Inputs saved: your next runs start with them.")
    return redirect_to(f"/agents/{agent_id}#start")


def _refused(
    agent_id: UUID, schema: dict[str, Any] | None, issues: list[Issue]
) -> ResponseReturnValue:
    form = _form(schema, None)
    show_issues(form, issues)
    return _page(agent_id, form, status=422)


@route(bp, f"{URL}/active", allow=OPERATE, methods=("POST",))
def set_active(agent_id: UUID) -> ResponseReturnValue:
    """Switch the agent on or off."""
    active = request.form.get("active") == "on"
    agents.set_active(agent_id, active, by=actor(), user_id=signed_in())
    toast("Switched on." if active else "Switched off: it cannot be started.")
    return redirect_to(f"/agents/{agent_id}")
