"""People: who may sign in, with which roles; invitations, links for a new password, sessions."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from pilot.engine.people import new_passwords, personal_data, second_factor, users
from pilot.engine.people.new_user import NewUser, Role
from pilot.errors import ConflictError, InvalidError, Issue
from pilot.reports import people
from pilot.reports.people import STATES, Filters
from pilot.views import (
    ADMIN,
    actor,
    reading,
    redirect_to,
    render,
    route,
    show_issues,
    signed_in,
    toast,
)
from pilot.views.lists import csv_answer, kept, list_args, next_url, wants_csv

bp = Blueprint("people", __name__)

URL = "/users/<uuid:user_id>"

NAV = ("Set up", "Users", 40, ADMIN)

MAY = {
    "viewer": "Sees agents, executions and costs: their own, and what is shared with them.",
    "approver": "Sees the same, and decides approvals that name them or this role.",
    "operator": "Builds agents; starts, pauses, resumes, retries and cancels their own.",
    "admin": "Sees and may do everything: settings, prices, people, audit.",
}
TONES = {"active": "good", "invited": "attention", "disabled": "off"}
COLUMNS = (
    {"label": "Name", "sort": "name"},
    {"label": "E-mail", "sort": "email"},
    {"label": "Roles"},
    {"label": "State"},
    {"label": "Last request"},
    {"label": "Sessions", "number": True},
    {"label": "Since", "sort": "created"},
)


class RolesForm(FlaskForm):  # type: ignore[misc]
    """What a person may do."""

    roles = SelectMultipleField(
        "Roles",
        choices=[SelectChoice(str(role)) for role in Role],
        validate_choice=False,  # the operation knows the list
    )


class PersonForm(RolesForm):
    """A new person."""

    name = StringField("Name", [InputRequired()], render_kw={"autocomplete": "off"})
    email = EmailField(
        "E-mail address",
        [InputRequired()],
        description="They sign in with it.",
        render_kw={"autocomplete": "off"},
    )
    password = PasswordField(
        "Password",
        description="Left empty, you get a link for them: with it they choose a password.",
        render_kw={"autocomplete": "new-password"},
    )


@route(bp, "/users", allow=ADMIN, twin=True, sheet=True)
def index() -> ResponseReturnValue:
    """All people that match."""
    ignored = [
        (name, request.args[name][:40])
        for name, known in (("role", tuple(Role)), ("state", STATES))
        if request.args.get(name) and request.args[name] not in known
    ]
    texts = {name: request.args.get(name, "") for name in ("role", "state")}
    known_texts = {name: "" if name in dict(ignored) else text for name, text in texts.items()}
    filters = Filters(request.args.get("q", "").strip()[:200], **known_texts)
    facts = asdict(filters)
    wanted, more = list_args(people.SORTS, "name", facts, facts)
    with reading() as session:
        listed = people.listed(session, filters, wanted)
    if wants_csv():
        return csv_answer(listed.rows)
    following = next_url(listed, wanted, facts)
    return render(
        "people/index.html",
        "rows",
        twin=lambda: {"items": listed.rows, "total": listed.total, "next": following},
        listed=listed,
        sort=wanted.sort,
        kept=kept(wanted),
        following=following,
        columns=COLUMNS,
        tones=TONES,
        fields=_fields(filters),
        ignored=ignored + more,
        chosen=[(name, value) for name, value in facts.items() if value],
        first=wanted.after is None,
        query=request.query_string.decode(),
    )


def _fields(filters: Filters) -> list[dict[str, Any]]:
    return [
        {"name": "q", "label": "Name or e-mail", "kind": "search", "value": filters.q},
        {
            "name": "role",
            "label": "Role",
            "kind": "select",
            "value": filters.role,
            "options": [("", "Any"), *((str(role), str(role)) for role in Role)],
        },
        {
            "name": "state",
            "label": "State",
            "kind": "select",
            "value": filters.state,
            "options": [("", "Any"), *((state, state) for state in STATES)],
        },
    ]


@route(bp, "/users/new", allow=ADMIN)
def new() -> ResponseReturnValue:
    """The form for a new person."""
    return _new_page(PersonForm(formdata=None, roles=[str(Role.VIEWER)]))


def _new_page(form: PersonForm, *, status: int = 200) -> ResponseReturnValue:
    return render("people/new.html", status=status, form=form, may=MAY)


@route(bp, "/users", allow=ADMIN, methods=("POST",), takes=(PersonForm,), fresh=True)
def add() -> ResponseReturnValue:
    """Create a person with the given password, or invite them: the link is shown this once."""
    form = PersonForm()
    email, name = form.email.data or "", form.name.data or ""
    roles = form.roles.data or []
    try:
        if form.password.data:
            user_id = users.create_user(
                email=email, name=name, password=form.password.data, roles=roles, by=actor()
            )
            toast(f"{email} may sign in.")
            return redirect_to(f"/users/{user_id}")
        user_id, token = new_passwords.invite(NewUser(email, name, frozenset(roles)), by=actor())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _new_page(form, status=422)
    except ConflictError as error:
        show_issues(form, [Issue("email", "/email", error.message)])
        return _new_page(form, status=409)
    return _page(user_id, made=_link(token))


def _link(token: str) -> str:
    return f"{current_app.config['URL']}/password?token={token}"


@route(bp, URL, allow=ADMIN, twin=True)
def person(user_id: UUID) -> ResponseReturnValue:
    """One person: roles, state, sessions."""
    return _page(user_id)


def _page(
    user_id: UUID,
    form: RolesForm | None = None,
    *,
    made: str = "",
    refused: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    with reading() as session:
        one = people.one(session, user_id)
        browsers = people.browsers(session, user_id)
        has_codes = second_factor.is_on(session, user_id)
    return render(
        "people/person.html",
        status=status,
        twin=lambda: {**asdict(one), "browsers": browsers},
        one=one,
        url=f"/users/{one.id}",
        browsers=browsers,
        form=form or RolesForm(formdata=None, roles=list(one.roles)),
        may=MAY,
        tones=TONES,
        has_codes=has_codes,
        made=made,
        refused=refused,
        is_me=one.id == signed_in(),
    )


@route(bp, f"{URL}/roles", allow=ADMIN, methods=("POST",), takes=(RolesForm,), fresh=True)
def set_roles(user_id: UUID) -> ResponseReturnValue:
    """Give a person other roles; they sign in anew."""
    form = RolesForm()
    try:
        users.set_roles(user_id, form.roles.data or [], by=actor())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(user_id, form, status=422)
    except ConflictError as error:
        return _page(user_id, form, refused=error.message, status=409)
    toast("Stored. They sign in anew to use these roles.")
    return redirect_to(f"/users/{user_id}")


@route(bp, f"{URL}/active", allow=ADMIN, methods=("POST",), takes=("active",), fresh=True)
def set_active(user_id: UUID) -> ResponseReturnValue:
    """Let a person sign in or not."""
    active = request.values.get("active") == "on"
    try:
        users.set_active(user_id, active, by=actor())
    except ConflictError as error:
        return _page(user_id, refused=error.message, status=409)
    undo = f"/users/{user_id}/active?active={'off' if active else 'on'}"
    told = "They may sign in again." if active else "Disabled: they are signed out everywhere."
    toast(told, undo_url=undo)
    return redirect_to(f"/users/{user_id}")


@route(bp, f"{URL}/sessions/end", allow=ADMIN, methods=("POST",), takes=())
def end_sessions(user_id: UUID) -> ResponseReturnValue:
    """Sign a person out everywhere."""
    users.end_sessions(user_id, by=actor())
    toast("They are signed out everywhere.")
    return redirect_to(f"/users/{user_id}")


@route(bp, f"{URL}/data", allow=ADMIN, methods=("POST",), takes=(), fresh=True)
def take_data(user_id: UUID) -> ResponseReturnValue:
    """All that belongs to a person, as a zip; audited, so not a GET."""
    held = personal_data.export(
        personal_data.find(str(user_id)), current_app.config["DATA"], by=actor()
    )
    answer = Response(held, mimetype="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="person-{user_id}.zip"'
    return answer


@route(bp, f"{URL}/codes/off", allow=ADMIN, methods=("POST",), takes=(), fresh=True)
def switch_codes_off(user_id: UUID) -> ResponseReturnValue:
    """Help somebody whose phone is gone: their password alone signs in until they set it up."""
    second_factor.switch_off(user_id, by=actor(), code=None, sees_all=True)
    toast("Signing in asks them for no codes any more.")
    return redirect_to(f"/users/{user_id}")


@route(bp, f"{URL}/link", allow=ADMIN, methods=("POST",), takes=(), fresh=True)
def give_link(user_id: UUID) -> ResponseReturnValue:
    """Make a link with which a person sets a password, shown this once."""
    try:
        token = new_passwords.give_link(user_id, by=actor())
    except ConflictError as error:
        return _page(user_id, refused=error.message, status=409)
    return _page(user_id, made=_link(token))
