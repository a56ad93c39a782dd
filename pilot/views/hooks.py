"""Webhooks of an agent: the page that makes them, and the address where signed requests come in."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from pilot.engine.agents import agents
from pilot.engine.triggers import hooks
from pilot.engine.triggers.senders import Message
from pilot.errors import InvalidError
from pilot.views import (
    OPERATE,
    PUBLIC,
    VIEW,
    actor,
    json_answer,
    reading,
    redirect_to,
    refuse_packed,
    render,
    request_id,
    route,
    setup,
    show_issues,
    signed_in,
    toast,
    visitor,
)
from pilot.views.inputs_form import written_inputs

bp = Blueprint("hooks", __name__)
URL = "/agents/<uuid:agent_id>/hooks"
ONE = f"{URL}/<uuid:hook_id>"
TOO_LARGE = f"Send at most {hooks.MAX_BYTES // 2**20} MiB."


@route(bp, "/hooks/<token>", allow=PUBLIC, methods=("POST",), takes=())
def receive(token: str) -> ResponseReturnValue:
    """Start an agent by a signed message (Standard Webhooks), or one with the secret: 202."""
    if (request.content_length or 0) > hooks.MAX_BYTES:
        raise RequestEntityTooLarge(TOO_LARGE)
    refuse_packed()
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    body = request.get_data(cache=False)
    if len(body) > hooks.MAX_BYTES:  # its length was not told
        raise RequestEntityTooLarge(TOO_LARGE)
    headers = request.headers
    message = Message(
        id=headers.get("webhook-id", ""),
        timestamp=headers.get("webhook-timestamp", ""),
        signature=headers.get("webhook-signature", ""),
        body=body,
        address=request.remote_addr or "",
        request_id=request_id(),
        authorization=headers.get("Authorization", ""),
    )
    started = hooks.receive(token, message, setup())
    return json_answer({"execution_id": started}, status=202 if started else 200)


@route(bp, URL, allow=VIEW, twin=True)
def index(agent_id: UUID) -> ResponseReturnValue:
    """The agent's webhooks and what came in."""
    return _page(agent_id)


class HookForm(FlaskForm):  # type: ignore[misc]
    """What a new webhook takes."""

    proof = SelectField(
        "Senders prove themselves by",
        [InputRequired()],
        choices=[
            SelectChoice("signature", "a signature (Standard Webhooks)"),
            SelectChoice("bearer", "the secret itself (Authorization: Bearer)"),
        ],
        default="signature",
    )
    match = StringField(
        "Only if",
        description="A condition over payload, such as payload.type == 'order.paid'.",
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    inputs = TextAreaField(
        "Inputs",
        description='As JSON, such as {"order": "{{ payload.data.id }}"}; without, the body is all '
        "inputs.",
        render_kw={"rows": 3, "spellcheck": "false", "class": "code-input"},
    )


@route(bp, URL, allow=OPERATE, methods=("POST",), takes=(HookForm,), fresh=True)
def create(agent_id: UUID) -> ResponseReturnValue:
    """Make a webhook and show its secret, this once."""
    form = HookForm()
    try:
        shape = hooks.Shape(
            bearer=form.proof.data == "bearer",
            match=(form.match.data or "").strip() or None,
            inputs=written_inputs(form.inputs.data or ""),
        )
        made = hooks.create(agent_id, shape, by=actor(), user_id=signed_in())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(agent_id, form=form, status=422)
    return _page(agent_id, made)


@route(bp, f"{ONE}/rotate", allow=OPERATE, methods=("POST",), takes=(), fresh=True)
def rotate(agent_id: UUID, hook_id: UUID) -> ResponseReturnValue:
    """Make a new secret and show it, this once."""
    return _page(agent_id, hooks.rotate(agent_id, hook_id, by=actor(), user_id=signed_in()))


@route(bp, f"{ONE}/active", allow=OPERATE, methods=("POST",), takes=("active",))
def set_active(agent_id: UUID, hook_id: UUID) -> ResponseReturnValue:
    """Switch a webhook on or off."""
    active = request.form.get("active") == "on"
    hooks.set_active(agent_id, hook_id, active, by=actor(), user_id=signed_in())
    toast("Switched on." if active else "Switched off: it answers as if it did not exist.")
    return redirect_to(f"/agents/{agent_id}/hooks")


@route(bp, f"{ONE}/delete", allow=OPERATE)
def confirm_deletion(agent_id: UUID, hook_id: UUID) -> ResponseReturnValue:
    """Ask before a webhook is forgotten."""
    return _page(agent_id, deleting=hook_id)


@route(bp, f"{ONE}/delete", allow=OPERATE, methods=("POST",), takes=())
def delete(agent_id: UUID, hook_id: UUID) -> ResponseReturnValue:
    """Forget a webhook."""
    hooks.delete(agent_id, hook_id, by=actor(), user_id=signed_in())
    toast("Deleted: nothing answers at its address any more.")
    return redirect_to(f"/agents/{agent_id}/hooks")


def _page(
    agent_id: UUID,
    made: hooks.Made | None = None,
    *,
    deleting: UUID | None = None,
    form: HookForm | None = None,
    status: int = 200,
) -> Response:
    with reading() as session:
        agent = agents.load(session, agent_id)
        rows = hooks.listed(session, agent_id)
        came = hooks.deliveries(session, agent_id)
    return render(
        "hooks/index.html",
        status=status,
        twin=lambda: {
            "hooks": [_twin(row) for row in rows],
            "deliveries": [*map(hooks.came, came)],
        },
        agent=agent,
        url=f"/agents/{agent_id}",
        rows=rows,
        came=came,
        made=made,
        form=form or HookForm(formdata=None),
        deleting=next((row for row in rows if row.id == deleting), None),
        address=lambda token: f"{current_app.config['URL']}/hooks/{token}",
        may_operate=visitor().may(OPERATE) and agent.owner_id == signed_in(),
    )


def _twin(row: Any) -> dict[str, Any]:
    names = ("id", "active", "bearer", "match", "inputs", "version", "created_at")
    return {name: getattr(row, name) for name in names}
