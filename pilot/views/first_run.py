"""The first page of a bare installation: the one-use link makes the first administrator."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired

from pilot.engine.people import first_run
from pilot.errors import InvalidError
from pilot.views import PUBLIC, origin, redirect_to, render, route, show_issues, start_session

bp = Blueprint("first_run", __name__, url_prefix="/first-run")


class FirstRunForm(FlaskForm):  # type: ignore[misc]
    """Who the first administrator is."""

    token = HiddenField()
    name = StringField(
        "Your name", [InputRequired("Enter your name.")], render_kw={"autocomplete": "name"}
    )
    email = EmailField(
        "E-mail address",
        [InputRequired("Enter your e-mail address.")],
        description="You sign in with it.",
        render_kw={"autocomplete": "username"},
    )
    password = PasswordField(
        "Password",
        [InputRequired("Choose a password.")],
        description="8 to 256 characters; four unrelated words are good.",
        render_kw={"autocomplete": "new-password"},
    )


@route(bp, "", allow=PUBLIC)
def index() -> ResponseReturnValue:
    """Show the form to who has the link."""
    token = request.args.get("token", "")
    first_run.check(token)
    return render("first_run/index.html", form=FirstRunForm(formdata=None, token=token))


@route(bp, "", allow=PUBLIC, methods=("POST",), takes=(FirstRunForm,))
def create() -> ResponseReturnValue:
    """Create the administrator, sign them in and lead them to the overview."""
    form = FirstRunForm()
    first_run.check(form.token.data or "")
    if form.validate():
        try:
            token = first_run.create(
                form.token.data,
                email=form.email.data,
                name=form.name.data,
                password=form.password.data,
                origin=origin(),
            )
        except InvalidError as error:
            show_issues(form, error.issues)
        else:
            return start_session(redirect_to("/"), token)
    return render("first_run/index.html", status=422, form=form)
