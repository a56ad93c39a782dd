"""Channels besides mail: where approvers are told, whose addresses no page shows."""

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from pilot.engine.notices import channels
from pilot.engine.secrets import signatures
from pilot.errors import InvalidError
from pilot.views import ADMIN, actor, reading, redirect_to, render, route, show_issues, toast

bp = Blueprint("notice_channels", __name__, url_prefix="/system-config/channels")

ABOUT = {
    "webhook": "A signed POST as Standard Webhooks has it, for each approval that is asked for.",
    "slack": "The address of an incoming webhook of Slack.",
    "teams": "The address of an incoming webhook of Teams (a workflow that posts cards).",
}


class ChannelForm(FlaskForm):  # type: ignore[misc]
    """Where a channel is; what was typed is never sent back."""

    url = PasswordField(
        "Address",
        [InputRequired()],
        description="Stored sealed: who has it can post there. Pages show its host only.",
        render_kw={"autocomplete": "off"},
    )


class WebhookForm(ChannelForm):
    """The same, with what signs each message."""

    secret = StringField(
        "Signing secret",
        description="The receiver checks the signature with it. Empty: the one before stays.",
        render_kw={"autocomplete": "off"},
    )


@route(bp, "", allow=ADMIN)
def index() -> ResponseReturnValue:
    """All channels."""
    return _page()


@route(bp, "/<name>", allow=ADMIN, methods=("POST",), takes=(WebhookForm,), fresh=True)
def put(name: str) -> ResponseReturnValue:
    """Store where a channel is."""
    form = _form(name)
    secret = form.secret.data if name == "webhook" else ""
    try:
        channels.put(name, form.url.data or "", secret or "", by=actor())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page({name: form}, status=422)
    toast(f"Stored. {channels.NAMES[name]} is told of each approval from now on.")
    return redirect_to("/system-config/channels")


@route(bp, "/<name>/remove", allow=ADMIN, methods=("POST",), takes=(), fresh=True)
def remove(name: str) -> ResponseReturnValue:
    """Forget a channel."""
    channels.remove(name, by=actor())
    toast(f"{channels.NAMES[name]} is told nothing any more.")
    return redirect_to("/system-config/channels")


def _form(name: str, **given: Any) -> Any:
    """Return the form of one channel; its fields have ids of their own on the page of all."""
    form = WebhookForm(**given) if name == "webhook" else ChannelForm(**given)
    form.url.id = form.url.label.field_id = f"{name}-address"
    return form


def _page(sent: dict[str, Any] | None = None, *, status: int = 200) -> ResponseReturnValue:
    with reading() as session:
        known = channels.listed(session)
    proposed = "" if "webhook" in known else signatures.new_secret()
    forms = {name: _form(name, formdata=None, secret=proposed) for name in channels.NAMES}
    return render(
        "system_config/channels.html",
        status=status,
        names=channels.NAMES,
        about=ABOUT,
        known=known,
        forms=forms | (sent or {}),
    )
