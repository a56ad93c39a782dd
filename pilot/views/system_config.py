"""Settings: one form per group, what others changed meanwhile, history with undo."""

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, HiddenField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired

from pilot import settings
from pilot.errors import ConflictError, InvalidError, NotFoundError
from pilot.settings import SETTINGS, Definition
from pilot.views import (
    ADMIN,
    actor,
    reading,
    redirect_to,
    render,
    route,
    show_issues,
    toast,
    workflow_pilot,
)

bp = Blueprint("system_config", __name__)

NAV = ("Set up", "System config", 10, ADMIN)

MUST = [InputRequired()]
GROUPS = {group.lower().replace(" ", "-"): group for group in settings.GROUPS}


def _definitions(group: str) -> list[Definition]:
    """Return the settings of the group with this name in the URL."""
    if group not in GROUPS:
        raise NotFoundError("There is no such group of settings.")
    return [one for one in SETTINGS.values() if one.group == GROUPS[group]]


def _names(group: str = workflow_pilot.GROUP) -> set[str]:
    """Return the fields of a group's form."""
    return {one.key for one in _definitions(group)} | {"version", workflow_pilot.CONFIRMED}


def _form(group: str, values: dict[str, Any] | None, version: int | None) -> FlaskForm:
    """Return the form of a group: with these values, or (None) with what was sent."""
    fields = {one.key: _field(one) for one in _definitions(group)}
    form_class = type("GroupForm", (FlaskForm,), {"version": HiddenField(), **fields})
    if values is None:
        return form_class(prefix="")
    shown = {
        key: ", ".join(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return form_class(formdata=None, data=shown | {"version": version})


def _field(one: Definition) -> Field:
    about = f"{one.help} Default: {one.words(one.default)}."
    if one.type is bool:
        return BooleanField(one.label, description=about)
    if one.choices:
        return SelectField(one.label, MUST, choices=one.choices, description=about)
    about = (
        f"{one.help} {one.bounds[0].upper()}{one.bounds[1:]}. Default: {one.words(one.default)}."
    )
    if one.type is int:
        return IntegerField(
            one.label,
            MUST,
            description=about,
            render_kw={"min": one.minimum, "max": one.maximum, "inputmode": "numeric"},
        )
    return StringField(one.label, [] if one.type is list else MUST, description=about)


@route(bp, "/system-config", allow=ADMIN, twin=True)
def index() -> ResponseReturnValue:
    """All settings in their groups, and the newest changes."""
    return _page({})


@route(bp, "/system-config/<group>", allow=ADMIN, twin=True)
def group(group: str) -> ResponseReturnValue:
    """One group, by its own address."""
    _definitions(group)
    return _page({}, only=group)


@route(bp, "/system-config/<group>", allow=ADMIN, methods=("POST",), takes=(_names,))
def save(group: str) -> ResponseReturnValue:
    """Store a group's values as one change, then tell what the database holds."""
    form = _form(group, None, None)
    sent = request.form if group == workflow_pilot.GROUP else None
    try:
        if sent is not None:
            with reading() as session:
                workflow_pilot.refuse_unconfirmed(session, _sent(group))
        saved = settings.change_all(_sent(group), by=actor(), expected_version=_version(form))
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page({group: form}, only=group, status=422, sent=sent)
    except ConflictError as error:
        form.version.data = error.present["version"]
        return _page({group: form}, only=group, status=409, clash=error, sent=sent)
    _tell(saved)
    return redirect_to(f"/system-config#{group}")


def _sent(group: str) -> dict[str, Any]:
    """Return what the form says."""
    values: dict[str, Any] = {}
    for one in _definitions(group):
        text = " ".join(request.form.getlist(one.key)).strip()
        values[one.key] = bool(text) if one.type is bool else one.parsed(text)
    return values


def _version(form: FlaskForm) -> int:
    text = form.version.data or ""
    known = text.isascii() and text.isdigit() and len(text) < 10
    return int(text) if known else 0  # 0: older than every change


def _tell(saved: settings.Saved) -> None:
    """Name the stored values, read in a transaction after the one that stored them."""
    with reading() as session:
        values, _ = settings.snapshot(session)
    if not saved.changed:
        toast("Nothing was changed: these values are stored already.")
        return
    texts = [f"{SETTINGS[key].label}: {SETTINGS[key].words(values[key])}" for key in saved.changed]
    toast(f"Stored. {'; '.join(texts)}.", undo_url=f"/system-config/changes/{saved.version}/undo")


@route(bp, "/system-config/workflow-pilot/refresh", allow=ADMIN, methods=("POST",), takes=(_names,))
def refresh() -> ResponseReturnValue:
    """Show what the choice of the form means, for browsers without script; nothing is stored."""
    return redirect_to(workflow_pilot.chosen_url())


@route(
    bp,
    "/system-config/workflow-pilot/fix",
    allow=ADMIN,
    methods=("POST",),
    takes=("code", "setting"),
)
def fix() -> ResponseReturnValue:
    """Mend one finding about the stored choice."""
    sent = request.form
    with reading() as session:
        values = workflow_pilot.fix(session, sent.get("code", ""), sent.get("setting", ""))
    _tell(settings.change_all(values, by=actor(), reason=f"fix of {sent['code']}"))
    return redirect_to(f"/system-config#{workflow_pilot.GROUP}")


@route(
    bp,
    "/system-config/changes/<int(max=2147483647):version>/undo",
    allow=ADMIN,
    methods=("POST",),
    takes=(),
)
def undo(version: int) -> ResponseReturnValue:
    """Set a change back, as a new change."""
    _tell(settings.undo(version, by=actor()))
    return redirect_to("/system-config#history")


def _page(
    forms: dict[str, FlaskForm],
    *,
    only: str | None = None,
    status: int = 200,
    clash: ConflictError | None = None,
    sent: Any = None,
) -> ResponseReturnValue:
    with reading() as session:
        values, version = settings.snapshot(session)
        changed_by = settings.changed_by(session)
        history = settings.history(session)
        names = [only] if only else list(GROUPS)
        pilot = {}
        if workflow_pilot.GROUP in names:
            pilot = workflow_pilot.context(session, values, sent)
    return render(
        "system_config/index.html",
        "workflow_pilot" if only == workflow_pilot.GROUP else None,
        status=status,
        twin=lambda: {
            "version": version,
            "settings": _listed(values, changed_by, [GROUPS[name] for name in names]),
            **({"comparison": workflow_pilot.facts(pilot["choice"])} if pilot else {}),
        },
        groups={name: GROUPS[name] for name in names},
        forms={name: forms.get(name) or _form(name, dict(values), version) for name in names},
        definitions={name: _definitions(name) for name in names},
        changed_by=changed_by,
        history=history,
        clash=clash,
        known=SETTINGS,
        pilot=pilot,
        version=version,
    )


def _listed(
    values: settings.Values, changed_by: dict[str, Any], groups: list[str]
) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "group": one.group,
            "label": one.label,
            "value": values[key],
            "default": one.default,
            "unit": one.unit or None,
            "minimum": one.minimum if one.type is int else None,
            "maximum": one.maximum if one.type is int else None,
            "changed_by": changed_by[key][0] if key in changed_by else None,
            "changed_at": changed_by[key][1] if key in changed_by else None,
        }
        for key, one in SETTINGS.items()
        if one.group in groups
    ]
