"""The second factor of one's own sign-in: set up, recovery codes, switch off."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from pilot.engine.people import second_factor, users
from pilot.errors import ConflictError, InvalidError
from pilot.views import (
    SIGNED_IN,
    actor,
    origin,
    redirect_to,
    render,
    route,
    show_issues,
    signed_in,
    toast,
    visitor,
)

bp = Blueprint("second_factor", __name__, url_prefix="/account/codes")


class ConfirmForm(FlaskForm):  # type: ignore[misc]
    """The first code of the app."""

    code = StringField(
        "Code that the app shows now",
        [InputRequired()],
        render_kw={"autocomplete": "one-time-code"},
    )


class OffForm(FlaskForm):  # type: ignore[misc]
    """Both factors, to switch the second off."""

    password = PasswordField(
        "Password", [InputRequired()], render_kw={"autocomplete": "current-password"}
    )
    code = StringField(
        "Code of the app, or a recovery code",
        [InputRequired()],
        render_kw={"autocomplete": "one-time-code"},
    )


@route(bp, "", allow=SIGNED_IN)
def index() -> ResponseReturnValue:
    """Whether codes are asked for."""
    return _page()


def _page(form: OffForm | None = None, *, status: int = 200) -> ResponseReturnValue:
    return render(
        "account/codes.html",
        status=status,
        left=second_factor.left(signed_in()),
        form=form or OffForm(formdata=None),
        codes=[],
    )


@route(bp, "/begin", allow=SIGNED_IN, methods=("POST",), takes=(), fresh=True)
def begin() -> ResponseReturnValue:
    """Show the secret for the app."""
    return _set_up(ConfirmForm(formdata=None))


def _set_up(form: ConfirmForm, *, status: int = 200) -> ResponseReturnValue:
    made = second_factor.begin(signed_in(), visitor().email)
    return render("account/codes_set_up.html", status=status, form=form, made=made)


@route(bp, "/confirm", allow=SIGNED_IN, methods=("POST",), takes=(ConfirmForm,))
def confirm() -> ResponseReturnValue:
    """Switch codes on and show the recovery codes, this once."""
    form = ConfirmForm()
    try:
        codes = second_factor.confirm(signed_in(), form.code.data or "", by=actor())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _set_up(form, status=422)
    return render("account/codes.html", left=len(codes), form=OffForm(formdata=None), codes=codes)


@route(bp, "/off", allow=SIGNED_IN, methods=("POST",), takes=(OffForm,))
def switch_off() -> ResponseReturnValue:
    """Ask for no codes any more: password and code are both needed."""
    form = OffForm()
    try:
        if second_factor.left(signed_in()) is None:
            raise ConflictError("No codes are asked for: there is nothing to switch off.")
        users.prove(visitor().email, form.password.data or "", origin())
        second_factor.switch_off(signed_in(), by=actor(), code=form.code.data or "")
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(form, status=422)
    toast("Signing in asks for no codes any more.")
    return redirect_to("/account/codes")
