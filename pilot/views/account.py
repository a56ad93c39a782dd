"""A person's own account: where they are signed in, and their time zone."""

from uuid import UUID

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from pilot.engine import users
from pilot.errors import InvalidError
from pilot.views import (
    SIGNED_IN,
    actor,
    end_session,
    redirect_to,
    render,
    route,
    show_issues,
    signed_in,
    toast,
    visitor,
)

bp = Blueprint("account", __name__, url_prefix="/account")


class ZoneForm(FlaskForm):  # type: ignore[misc]
    """The zone that times are shown in."""

    # The operation knows the list: a zone that is not on it is answered with its issue.
    zone = SelectField("Time zone", [InputRequired()], validate_choice=False)


@route(bp, "", allow=SIGNED_IN)
def index() -> ResponseReturnValue:
    """Sessions and time zone."""
    return _page(ZoneForm(formdata=None, zone=visitor().zone))


def _page(form: ZoneForm, *, status: int = 200) -> ResponseReturnValue:
    form.zone.choices = [SelectChoice(zone) for zone in users.zones()]
    token = request.cookies[current_app.config["SIGN_IN_COOKIE"]]
    browsers = users.sessions(signed_in(), token=token)
    return render("account/index.html", status=status, form=form, browsers=browsers)


@route(bp, "/zone", allow=SIGNED_IN, methods=("POST",))
def zone() -> ResponseReturnValue:
    """Show times in another zone from now on."""
    form = ZoneForm()
    try:
        users.set_zone(signed_in(), form.zone.data or "", by=actor())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(form, status=422)
    toast(f"Times are shown in {form.zone.data}.")
    return redirect_to("/account")


@route(bp, "/sessions/<uuid:session_id>/end", allow=SIGNED_IN, methods=("POST",))
def end_one(session_id: UUID) -> ResponseReturnValue:
    """Sign one browser out."""
    users.end_sessions(signed_in(), by=actor(), session_id=session_id)
    toast("That browser is signed out.")
    return redirect_to("/account")


@route(bp, "/sessions/end", allow=SIGNED_IN, methods=("POST",))
def end_all() -> ResponseReturnValue:
    """Sign every browser out, this one too."""
    users.end_sessions(signed_in(), by=actor())
    return end_session(redirect_to("/sign-in"))
