"""Schedules of an agent: what fires when, the form that makes and changes them, what fired."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from pilot import db
from pilot.engine.agents import agents
from pilot.engine.life import preflight, unattended
from pilot.engine.triggers import cron, schedules, triggers, zones
from pilot.engine.triggers.schedules import Timing
from pilot.errors import ConflictError, InvalidError, Issue
from pilot.reports import triggers as report
from pilot.views import (
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
    zone,
)
from pilot.views.inputs_form import PREFIX, InputsForm, given
from pilot.views.seen_form import SeenForm

bp = Blueprint("schedules", __name__)
URL = "/agents/<uuid:agent_id>/schedules"
ONE = f"{URL}/<uuid:schedule_id>"
UNITS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
EXAMPLES = ("0 8 * * 1-5", "0 8 * * *", "0 * * * *", "*/15 * * * *", "0 9 * * MON", "0 6 1 * *")
OVERLAPS = {
    "skip": "Skip it",
    "queue": "Let it wait, then start it",
    "allow": "Start it beside the other",
    "cancel_previous": "Cancel the other, then start it",
}
CATCH_UPS = {
    "one": "Start once for all that was missed",
    "none": "Start nothing that was missed",
    "all": "Start each, at most 100 of the last 24 hours",
}
MUST = [InputRequired()]
LOCAL = "%Y-%m-%dT%H:%M"


class ScheduleForm(SeenForm):
    """When it fires; the operation knows what is right."""

    cron = StringField(
        "Cron expression",
        description="Minute, hour, day of the month, month, day of the week: 0 8 * * 1-5 is every "
        "weekday at 08:00.",
        render_kw={"list": "cron-examples", "autocomplete": "off", "spellcheck": "false"},
    )
    every = StringField("Or every so many", render_kw={"inputmode": "numeric"})
    unit = SelectField(
        "Unit", MUST, choices=[SelectChoice(one, f"{one}s") for one in UNITS], default="minute"
    )
    zone = SelectField("Time zone", MUST, validate_choice=False)
    starts_at = StringField("Not before", render_kw={"type": "datetime-local"})
    ends_at = StringField("Not after", render_kw={"type": "datetime-local"})
    jitter_s = StringField(
        "Spread, in seconds",
        description="Each start comes later by up to this, so that not all start at once.",
        render_kw={"inputmode": "numeric"},
    )
    overlap = SelectField(
        "If the one before has not ended",
        MUST,
        choices=[SelectChoice(*one) for one in OVERLAPS.items()],
    )
    catch_up = SelectField(
        "After a downtime", MUST, choices=[SelectChoice(*one) for one in CATCH_UPS.items()]
    )
    own_inputs = BooleanField("With inputs of its own, over the saved ones")

    @classmethod
    def of(cls, timing: Timing, inputs: Any, version: int | None = None) -> "ScheduleForm":
        """Return the form of a schedule as it is."""
        unit = next(one for one, size in UNITS.items() if not (timing.every_s or 60) % size)
        local = ZoneInfo(timing.zone)
        texts = {
            "cron": timing.cron or "",
            "every": str(timing.every_s // UNITS[unit]) if timing.every_s else "",
            "unit": unit,
            "zone": timing.zone,
            "jitter_s": str(timing.jitter_s or ""),
            "overlap": timing.overlap,
            "catch_up": timing.catch_up,
            "own_inputs": inputs is not None,
            "version": str(version or ""),
        }
        for name in ("starts_at", "ends_at"):
            moment = getattr(timing, name)
            texts[name] = moment.astimezone(local).strftime(LOCAL) if moment else ""
        return cls(formdata=None, data=texts)

    def timing(self) -> Timing:
        """Return what was typed.

        Raises:
            InvalidError: a text that is no number or no moment, each by its field.
        """
        issues: list[Issue] = []
        numbers = {name: _number(self, name, issues) for name in ("every", "jitter_s")}
        found = Timing(
            cron=(self.cron.data or "").strip() or None,
            every_s=numbers["every"] and numbers["every"] * UNITS.get(self.unit.data, 60),
            zone=self.zone.data or "",
            jitter_s=numbers["jitter_s"] or 0,
            overlap=self.overlap.data or "",
            catch_up=self.catch_up.data or "",
        )
        if found.zone in zones.names():
            local = ZoneInfo(found.zone)
            found = replace(
                found,
                starts_at=_moment(self, "starts_at", local, issues),
                ends_at=_moment(self, "ends_at", local, issues),
            )
        if issues:
            raise InvalidError(issues)
        return found


FIELDS = (ScheduleForm, "inputs", f"{PREFIX}*", "preview")
CONFLICT = 409


@route(bp, URL, allow=VIEW, twin=True)
def index(agent_id: UUID) -> ResponseReturnValue:
    """The agent's schedules, what they fired, and the form that makes one."""
    return _page(agent_id)


@route(bp, f"{URL}/preview", allow=OPERATE)
def preview(agent_id: UUID) -> ResponseReturnValue:
    """The next times of what is being typed."""
    return _page(agent_id, ScheduleForm(request.args, meta={"csrf": False}), block="times")


@route(bp, URL, allow=OPERATE, methods=("POST",), takes=FIELDS)
def create(agent_id: UUID) -> ResponseReturnValue:
    """Make a schedule."""
    return _save(agent_id, None)


@route(bp, ONE, allow=OPERATE)
def edit(agent_id: UUID, schedule_id: UUID) -> ResponseReturnValue:
    """The form of one schedule."""
    return _page(agent_id, editing=schedule_id)


@route(bp, ONE, allow=OPERATE, methods=("POST",), takes=FIELDS)
def change(agent_id: UUID, schedule_id: UUID) -> ResponseReturnValue:
    """Change a schedule."""
    return _save(agent_id, schedule_id)


@route(bp, f"{ONE}/active", allow=OPERATE, methods=("POST",), takes=("active",))
def set_active(agent_id: UUID, schedule_id: UUID) -> ResponseReturnValue:
    """Switch a schedule on or off."""
    active = request.form.get("active") == "on"
    _find(agent_id, schedule_id)
    triggers.set_active(schedule_id, active, by=actor(), user_id=signed_in())
    toast("Switched on." if active else "Switched off: it starts nothing any more.")
    return redirect_to(f"/agents/{agent_id}/schedules")


@route(bp, f"{ONE}/delete", allow=OPERATE)
def confirm_deletion(agent_id: UUID, schedule_id: UUID) -> ResponseReturnValue:
    """Ask before a schedule is taken away."""
    return _page(agent_id, deleting=schedule_id)


@route(bp, f"{ONE}/delete", allow=OPERATE, methods=("POST",), takes=())
def delete(agent_id: UUID, schedule_id: UUID) -> ResponseReturnValue:
    """Take a schedule away."""
    _find(agent_id, schedule_id)
    triggers.delete(schedule_id, by=actor(), user_id=signed_in())
    toast("Deleted: it starts nothing any more.")
    return redirect_to(f"/agents/{agent_id}/schedules")


def _save(agent_id: UUID, schedule_id: UUID | None) -> ResponseReturnValue:
    form = ScheduleForm()
    if request.form.get("preview"):
        return _page(agent_id, form, editing=schedule_id)
    schema = _schema(agent_id)
    who: dict[str, Any] = {"by": actor(), "user_id": signed_in()}
    inputs = given(schema) if form.own_inputs.data else None
    try:
        if schedule_id is None:
            triggers.create(agent_id, form.timing(), inputs, **who)
        else:
            _find(agent_id, schedule_id)
            triggers.change(schedule_id, form.timing(), inputs, seen=form.seen, **who)
    except InvalidError as error:
        return _refused(agent_id, schedule_id, form, error.issues)
    except ConflictError:
        typed = InputsForm.sent(schema, [])
        return _page(agent_id, form, typed, editing=schedule_id, status=CONFLICT)
    toast("Saved.")
    return redirect_to(f"/agents/{agent_id}/schedules")


def _refused(
    agent_id: UUID, schedule_id: UUID | None, form: ScheduleForm, issues: list[Issue]
) -> Response:
    """Show the form again with what is wrong beside its fields."""
    about_inputs = [one for one in issues if one.path.startswith("/inputs")]
    of_form = [one for one in issues if one not in about_inputs]
    if about_inputs and not form.own_inputs.data:
        told = " ".join(one.message for one in about_inputs)
        hint = "Save inputs on the page of the agent, or give the schedule its own."
        of_form.append(Issue("E_INPUT", "/own_inputs", f"{told} {hint}"))
        about_inputs = []
    renamed = {"every_s": "every"}
    show_issues(form, [_at(one, renamed) for one in of_form])
    below = [replace(one, path=one.path.removeprefix("/inputs")) for one in about_inputs]
    inputs_form = InputsForm.sent(_schema(agent_id), below)
    return _page(agent_id, form, inputs_form, editing=schedule_id, status=422)


def _at(issue: Issue, renamed: Mapping[str, str]) -> Issue:
    name = issue.path.removeprefix("/")
    return replace(issue, path=f"/{renamed.get(name, name)}")


def _page(  # noqa: PLR0913 -- one keyword for each state of the page
    agent_id: UUID,
    form: ScheduleForm | None = None,
    inputs_form: InputsForm | None = None,
    *,
    editing: UUID | None = None,
    deleting: UUID | None = None,
    block: str | None = None,
    status: int = 200,
) -> Response:
    with reading() as session:
        agent = agents.load(session, agent_id)
        rows = [(row, triggers.told(session, row)) for row in triggers.listed(session, agent_id)]
        fired = report.fires(session, agent_id)
        version = agents.newest(session, agent)
        saved = preflight.saved_inputs(session, agent_id, signed_in())
        named = editing or deleting
        one = triggers.schedule(session, named, agent_id) if named else None
        hindered = unattended.obstacles(session, version, "schedule")
    schema = version.inputs_schema if version is not None else None
    if form is None:
        usual = Timing(zone=zone().key)
        kept = (Timing.of(one), one.inputs, one.version) if one else (usual, None)
        form = ScheduleForm.of(*kept)
    clashes = status == CONFLICT
    if clashes and one is not None:
        form.version.data = str(one.version)
    known = (one.inputs if one else None) or saved
    inputs_form = inputs_form or InputsForm.with_values(schema, known)
    form.zone.choices = [SelectChoice(name) for name in zones.names()]
    return render(
        "schedules/index.html",
        block,
        status=status,
        twin=lambda: {"schedules": [told for _, told in rows], "fires": fired},
        agent=agent,
        url=f"/agents/{agent.id}/schedules",
        rows=[(row, told, _local(told)) for row, told in rows],
        fired=fired,
        hindered=hindered,
        form=form,
        inputs_form=inputs_form,
        editing=one if editing else None,
        clashes=clashes,
        in_words=schedules.in_words(Timing.of(one)) if one else "",
        deleting=one if deleting else None,
        examples=[(text, cron.in_words(cron.parse(text))) for text in EXAMPLES],
        upcoming=_upcoming(form),
        local=lambda moment, name: moment.astimezone(ZoneInfo(name)),
        may_operate=visitor().may(OPERATE) and agent.owner_id == signed_in(),
    )


def _local(told: dict[str, Any]) -> list[datetime]:
    """Return the next times of a schedule in its zone, by its name."""
    zone_ = ZoneInfo(told["zone"])
    return [datetime.fromisoformat(one).astimezone(zone_) for one in told["next_times"]]


def _upcoming(form: ScheduleForm) -> dict[str, Any]:
    """Return what the form means: words and next times, or what is wrong."""
    found: dict[str, Any] = {"words": "", "times": [], "wrong": []}
    if not (form.cron.data or form.every.data):
        return found
    try:
        timing = form.timing()
        schedules.check(timing, db.now())
    except InvalidError as error:
        return found | {"wrong": [one.message for one in error.issues]}
    return found | {
        "words": schedules.in_words(timing),
        "times": schedules.next_times(timing, db.now()),
    }


def _schema(agent_id: UUID) -> dict[str, Any] | None:
    with reading() as session:
        version = agents.newest(session, agents.load(session, agent_id))
        return version.inputs_schema if version is not None else None


def _find(agent_id: UUID, schedule_id: UUID) -> None:
    with reading() as session:
        triggers.schedule(session, schedule_id, agent_id)


def _number(form: ScheduleForm, name: str, issues: list[Issue]) -> int | None:
    text = (form[name].data or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 9:
        return int(text)
    if text:
        issues.append(Issue("E_INPUT", f"/{name}", "Give a whole number."))
    return None


def _moment(form: ScheduleForm, name: str, local: ZoneInfo, issues: list[Issue]) -> datetime | None:
    text = (form[name].data or "").strip()
    if not text:
        return None
    try:
        return cron.instant(datetime.strptime(text, LOCAL), local)  # noqa: DTZ007 - local by intent
    except (ValueError, OverflowError):
        told = "Give day and time, such as 2026-12-24T18:00."
        issues.append(Issue("E_INPUT", f"/{name}", told, got=text[:40]))
    return None
