"""A provider of models: where it is, whether it is asked, and its key, which no page shows."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, StringField
from wtforms.validators import InputRequired

from pilot.engine.providers import model_catalogue, provider_keys
from pilot.errors import InvalidError, NotFoundError
from pilot.views import ADMIN, actor, reading, redirect_to, render, route, show_issues, toast

bp = Blueprint("providers", __name__, url_prefix="/prices/providers")


class KeyForm(FlaskForm):  # type: ignore[misc]
    """A key; what was typed is never sent back."""

    key = PasswordField(
        "Key",
        [InputRequired()],
        description="Stored sealed. Pages show its last characters only.",
        render_kw={"autocomplete": "off"},
    )


class ProviderForm(FlaskForm):  # type: ignore[misc]
    """Where a provider is and whether it is asked."""

    base_url = StringField(
        "Address",
        [InputRequired()],
        description="Another address needs the key again: it was not given for that one.",
        render_kw={"type": "url", "autocomplete": "off"},
    )
    organisation = StringField("Organisation", description="That bills, if the provider has them.")
    project = StringField("Project", description="That bills, if the provider has them.")
    enabled = BooleanField(
        "Ask this provider", description="Off: its models are passed over in every chain."
    )


@route(bp, "/<name>", allow=ADMIN)
def index(name: str) -> ResponseReturnValue:
    """One provider."""
    return _page(name)


@route(bp, "/<name>", allow=ADMIN, methods=("POST",), takes=(ProviderForm,), fresh=True)
def change(name: str) -> ResponseReturnValue:
    """Change where it is and whether it is asked."""
    form = ProviderForm()
    given = {
        "base_url": (form.base_url.data or "").strip(),
        "organisation": (form.organisation.data or "").strip() or None,
        "project": (form.project.data or "").strip() or None,
        "enabled": bool(form.enabled.data),
    }
    try:
        provider_keys.change(name, given, by=actor())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(name, form=form, status=422)
    with reading() as session:
        row = model_catalogue.provider(session, name)
    word = "on" if row.enabled else "off"
    toast(f"Stored. {row.label} is at {row.base_url} and switched {word}.")
    return redirect_to(f"/prices/providers/{name}")


@route(bp, "/<name>/key", allow=ADMIN, methods=("POST",), takes=(KeyForm,), fresh=True)
def set_key(name: str) -> ResponseReturnValue:
    """Store a key in place of the one before."""
    form = KeyForm()
    try:
        provider_keys.set_key(name, request.form.get("key", ""), by=actor())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(name, key_form=form, status=422)
    toast("The key is stored, sealed. Test a model with it.")
    return redirect_to(f"/prices/providers/{name}")


@route(bp, "/<name>/key/remove", allow=ADMIN)
def confirm_removal(name: str) -> ResponseReturnValue:
    """Ask before a key is forgotten."""
    return _page(name, removing=True)


@route(bp, "/<name>/key/remove", allow=ADMIN, methods=("POST",), takes=(), fresh=True)
def remove_key(name: str) -> ResponseReturnValue:
    """Forget the key."""
    provider_keys.remove_key(name, by=actor())
    toast("The key is forgotten. Models of this provider are passed over.")
    return redirect_to(f"/prices/providers/{name}")


def _page(
    name: str,
    *,
    form: ProviderForm | None = None,
    key_form: KeyForm | None = None,
    removing: bool = False,
    status: int = 200,
) -> ResponseReturnValue:
    with reading() as session:
        row = model_catalogue.provider(session, name)
        models = [
            one for one in model_catalogue.entries(session).values() if one.provider.name == name
        ]
    if removing and row.key_set_at is None:
        raise NotFoundError(f"{row.label} has no key.")
    return render(
        "prices/provider.html",
        status=status,
        row=row,
        models=models,
        form=form or ProviderForm(formdata=None, obj=row),
        key_form=key_form or KeyForm(formdata=None),
        removing=removing,
        keyless=bool(row.flags.get(model_catalogue.KEYLESS)),
    )
