"""The page behind an invitation or a link for a new password."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField
from wtforms.validators import InputRequired

from pilot.engine import new_passwords
from pilot.errors import InvalidError
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


@route(bp, "", allow=PUBLIC, methods=("POST",))
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
