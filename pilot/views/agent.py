"""One agent: what it does, what would keep it from running, its inputs, start."""

from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, Field, HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from pilot.engine.agents import access, agent_details, agents, sharing
from pilot.engine.editor import display
from pilot.engine.generation import thumbs
from pilot.engine.language import catalogue
from pilot.engine.life import preflight, simulations, starts
from pilot.engine.life.forecast import forecast
from pilot.engine.providers import budgets
from pilot.engine.workflow import inputs
from pilot.errors import InvalidError, Issue, StaleError
from pilot.models.agent import Agent, WorkflowVersion
from pilot.reports import agents as agent_rows
from pilot.reports import results
from pilot.views import (
    ADMIN,
    OPERATE,
    VIEW,
    actor,
    json_answer,
    reading,
    redirect_to,
    render,
    route,
    setup,
    show_issues,
    signed_in,
    toast,
    visitor,
)
from pilot.views.inputs_form import PREFIX, InputsForm, given, is_complete
from pilot.views.lists import part

bp = Blueprint("agent", __name__)

URL = "/agents/<uuid:agent_id>"
START_FIELDS = ("inputs", f"{PREFIX}*", "prompt", "budget", "simple", "mode")
MAX_WAIT_S, MAX_DIGITS, CONFLICT = 60, 9, 409
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


class DetailsForm(FlaskForm):  # type: ignore[misc]
    """What the agent is called and asked; `seen` names what was shown."""

    seen = HiddenField()
    name = StringField("Name", [InputRequired("Give the agent a name.")])
    goal = TextAreaField("Goal", render_kw={"rows": 3})
    prompt = TextAreaField(
        "Prompt", description="What its simple loop sends to the model.", render_kw={"rows": 3}
    )
    tags = StringField("Tags", description="With commas between them.")


class ShareForm(FlaskForm):  # type: ignore[misc]
    """Whom the agent is shared with, and for what."""

    email = EmailField(
        "E-mail address",
        [InputRequired()],
        description="Of somebody who signs in here.",
        render_kw={"autocomplete": "off"},
    )
    level = SelectField(
        "They may",
        [InputRequired()],
        choices=[
            SelectChoice("read", "look at it and at what it did"),
            SelectChoice("run", "also start, pause, resume, retry and cancel"),
        ],
        validate_choice=False,  # the operation knows the list
    )


def _page(
    agent_id: UUID,
    form: InputsForm | None = None,
    *,
    details: DetailsForm | None = None,
    share_form: ShareForm | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    may_operate, me = visitor().may(OPERATE), signed_in()
    with reading() as session:
        agent = agents.load(session, agent_id)
        may_run = may_operate and access.may_run(session, agent_id, agent.owner_id, me)
        shared = sharing.people(session, agent_id)
        version = agents.newest(session, agent)
        asked = preflight.Asked(signed_in(), may_start=may_operate)
        checked = preflight.examine(session, agent, version, asked, setup())
        saved = preflight.saved_inputs(session, agent_id, signed_in())
        expected = forecast(session, agents.workflow_of(agent, version), agent_id, saved)
        recent = agent_rows.recent(session, agent_id)
        drafted = thumbs.of_agent(session, agent_id, signed_in())
    document = agents.workflow_of(agent, version)
    now = _details(agent)
    lines, selected = display.lines(document, catalogue.load()), request.args.get("step", "")
    form = form or InputsForm.with_values(_schema(version), saved)
    return render(
        "agent/index.html",
        status=status,
        twin=lambda: _twin(agent, version, checked),
        agent=agent,
        url=f"/agents/{agent.id}",
        document=document,
        lines=lines,
        part=part(lines, display.place(lines, selected)),
        selected=selected,
        checked=checked,
        expected=expected,
        fixes=[_fix(agent, form, item) for item in checked.items],
        why=REASONS[checked.choice.reason],
        runs_on_recorded=agent.demo and preflight.asks_model(document),
        form=form,
        details=details or now,
        clashes=_clashes(details, now) if details and status == CONFLICT else [],
        sent=request.form if request.method == "POST" else {},
        has_pilot_steps=_document(version) is not None,
        recent=recent,
        drafted=drafted,
        may_run=may_run,
        may_change=may_operate and agent.owner_id == me,
        may_copy=may_operate and (agent.owner_id == me or any(one.user_id == me for one in shared)),
        may_share=_may_share(agent),
        shared=shared,
        share_form=share_form or ShareForm(formdata=None),
        me=me,
    )


def _details(agent: Agent) -> DetailsForm:
    known = agent_details.of(agent)
    texts = {"name": known.name, "goal": known.goal, "prompt": known.prompt}
    shown = {"tags": ", ".join(known.tags), "seen": agent_details.digest(known)}
    return DetailsForm(formdata=None, data=texts | shown)


def _clashes(sent: DetailsForm, now: DetailsForm) -> list[Field]:
    """Return what holds now and is not what was sent; saved again, that replaces what is seen."""
    sent.seen.data = now.seen.data
    shown = [field for field in now if field.name in {"name", "goal", "prompt", "tags"}]
    return [field for field in shown if (field.data or "") != (sent[field.name].data or "")]


def _fix(agent: Agent, form: InputsForm, item: preflight.Item) -> tuple[str, str]:
    """Return label and link of what removes an obstacle; empty where this visitor cannot."""
    name = item.field.split("/")[1] if item.where == "inputs" and item.field else ""
    level, label = {
        "agent": (OPERATE, "Switch it on"),
        "prompt": (OPERATE, "Write a prompt"),
        "inputs": (OPERATE, "Fill it in"),
        "workflow": (OPERATE, "Edit the workflow"),
        "switch": (ADMIN, "Switch it on"),
        "model": (ADMIN, "Choose models"),
        "worker": (ADMIN, "System health"),
        "connection": (OPERATE, "Connections"),
        "people": (OPERATE, "Ask somebody else"),
    }.get(item.where, (VIEW, ""))
    url = f"#{form[name].id}" if name in form else preflight.link(item.where, agent.id)
    return (label, url) if label and visitor().may(level) else ("", "")


def _document(version: WorkflowVersion | None) -> Any:
    return version.document if version is not None else None


def _steps(agent: Agent, version: WorkflowVersion | None) -> list[dict[str, Any]]:
    if version is None:
        return []
    return display.workflow_steps(agents.workflow_of(agent, version), catalogue.load())


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
        "tags": agent.tags,
        "active": agent.active,
        "grants": agent.grants,
        "version": agent.version_number,
        "document": _document(version),
        "workflow_steps": _steps(agent, version),
        "inputs_schema": _schema(version),
        "runs": checked.choice.runs,
        "runs_reason": checked.choice.reason,
        "preflight": checked.items,
    }


def _stored_schema(agent_id: UUID) -> dict[str, Any] | None:
    with reading() as session:
        return _schema(agents.newest(session, agents.load(session, agent_id)))


@route(bp, f"{URL}/start", allow=OPERATE, methods=("POST",), takes=START_FIELDS)
def start(agent_id: UUID) -> ResponseReturnValue:
    """Start an execution with the inputs of the form; `?wait=` answers with its result as JSON."""
    schema = _stored_schema(agent_id)
    try:
        asked = starts.Start(
            mode="test" if request.form.get("mode") == "test" else "run",
            inputs=given(schema),
            prompt=request.form.get("prompt", "").replace("\0", "\ufffd").strip() or None,
            simple=bool(request.form.get("simple")),
            key=request.form.get("request_id"),
            budget_usd=budgets.read(request.form.get("budget", ""), "").usd,
            complete=is_complete(),
        )
        execution_id = starts.start(agent_id, asked, by=actor(), user_id=signed_in(), setup=setup())
    except InvalidError as error:
        return _page(agent_id, InputsForm.sent(schema, error.issues), status=422)
    if "wait" in request.args:
        facts = results.awaited(reading, execution_id, _wait_s())
        return json_answer(facts, status=results.http_status(facts))
    return redirect_to(f"/executions/{execution_id}")


@route(bp, f"{URL}/simulate", allow=OPERATE, methods=("POST",), takes=(*START_FIELDS, "each"))
def simulate(agent_id: UUID) -> ResponseReturnValue:
    """Simulate it with the inputs of the form: nothing is called, sent or paid."""
    schema = _stored_schema(agent_id)
    asked = simulations.Asked(
        given(schema), each=bool(request.form.get("each")), complete=is_complete()
    )
    try:
        made = simulations.begin(agent_id, asked, by=actor(), user_id=signed_in(), setup=setup())
    except InvalidError as error:
        return _page(agent_id, InputsForm.sent(schema, error.issues), status=422)
    return redirect_to(f"/simulations/{made}")


def _wait_s() -> int:
    text = request.args["wait"]
    known = text.isascii() and text.isdigit() and len(text) < MAX_DIGITS
    return min(int(text), MAX_WAIT_S) if known else MAX_WAIT_S


@route(bp, f"{URL}/inputs", allow=OPERATE, methods=("POST",), takes=START_FIELDS)
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


@route(bp, f"{URL}/details", allow=OPERATE, methods=("POST",), takes=(DetailsForm,))
def change_details(agent_id: UUID) -> ResponseReturnValue:
    """Store name, goal, prompt and tags."""
    form = DetailsForm()
    wanted = agent_details.Details(
        name=form.name.data or "",
        goal=form.goal.data or "",
        prompt=form.prompt.data or "",
        tags=agent_details.tags_of(form.tags.data or ""),
    )
    try:
        seen = form.seen.data or None
        agent_details.change(agent_id, wanted, seen=seen, by=actor(), user_id=signed_in())
    except StaleError:
        return _page(agent_id, details=form, status=CONFLICT)
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(agent_id, details=form, status=422)
    toast("Saved.")
    return redirect_to(f"/agents/{agent_id}#details")


@route(bp, f"{URL}/active", allow=OPERATE, methods=("POST",), takes=("active",))
def set_active(agent_id: UUID) -> ResponseReturnValue:
    """Switch the agent on or off."""
    active = request.values.get("active") == "on"
    agents.set_active(agent_id, active, by=actor(), user_id=signed_in())
    undo = f"/agents/{agent_id}/active?active={'off' if active else 'on'}"
    told = "Switched on." if active else "Switched off: it cannot be started."
    toast(told, undo_url=undo)
    return redirect_to(f"/agents/{agent_id}")


@route(bp, f"{URL}/duplicate", allow=OPERATE, methods=("POST",), takes=())
def duplicate(agent_id: UUID) -> ResponseReturnValue:
    """Make a new agent like this one."""
    key = request.form.get("request_id")
    copied = agents.duplicate(agent_id, key=key, by=actor(), user_id=signed_in())
    toast("Duplicated: this is the new agent, with version 1 of its own.")
    return redirect_to(f"/agents/{copied}")


def _may_share(agent: Agent) -> bool:
    who = visitor()
    return who.sees_all or (who.may(OPERATE) and agent.owner_id == who.id)


@route(bp, f"{URL}/shares", allow=OPERATE, methods=("POST",), takes=(ShareForm,))
def share(agent_id: UUID) -> ResponseReturnValue:
    """Let somebody look at the agent, or run it too."""
    form = ShareForm()
    email = (form.email.data or "").strip()
    try:
        sharing.share(agent_id, email, form.level.data or "", **_sharer())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(agent_id, share_form=form, status=422)
    toast(f"Shared with {email}.")
    return redirect_to(f"/agents/{agent_id}#access")


@route(bp, f"{URL}/shares/<uuid:person_id>/remove", allow=OPERATE, methods=("POST",), takes=())
def unshare(agent_id: UUID, person_id: UUID) -> ResponseReturnValue:
    """Take a grant back, at once."""
    sharing.unshare(agent_id, person_id, **_sharer())
    toast("Not shared any more: they see nothing of it from now on.")
    return redirect_to(f"/agents/{agent_id}#access")


def _sharer() -> dict[str, Any]:
    return {"by": actor(), "user_id": signed_in(), "sees_all": visitor().sees_all}
