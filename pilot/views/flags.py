"""Switches that are on for some only: rules for agents, people, a share of all; what decides."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import DateField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Optional

from pilot import settings
from pilot.engine.agents import agents
from pilot.engine.people import users
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError
from pilot.settings import SETTINGS, flags
from pilot.settings.flags import SWITCHES, NewRule
from pilot.views import ADMIN, actor, reading, redirect_to, render, route, show_issues, toast

bp = Blueprint("flags", __name__)

URL = "/system-config/flags"
NEEDED = InputRequired()
LABELS = [(key, SETTINGS[key].label) for key in SWITCHES]
SCOPES = [
    ("agent", "one agent"),
    ("user", "one person's starts"),
    ("percentage", "a share of all agents"),
]
DECIDED = {
    "agent": "the rule for this agent",
    "user": "the rule for this person",
    "percentage": "the share of all agents, which this one belongs to",
    "global": "the setting for all",
}


class RuleForm(FlaskForm):  # type: ignore[misc]
    """A new rule."""

    key = SelectField("Switch", [NEEDED], choices=[SelectChoice(*one) for one in LABELS])
    value = SelectField("Is", [NEEDED], choices=[SelectChoice("on"), SelectChoice("off")])
    scope = SelectField("For", [NEEDED], choices=[SelectChoice(*one) for one in SCOPES])
    subject = StringField(
        "Whom",
        [NEEDED],
        description="The agent's name or id, the person's address, or a number of percent.",
    )
    until = DateField("Until", [Optional()], description="Left empty it stays until it is removed.")


@route(bp, URL, allow=ADMIN, twin=True)
def index() -> ResponseReturnValue:
    """All rules, a form for a new one, and what a switch is for somebody."""
    return _page(RuleForm(formdata=None))


@route(bp, URL, allow=ADMIN, methods=("POST",), takes=(RuleForm,))
def add() -> ResponseReturnValue:
    """Set a rule."""
    form = RuleForm()
    try:
        new = _read(form)
        flags.set_rule(new, by=actor())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(form, status=422)
    toast(f"Stored. {SETTINGS[new.key].label} is ruled for what starts from now on.")
    return redirect_to(URL)


@route(bp, f"{URL}/<uuid:rule_id>/remove", allow=ADMIN, methods=("POST",), takes=())
def remove(rule_id: UUID) -> ResponseReturnValue:
    """Remove a rule."""
    flags.remove(rule_id, by=actor())
    toast("Removed: the next wider rule counts for what starts from now on.")
    return redirect_to(URL)


def _read(form: RuleForm) -> NewRule:
    """Return the rule of a form.

    Raises:
        InvalidError: a subject that nobody has, or that is no number of percent; what is no choice.
    """
    for field in (form.value, form.scope):
        known = [one.value for one in field.choices]
        if field.data not in known:
            text = f"Choose one of {', '.join(known)}."
            raise InvalidError([Issue("flag_choice", f"/{field.name}", text)])
    scope, subject = str(form.scope.data), (form.subject.data or "").strip()
    until = form.until.data
    if form.until.errors or (request.form.get("until") and until is None):
        raise InvalidError([Issue("flag_expiry", "/until", "Give a date, such as 2027-01-31.")])
    with reading() as session:
        named = _named(session, scope, subject)
    return NewRule(
        str(form.key.data),
        scope,  # type: ignore[arg-type]  # one of the choices
        form.value.data == "on",
        expires_at=None
        if until is None
        else datetime(until.year, until.month, until.day, tzinfo=UTC),
        **named,
    )


def _named(session: Session, scope: str, subject: str) -> dict[str, Any]:
    try:
        if scope == "agent":
            return {"agent_id": agents.find(session, subject).id}
        if scope == "user":
            return {"user_id": users.find(session, subject).id}
    except (NotFoundError, ConflictError) as error:
        raise InvalidError([Issue("flag_subject", "/subject", error.message)]) from error
    plain = subject.removesuffix("%").strip()
    number = plain.isascii() and plain.isdigit() and len(plain) < 4
    return {"percent": int(plain) if number else None}


def _page(form: RuleForm, *, status: int = 200) -> ResponseReturnValue:
    with reading() as session:
        found = flags.rules(session)
        values, _ = settings.snapshot(session)
        asked, problem = _asked(session)
    return render(
        "system_config/flags.html",
        status=status,
        twin=lambda: {"rules": [_told(one) for one in found], "resolved": asked},
        form=form,
        rules=found,
        switches=[SETTINGS[key] for key in SWITCHES],
        values=values,
        scopes=dict(SCOPES),
        asked=asked,
        problem=problem,
        decided=DECIDED,
        labels=LABELS,
        sent=request.args,
    )


def _asked(session: Session) -> tuple[dict[str, Any] | None, str]:
    """Return what the switch of the address is for its agent and person, or what is wrong."""
    key = request.args.get("key")
    if key not in SWITCHES:
        return None, ""
    agent, person = request.args.get("agent", "").strip(), request.args.get("person", "").strip()
    try:
        agent_id = _named(session, "agent", agent)["agent_id"] if agent else None
        user_id = _named(session, "user", person)["user_id"] if person else None
    except InvalidError as error:
        return None, error.message
    decision = flags.resolve(session, key, agent_id, user_id)
    return {"key": key, "value": decision.value, "rule": decision.rule}, ""


def _told(one: flags.Rule) -> dict[str, Any]:
    row = one.row
    return {
        "id": row.id,
        "key": row.key,
        "scope": row.scope,
        "subject": one.subject,
        "value": row.value,
        "expires_at": row.expires_at,
        "author": row.author,
        "created_at": row.created_at,
    }
