"""Connections: accounts at foreign places that workflows use; their secrets are never shown."""

from datetime import UTC, date, datetime, time
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from pydantic.fields import FieldInfo
from wtforms import BooleanField, Field, IntegerField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from pilot import plugins
from pilot.egress import Egress
from pilot.engine import folders
from pilot.engine.secrets import connections, rates
from pilot.engine.secrets.connections import Given
from pilot.errors import InvalidError, Issue
from pilot.reports import connections as report
from pilot.views import (
    ADMIN,
    OPERATE,
    VIEW,
    actor,
    reading,
    redirect_to,
    render,
    route,
    show_issues,
    signed_in,
    toast,
    visitor,
)

bp = Blueprint("connections", __name__)

NAV = ("Set up", "Connections", 25, VIEW)
PLUGIN = "mail"  # the first whose actions take a connection

TONES = {
    "ok": "good",
    "untested": "attention",
    "expiring": "attention",
    "failing": "bad",
    "reconnect": "bad",
    "disabled": "off",
}
WORDS = {"reconnect": "expired: reconnect", "expiring": "expires soon", "disabled": "switched off"}


class ConnectionForm(FlaskForm):  # type: ignore[misc]
    """What every connection has; the plugin's own fields are added below."""

    label = StringField(
        "Name",
        [InputRequired()],
        description="Steps choose the connection by it, e.g. Sales.",
        render_kw={"maxlength": connections.LONGEST_LABEL},
    )
    secret = PasswordField("Password", render_kw={"autocomplete": "new-password"})
    expires_on = StringField(
        "Password ends on",
        description="If it has a known end: you are told 7 days before.",
        render_kw={"type": "date"},
    )
    shared = BooleanField(
        "Everybody's executions may use it", description="For administrators only."
    )
    seen_version = IntegerField("Version", default=0)


def _field(name: str, info: FieldInfo) -> Field:
    words = name.replace("_", " ").replace("smtp", "SMTP").replace("imap", "IMAP")
    title = info.title or words
    label, hint = title[0].upper() + title[1:], info.description or ""
    needed = [InputRequired()] if info.is_required() else []
    default = None if info.is_required() else info.default
    if get_origin(info.annotation) is Literal:
        choices = [SelectChoice(one) for one in get_args(info.annotation)]
        return SelectField(
            label, choices=choices, default=default, description=hint, validate_choice=False
        )
    if info.annotation is bool:
        return BooleanField(label, default=default, description=hint)
    kind = IntegerField if info.annotation is int else StringField
    return kind(label, needed, default=default, description=hint)


class RateForm(FlaskForm):  # type: ignore[misc]
    """How many calls may go over a connection."""

    rate_per_minute = StringField(
        "Calls a minute",
        description="At most so many in any 60 seconds, of all steps together; the others wait for "
        "their turn. Empty: any number.",
        render_kw={"inputmode": "numeric", "size": 6, "maxlength": 6},
    )


_ACCOUNT = plugins.load(PLUGIN).account
OWN = dict(_ACCOUNT.fields.model_fields) if _ACCOUNT else {}
for _name, _info in OWN.items():
    setattr(ConnectionForm, _name, _field(_name, _info))


@route(bp, "/connections", allow=VIEW, twin=True)
def index() -> ResponseReturnValue:
    """One's own connections and the shared ones, with their state."""
    with reading() as session:
        lines = report.listed(session, signed_in())
    return render(
        "connections/index.html",
        twin=lambda: {"items": [report.told(one) for one in lines], "total": len(lines)},
        lines=lines,
        may_change=visitor().may(OPERATE),
        **_words(),
    )


@route(bp, "/connections/new", allow=OPERATE)
def new() -> ResponseReturnValue:
    """The form for another one."""
    return _form_page(ConnectionForm(formdata=None))


@route(bp, "/connections", allow=OPERATE, methods=("POST",), takes=(ConnectionForm,), fresh=True)
def create() -> ResponseReturnValue:
    """Store a connection; nothing is dialled before its test."""
    form = ConnectionForm()
    try:
        made = connections.create(PLUGIN, _given(form), by=actor(), owner_id=signed_in())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _form_page(form, status=422)
    toast("Stored. Test it now: nobody has signed in with it yet.")
    return redirect_to(f"/connections/{made}")


@route(bp, "/connections/<uuid:connection_id>", allow=OPERATE)
def show(connection_id: UUID) -> ResponseReturnValue:
    """One connection: its test, its fields, and what would break without it."""
    return _page(connection_id)


@route(
    bp,
    "/connections/<uuid:connection_id>",
    allow=OPERATE,
    methods=("POST",),
    takes=(ConnectionForm,),
    fresh=True,
)
def change(connection_id: UUID) -> ResponseReturnValue:
    """Change it; it counts as untested then."""
    form = ConnectionForm()
    version = form.seen_version.data or 0
    try:
        connections.change(
            connection_id, _given(form), seen_version=version, by=actor(), owner_id=signed_in()
        )
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(connection_id, form, status=422)
    toast("Saved. Test it: it counts as untested now.")
    return redirect_to(f"/connections/{connection_id}")


@route(bp, "/connections/<uuid:connection_id>/test", allow=OPERATE, methods=("POST",), takes=())
def test(connection_id: UUID) -> ResponseReturnValue:
    """Sign in once, send nothing, and say how it went."""
    tested = connections.test(
        connection_id,
        by=actor(),
        owner_id=signed_in(),
        egress=Egress(current_app.config["EGRESS_ALLOW"]),
        folder=folders.private(current_app.config["DATA"], signed_in()),
    )
    if tested.state == "ok":
        toast(f"Signed in as {tested.account} in {tested.ms} ms.")
    else:
        toast(f"The test failed after {tested.ms} ms: {tested.reason}")
    return redirect_to(f"/connections/{connection_id}")


@route(
    bp,
    "/connections/<uuid:connection_id>/enabled",
    allow=OPERATE,
    methods=("POST",),
    takes=("enabled",),
)
def enable(connection_id: UUID) -> ResponseReturnValue:
    """Switch it on or off."""
    enabled = request.form.get("enabled") == "on"
    connections.set_enabled(connection_id, enabled=enabled, by=actor(), owner_id=signed_in())
    toast("Switched on." if enabled else "Switched off: no step uses it.")
    return redirect_to(f"/connections/{connection_id}")


@route(
    bp,
    "/connections/<uuid:connection_id>/rate",
    allow=OPERATE,
    methods=("POST",),
    takes=(RateForm,),
)
def limit(connection_id: UUID) -> ResponseReturnValue:
    """Let at most so many calls go over it in a minute; its test stays valid."""
    form = RateForm()
    try:
        rate = rates.read(form.rate_per_minute.data or "")
        rates.change(connection_id, rate, by=actor(), owner_id=signed_in())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(connection_id, rate_form=form, status=422)
    toast(f"At most {rate:,} calls a minute." if rate else "Any number of calls.")
    return redirect_to(f"/connections/{connection_id}")


@route(
    bp,
    "/connections/<uuid:connection_id>/delete",
    allow=OPERATE,
    methods=("POST",),
    takes=("typed",),
)
def delete(connection_id: UUID) -> ResponseReturnValue:
    """Forget it and its secret; its name is asked for."""
    label = request.form.get("typed", "")
    try:
        connections.delete(connection_id, label=label, by=actor(), owner_id=signed_in())
    except InvalidError as error:
        return _page(connection_id, refused=error.message, typed=label, status=422)
    toast("Deleted, with its password.")
    return redirect_to("/connections")


def _given(form: ConnectionForm) -> Given:
    """Return what the form says; a number that is none is left to the plugin's check.

    Raises:
        InvalidError: a date that is none, or sharing by somebody who may not.
    """
    if form.shared.data and not visitor().may(ADMIN):
        message = "Only administrators share a connection with everybody."
        raise InvalidError([Issue("connection_shared", "/shared", message)])
    fields = {name: _value(form[name]) for name in OWN}
    return Given(
        label=form.label.data or "",
        fields=fields,
        secret=form.secret.data or None,
        shared=bool(form.shared.data),
        expires_at=_day(form.expires_on),
    )


def _value(field: Field) -> Any:
    if isinstance(field, IntegerField) and field.data is None:
        return (field.raw_data or [""])[0]
    return field.data if field.data is not None else ""


def _day(field: Field) -> datetime | None:
    text = (field.data or "").strip()
    try:
        return datetime.combine(date.fromisoformat(text), time.min, UTC) if text else None
    except ValueError:
        message = f"{text[:40]!r} is no day such as 2027-01-31."
        raise InvalidError([Issue("date", f"/{field.name}", message, "YYYY-MM-DD")]) from None


def _form_page(form: ConnectionForm, *, status: int = 200) -> ResponseReturnValue:
    form.secret.flags.required = True
    return render(
        "connections/new.html", status=status, form=form, own=list(OWN), may_share=_may_share()
    )


def _page(
    connection_id: UUID,
    form: ConnectionForm | None = None,
    *,
    rate_form: RateForm | None = None,
    refused: str = "",
    typed: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    with reading() as session:
        line = report.one(session, connection_id, signed_in())
        breaks = report.breaks(session, line.plugin, line.label)
    if form is None:
        ends = line.expires_at.date().isoformat() if line.expires_at else ""
        shown = {"label": line.label, "shared": line.shared, "expires_on": ends}
        form = ConnectionForm(
            formdata=None, data={**line.fields, **shown, "seen_version": line.version}
        )
    form.secret.description = "Empty: the one that is stored stays. It is never shown."
    return render(
        "connections/connection.html",
        status=status,
        line=line,
        breaks=breaks,
        form=form,
        rate_form=rate_form
        or RateForm(formdata=None, data={"rate_per_minute": line.rate_per_minute or ""}),
        own=list(OWN),
        refused=refused,
        typed=typed,
        may_share=_may_share(),
        **_words(),
    )


def _may_share() -> bool:
    return visitor().may(ADMIN)


def _words() -> dict[str, Any]:
    return {"tones": TONES, "words": WORDS}
