"""Secrets that workflows name: set, bound to hosts, deleted; no page shows their values."""

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from pilot import db
from pilot.engine.secrets import secret_handles
from pilot.errors import InvalidError, NotFoundError
from pilot.views import (
    OPERATE,
    actor,
    redirect_to,
    render,
    route,
    show_issues,
    signed_in,
    toast,
)

bp = Blueprint("secrets", __name__)
NAV = ("Set up", "Secrets", 30, OPERATE)


class SecretForm(FlaskForm):  # type: ignore[misc]
    """A secret; what was typed as its value is never sent back."""

    name = StringField(
        "Name",
        [InputRequired()],
        description="Of the secret to make or to replace, such as billing.key.",
        render_kw={"autocomplete": "off"},
    )
    value = PasswordField(
        "Value",
        [InputRequired()],
        description="Stored sealed and never shown again.",
        render_kw={"autocomplete": "off"},
    )
    hosts = StringField(
        "Hosts",
        [InputRequired()],
        description="That may get it, with commas between them, such as api.example.com.",
        render_kw={"autocomplete": "off"},
    )


@route(bp, "/secrets", allow=OPERATE, twin=True)
def index() -> ResponseReturnValue:
    """One's own secrets."""
    return _page()


@route(bp, "/secrets", allow=OPERATE, methods=("POST",), takes=(SecretForm,), fresh=True)
def put() -> ResponseReturnValue:
    """Store a secret in place of the one of that name."""
    form = SecretForm()
    name, hosts = (form.name.data or "").strip(), (form.hosts.data or "").split(",")
    try:
        secret_handles.put(name, form.value.data or "", hosts, by=actor(), user_id=signed_in())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(form, status=422)
    toast(f"{name} is stored. Write {{{{secret:{name}}}}} in headers or body of http.request.")
    return redirect_to("/secrets")


@route(bp, "/secrets/<name>/delete", allow=OPERATE)
def confirm_deletion(name: str) -> ResponseReturnValue:
    """Ask before a secret is forgotten."""
    return _page(deleting=name)


@route(bp, "/secrets/<name>/delete", allow=OPERATE, methods=("POST",), takes=(), fresh=True)
def delete(name: str) -> ResponseReturnValue:
    """Forget a secret."""
    secret_handles.delete(name, by=actor(), user_id=signed_in())
    toast(f"{name} is forgotten. Steps that name it fail.")
    return redirect_to("/secrets")


def _page(
    form: SecretForm | None = None, *, deleting: str = "", status: int = 200
) -> ResponseReturnValue:
    with db.reading(signed_in()) as session:  # one's own only, an administrator's too
        rows = secret_handles.listed(session, signed_in())
    if deleting and deleting not in {row.name for row in rows}:
        raise NotFoundError(f"You have no secret {deleting}.")
    return render(
        "secrets/index.html",
        status=status,
        twin=lambda: [_twin(row) for row in rows],
        rows=rows,
        form=form or SecretForm(formdata=None),
        deleting=deleting,
    )


def _twin(row: Any) -> dict[str, Any]:
    return {"name": row.name, "hosts": row.hosts, "set_at": row.set_at, "version": row.version}
