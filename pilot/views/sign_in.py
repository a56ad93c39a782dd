"""Signing in and out."""

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired

from pilot.engine.people import users
from pilot.errors import CodeNeededError, InvalidError, RateLimitedError
from pilot.views import (
    PUBLIC,
    actor,
    end_session,
    origin,
    redirect_to,
    render,
    route,
    show_issues,
    start_session,
    visitor,
)
from pilot.views.ways import safe_path

bp = Blueprint("sign_in", __name__)


class SignInForm(FlaskForm):  # type: ignore[misc]
    """E-mail address and password; `next` is the way back."""

    next = HiddenField()
    email = EmailField(
        "E-mail address",
        [InputRequired("Enter your e-mail address.")],
        render_kw={"autocomplete": "username"},
    )
    password = PasswordField(
        "Password",
        [InputRequired("Enter your password.")],
        render_kw={"autocomplete": "current-password"},
    )


class CodeForm(FlaskForm):  # type: ignore[misc]
    """The second step; `proof` says that the password was right."""

    next = HiddenField()
    proof = HiddenField()
    code = StringField(
        "Code",
        [InputRequired("Enter a code.")],
        description="Six digits of your app, or one of your recovery codes.",
        render_kw={"autocomplete": "one-time-code", "autofocus": True},
    )


@route(bp, "/sign-in", allow=PUBLIC)
def index() -> ResponseReturnValue:
    """Show the form, or lead on who is signed in already."""
    way_back = safe_path(request.args.get("next"))
    if visitor().is_authenticated:
        return redirect_to(way_back)
    return render("sign_in/index.html", form=SignInForm(formdata=None, next=way_back))


@route(bp, "/sign-in", allow=PUBLIC, methods=("POST",), takes=(SignInForm,))
def sign_in() -> ResponseReturnValue:
    """Sign in and lead back; every failure reads and takes the same."""
    form = SignInForm()
    form.next.data = safe_path(form.next.data)
    status, headers = 422, {}
    if form.validate():
        try:
            token = users.authenticate(form.email.data, form.password.data, origin())
        except CodeNeededError as needed:
            second = CodeForm(formdata=None, next=form.next.data, proof=needed.proof)
            return render("sign_in/code.html", form=second)
        except InvalidError as error:
            show_issues(form, error.issues)
        except RateLimitedError as error:
            status, headers = error.status, {"Retry-After": str(error.retry_after_s)}
            form.form_errors.append(error.message)
        else:
            return start_session(redirect_to(form.next.data), token)
    response = render("sign_in/index.html", status=status, form=form)
    response.headers.update(headers)
    return response


@route(bp, "/sign-in/code", allow=PUBLIC, methods=("POST",), takes=(CodeForm,))
def second_step() -> ResponseReturnValue:
    """Finish the sign-in with a code and lead back."""
    form = CodeForm()
    form.next.data = safe_path(form.next.data)
    status, headers = 422, {}
    if form.validate():
        try:
            token = users.second_step(form.proof.data, form.code.data, origin())
        except InvalidError as error:
            show_issues(form, error.issues)
        except RateLimitedError as error:
            status, headers = error.status, {"Retry-After": str(error.retry_after_s)}
            form.form_errors.append(error.message)
        else:
            return start_session(redirect_to(form.next.data), token)
    response = render("sign_in/code.html", status=status, form=form)
    response.headers.update(headers)
    return response


@route(bp, "/sign-out", allow=PUBLIC, methods=("POST",), takes=())
def sign_out() -> ResponseReturnValue:
    """End the session, if there is one, and lead to sign-in."""
    if visitor().is_authenticated:
        users.sign_out(request.cookies[current_app.config["SIGN_IN_COOKIE"]], by=actor())
    return end_session(redirect_to("/sign-in"))
