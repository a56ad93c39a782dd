"""A person's own account: where they are signed in, their time zone, tokens of their programs."""

from uuid import UUID

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import IntegerField, PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from pilot import db
from pilot.engine.people import api_tokens, new_passwords, second_factor, users
from pilot.engine.people.api_tokens import NewToken, Scope
from pilot.engine.triggers import zones
from pilot.errors import InvalidError
from pilot.views import (
    SIGNED_IN,
    actor,
    end_session,
    origin,
    redirect_to,
    render,
    route,
    show_issues,
    signed_in,
    toast,
)
from pilot.views import (
    zone as shown_zone,
)

bp = Blueprint("account", __name__, url_prefix="/account")


class ZoneForm(FlaskForm):  # type: ignore[misc]
    """The zone that times are shown in."""

    # The operation knows the list: a zone that is not on it is answered with its issue.
    zone = SelectField("Time zone", [InputRequired()], validate_choice=False)


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """The present password, and the one that replaces it."""

    old = PasswordField(
        "Present password", [InputRequired()], render_kw={"autocomplete": "current-password"}
    )
    password = PasswordField(
        "New password",
        [InputRequired()],
        description="8 to 256 characters; four unrelated words are good.",
        render_kw={"autocomplete": "new-password"},
    )


class TokenForm(FlaskForm):  # type: ignore[misc]
    """A new token of a program."""

    label = StringField("What it is for", [InputRequired()])
    days = IntegerField(
        "Days it lives",
        [InputRequired()],
        default=api_tokens.DAYS,
        render_kw={"min": 1, "max": api_tokens.MOST_DAYS, "inputmode": "numeric"},
    )
    scopes = SelectMultipleField(
        "What it may do",
        [InputRequired()],
        choices=[SelectChoice(str(one)) for one in Scope],
        validate_choice=False,  # the operation knows the list
        description="Never more than you may.",
    )


@route(bp, "", allow=SIGNED_IN)
def index() -> ResponseReturnValue:
    """Sessions and time zone."""
    return _page()


def _page(
    form: ZoneForm | None = None,
    *,
    token_form: TokenForm | None = None,
    password_form: PasswordForm | None = None,
    made: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    form = form or ZoneForm(formdata=None, zone=str(shown_zone()))
    form.zone.choices = [SelectChoice(zone) for zone in zones.names()]
    token = request.cookies[current_app.config["SIGN_IN_COOKIE"]]
    browsers = users.sessions(signed_in(), token=token)
    with db.reading(signed_in()) as session:  # one's own only, an administrator's too
        tokens = api_tokens.listed(session)
    return render(
        "account/index.html",
        status=status,
        form=form,
        browsers=browsers,
        tokens=tokens,
        token_form=token_form or TokenForm(formdata=None),
        password_form=password_form or PasswordForm(formdata=None),
        codes_left=second_factor.left(signed_in()),
        made=made,
        now=db.now(),
    )


@route(bp, "/tokens", allow=SIGNED_IN, methods=("POST",), takes=(TokenForm,), fresh=True)
def create_token() -> ResponseReturnValue:
    """Make a token and show its text, this once."""
    form = TokenForm()
    days = form.days.data if form.days.data is not None else 0
    new = NewToken(form.label.data or "", form.scopes.data or [], days)
    try:
        made = api_tokens.create(new, owner_id=signed_in(), by=actor())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(token_form=form, status=422)
    return _page(made=made.token)


@route(bp, "/tokens/<uuid:token_id>/revoke", allow=SIGNED_IN, methods=("POST",), takes=())
def revoke_token(token_id: UUID) -> ResponseReturnValue:
    """End a token now."""
    api_tokens.revoke(token_id, owner_id=signed_in(), by=actor())
    toast("Revoked: it opens nothing any more.")
    return redirect_to("/account#tokens")


@route(bp, "/password", allow=SIGNED_IN, methods=("POST",), takes=(PasswordForm,))
def change_password() -> ResponseReturnValue:
    """Replace the password; every browser is signed out, this one too."""
    form = PasswordForm()
    try:
        new_passwords.change(
            signed_in(), form.old.data or "", form.password.data or "", origin(), by=actor()
        )
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(password_form=form, status=422)
    answer = end_session(redirect_to("/sign-in"))
    toast("Your password is changed. Sign in with the new one.")
    return answer


@route(bp, "/zone", allow=SIGNED_IN, methods=("POST",), takes=(ZoneForm,))
def zone() -> ResponseReturnValue:
    """Show times in another zone from now on."""
    form = ZoneForm()
    try:
        zones.choose(signed_in(), form.zone.data or "", by=actor())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(form, status=422)
    toast(f"Times are shown in {form.zone.data}.")
    return redirect_to("/account")


@route(bp, "/sessions/<uuid:session_id>/end", allow=SIGNED_IN, methods=("POST",), takes=())
def end_one(session_id: UUID) -> ResponseReturnValue:
    """Sign one browser out."""
    users.end_sessions(signed_in(), by=actor(), session_id=session_id)
    toast("That browser is signed out.")
    return redirect_to("/account")


@route(bp, "/sessions/end", allow=SIGNED_IN, methods=("POST",), takes=())
def end_all() -> ResponseReturnValue:
    """Sign every browser out, this one too."""
    users.end_sessions(signed_in(), by=actor())
    return end_session(redirect_to("/sign-in"))
