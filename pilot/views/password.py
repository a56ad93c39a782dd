"""Choosing a password behind a link of one use, and asking for such a link by mail."""

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField
from wtforms.validators import InputRequired

from pilot.engine.people import new_passwords
from pilot.errors import InvalidError, RateLimitedError
from pilot.views import PUBLIC, end_session, origin, redirect_to, render, route, show_issues, toast

bp = Blueprint("password", __name__, url_prefix="/password")


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """A new password; `token` says whose."""

    token = HiddenField()
    password = PasswordField(
        "New password",
        [InputRequired("Choose a password.")],
        description="8 to 256 characters; four unrelated words are good.",
        render_kw={"autocomplete": "new-password"},
    )


@route(bp, "", allow=PUBLIC)
def index() -> ResponseReturnValue:
    """Show the form to who has the link; nothing is used up by looking."""
    token = request.args.get("token", "")
    return _page(PasswordForm(formdata=None, token=token))


@route(bp, "", allow=PUBLIC, methods=("POST",), takes=(PasswordForm,))
def change() -> ResponseReturnValue:
    """Set the password; whoever was signed in with the old one is no longer."""
    form = PasswordForm()
    try:
        new_passwords.set_by_link(form.token.data, form.password.data or "", origin())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(form, status=422)
    answer = end_session(redirect_to("/sign-in"))
    toast("Your password is set. Sign in with it.")
    return answer


def _page(form: PasswordForm, *, status: int = 200) -> ResponseReturnValue:
    known = new_passwords.opened(form.token.data)
    return render("password/index.html", status=status, form=form, known=known)


class ForgottenForm(FlaskForm):  # type: ignore[misc]
    """Who forgot their password."""

    email = EmailField(
        "E-mail address",
        [InputRequired("Enter your e-mail address.")],
        render_kw={"autocomplete": "username"},
    )


@route(bp, "/forgotten", allow=PUBLIC)
def forgotten() -> ResponseReturnValue:
    """The form that asks for a link."""
    return render("password/forgotten.html", form=ForgottenForm(formdata=None), asked=False)


@route(bp, "/forgotten", allow=PUBLIC, methods=("POST",), takes=(ForgottenForm,))
def ask() -> ResponseReturnValue:
    """Send a link, if somebody signs in with the address; the answer is the same if nobody does."""
    form = ForgottenForm()
    status, headers = 422, {}
    if form.validate():
        try:
            new_passwords.ask_for_link(form.email.data, current_app.config["URL"], origin())
        except RateLimitedError as error:
            status, headers = error.status, {"Retry-After": str(error.retry_after_s)}
            form.form_errors.append(error.message)
        else:
            status = 200
    response = render("password/forgotten.html", status=status, form=form, asked=status == 200)
    response.headers.update(headers)
    return response
