"""One agent: what it does, what would keep it from running, its inputs, start."""

from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue

from pilot.engine import agents, catalogue, display, inputs, preflight, starts
from pilot.errors import InvalidError, Issue
from pilot.models.agent import Agent, WorkflowVersion
from pilot.reports import agents as agent_rows
from pilot.views import (
    ADMIN,
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
from pilot.views.inputs_form import InputsForm, given, is_complete

bp = Blueprint("agent", __name__)

URL = "/agents/<uuid:agent_id>"
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
    agent_id: UUID, form: InputsForm | None = None, *, status: int = 200
) -> ResponseReturnValue:
    may_operate = visitor().may(OPERATE)
    with reading() as session:
        agent = agents.load(session, agent_id)
        version = agents.newest(session, agent)
        asked = preflight.Asked(signed_in(), may_start=may_operate)
        checked = preflight.examine(session, agent, version, asked, data=current_app.config["DATA"])
        saved = preflight.saved_inputs(session, agent_id, signed_in())
        recent = agent_rows.recent(session, agent_id)
    document = agents.workflow_of(agent, version)
    form = form or InputsForm.with_values(_schema(version), saved)
    return render(
        "agent/index.html",
        status=status,
        twin=lambda: _twin(agent, version, checked),
        agent=agent,
        url=f"/agents/{agent.id}",
        document=document,
        lines=display.lines(document, catalogue.load()),
        selected=request.args.get("step", ""),
        checked=checked,
        fixes=[_fix(agent, form, item) for item in checked.items],
        why=REASONS[checked.choice.reason],
        form=form,
        sent=request.form if request.method == "POST" else {},
        has_pilot_steps=_document(version) is not None,
        recent=recent,
        may_operate=may_operate and agent.owner_id == signed_in(),
    )


def _fix(agent: Agent, form: InputsForm, item: preflight.Item) -> tuple[str, str]:
    """Return label and link of what removes an obstacle; empty where this visitor cannot."""
    url, may_operate = f"/agents/{agent.id}", visitor().may(OPERATE)
    match item.where:
        case "inputs" if may_operate:
            name = item.field.split("/")[1] if item.field else ""
            return ("Fill it in", f"#{form[name].id}" if name in form else "#start")
        case "workflow" if may_operate:
            return ("Edit the workflow", f"{url}/workflow/edit")
        case "switch" if visitor().may(ADMIN):
            return ("Switch it on", "/system-config#switches")
        case "agent" if may_operate:
            return ("Switch it on", "#state")
        case "worker" if visitor().may(ADMIN):
            return ("System health", "/healthz")
    return ("", "")


def _document(version: WorkflowVersion | None) -> Any:
    return version.document if version is not None else None


def _schema(version: WorkflowVersion | None) -> dict[str, Any] | None:
    schema: dict[str, Any] | None = version.inputs_schema if version is not None else None
    return schema


def _twin(
    agent: Agent, version: WorkflowVersion | None, checked: preflight.Preflight
) -> dict[str, Any]:
    return {
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
    }


def _stored_schema(agent_id: UUID) -> dict[str, Any] | None:
    with reading() as session:
        return _schema(agents.newest(session, agents.load(session, agent_id)))


@route(bp, f"{URL}/start", allow=OPERATE, methods=("POST",))
def start(agent_id: UUID) -> ResponseReturnValue:
    """Start an execution with the inputs of the form."""
    schema = _stored_schema(agent_id)
    asked = starts.Start(
        mode="test" if request.form.get("mode") == "test" else "run",
        inputs=given(schema),
        prompt=request.form.get("prompt", "").replace("\0", "\ufffd").strip() or None,
        simple=bool(request.form.get("simple")),
        key=request.form.get("request_id"),
        complete=is_complete(),
    )
    try:
        execution_id = starts.start(agent_id, asked, by=actor(), user_id=signed_in())
    except InvalidError as error:
        return _page(agent_id, InputsForm.sent(schema, error.issues), status=422)
    return redirect_to(f"/executions/{execution_id}")


@route(bp, f"{URL}/inputs", allow=OPERATE, methods=("POST",))
def save_inputs(agent_id: UUID) -> ResponseReturnValue:
    """Save the inputs of the form for this person's runs."""
    schema = _stored_schema(agent_id)
    values = given(schema)
    issues: list[Issue] = [
        one for one in inputs.check(schema, values) if one.code != "E_INPUT_MISSING"
    ]
    if issues:
        return _page(agent_id, InputsForm.sent(schema, issues), status=422)
    agents.save_inputs(agent_id, values, user_id=signed_in())
    toast("Inputs saved: your next runs start with them.")
    return redirect_to(f"/agents/{agent_id}#start")


@route(bp, f"{URL}/active", allow=OPERATE, methods=("POST",))
def set_active(agent_id: UUID) -> ResponseReturnValue:
    """Switch the agent on or off."""
    active = request.values.get("active") == "on"
    agents.set_active(agent_id, active, by=actor(), user_id=signed_in())
    undo = f"/agents/{agent_id}/active?active={'off' if active else 'on'}"
    told = "Switched on." if active else "Switched off: it cannot be started."
    toast(told, undo_url=undo)
    return redirect_to(f"/agents/{agent_id}")


@route(bp, f"{URL}/duplicate", allow=OPERATE, methods=("POST",))
def duplicate(agent_id: UUID) -> ResponseReturnValue:
    """Make a new agent like this one."""
    key = request.form.get("request_id")
    copied = agents.duplicate(agent_id, key=key, by=actor(), user_id=signed_in())
    toast("Duplicated: this is the new agent, with version 1 of its own.")
    return redirect_to(f"/agents/{copied}")
