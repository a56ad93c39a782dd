"""Links that make an agent go on: a page for people, an address for programs; each works once."""

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import TextAreaField

from pilot import strictjson
from pilot.audit import Actor
from pilot.engine.waits import resume_links
from pilot.engine.waits.resume_links import Shown
from pilot.engine.workflow import inputs
from pilot.errors import BadJsonError, GoneError, InvalidError, Issue
from pilot.views import (
    PUBLIC,
    actor,
    is_hook,
    json_answer,
    refuse_packed,
    render,
    request_id,
    route,
    show_issues,
    visitor,
)
from pilot.views.inputs_form import PREFIX, InputsForm, given

bp = Blueprint("resume", __name__)


class PayloadForm(FlaskForm):  # type: ignore[misc]
    """What is sent where no single fields are known: a text, or JSON where a schema asks for it."""

    payload = TextAreaField("What to send", render_kw={"rows": 4})


@route(bp, "/resume/<token>", allow=PUBLIC)
def page(token: str) -> ResponseReturnValue:
    """What the link is for; looking changes nothing."""
    return _page(_open(token))


@route(
    bp,
    "/resume/<token>",
    allow=PUBLIC,
    methods=("POST",),
    takes=(PayloadForm, "inputs", f"{PREFIX}*"),
)
def go_on(token: str) -> ResponseReturnValue:
    """Let the agent go on with what was sent: by the page's form, or as JSON by a program."""
    if is_hook():
        refuse_packed()
        resume_links.resolve(token, strictjson.loads(request.get_data(cache=False)), by=_actor())
        return json_answer({"resumed": True})
    shown = _open(token)
    try:
        resume_links.resolve(token, _sent(shown), by=_actor())
    except InvalidError as error:
        return _page(shown, error.issues, status=422)
    return render("resume/done.html", shown=shown)


def _open(token: str) -> Shown:
    shown = resume_links.shown(token)
    if shown.gone:
        raise GoneError(shown.gone)
    return shown


def _actor() -> Actor:
    """Return who presses the button: the signed-in person, or who has the link."""
    if visitor().id is not None:
        return actor()
    return Actor("link", request.remote_addr, request_id())


def _has_fields(shown: Shown) -> bool:
    return bool(shown.schema and isinstance(shown.schema.get("properties"), dict))


def _sent(shown: Shown) -> Any:
    if _has_fields(shown):
        return inputs.accept(shown.schema, given(shown.schema))
    text = request.form.get("payload", "").replace("\0", "\ufffd").strip()
    if shown.schema is None or not text:
        return text or None
    try:
        return strictjson.loads(text)
    except BadJsonError as error:
        told = f"This is no JSON: {error.message}"
        raise InvalidError([Issue("payload", "/payload", told)]) from None


def _page(
    shown: Shown, issues: list[Issue] | None = None, *, status: int = 200
) -> ResponseReturnValue:
    form: Any
    if _has_fields(shown):
        form = InputsForm.with_values(shown.schema, {})
        if issues is not None:
            form = InputsForm.sent(shown.schema, issues)
    else:
        form = PayloadForm() if issues is not None else PayloadForm(formdata=None)
        show_issues(form, issues or [])
        if shown.schema is not None:
            form.payload.description = "As JSON; a text in quotes."
    shows = [one for one in form if one.name != "csrf_token"]
    return render("resume/index.html", status=status, shown=shown, form=form, shows=shows)
