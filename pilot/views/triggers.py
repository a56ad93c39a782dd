"""What starts an agent besides people and times: executions of others and decisions about them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from pilot import strictjson
from pilot.engine.agents import agents
from pilot.engine.life import unattended
from pilot.engine.triggers import event_triggers, triggers
from pilot.engine.triggers.event_triggers import EVENTS, Following
from pilot.errors import ConflictError, InvalidError, Issue
from pilot.models.agent import Agent
from pilot.models.trigger import Trigger
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
)
from pilot.views.inputs_form import written_inputs
from pilot.views.seen_form import SeenForm

bp = Blueprint("triggers", __name__)
URL = "/agents/<uuid:agent_id>/triggers"
ONE = f"{URL}/<uuid:trigger_id>"
CONFLICT = 409
WHEN = {
    "execution_finished": "An execution ended",
    **{
        f"execution_finished:{one}": f"An execution ended: {one.replace('_', ' ')}"
        for one in EVENTS["execution_finished"]
    },
    "approval_decided": "An approval was decided",
    **{
        f"approval_decided:{one}": f"An approval was decided: {one}"
        for one in EVENTS["approval_decided"]
    },
}


class TriggerForm(SeenForm):
    """After what the agent starts."""

    event = SelectField("When", [InputRequired()], validate_choice=False)
    about_agent_id = SelectField("Of the agent", validate_choice=False)
    match = StringField(
        "Only if",
        description="A condition over payload, such as payload.status == 'failed'.",
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    inputs = TextAreaField(
        "Inputs",
        description='As JSON; {"about": "{{ payload.agent }}"} takes a value of the payload.',
        render_kw={"rows": 3, "spellcheck": "false", "class": "code-input"},
    )

    @classmethod
    def of(cls, row: Trigger) -> "TriggerForm":
        """Return the form of a trigger as it is."""
        texts = {
            "event": _chosen(row),
            "about_agent_id": str(row.about_agent_id or ""),
            "match": row.match or "",
            "inputs": strictjson.dumps(row.inputs) if row.inputs else "",
            "version": str(row.version),
        }
        return cls(formdata=None, data=texts)

    def following(self) -> Following:
        """Return what was chosen.

        Raises:
            InvalidError: the inputs are no JSON object.
        """
        event, _, statuses = (self.event.data or "").partition(":")
        return Following(
            event=event,
            about_agent_id=_id(self.about_agent_id.data or ""),
            statuses=statuses.split(",") if statuses else None,
            match=(self.match.data or "").strip() or None,
            inputs=written_inputs(self.inputs.data or ""),
        )


def _chosen(row: Trigger) -> str:
    """Return the choice that a trigger is: an event, maybe with statuses."""
    return ":".join(filter(None, [row.event, ",".join(row.statuses or ())]))


@route(bp, URL, allow=VIEW, twin=True)
def index(agent_id: UUID) -> ResponseReturnValue:
    """What the agent follows, and what that started."""
    return _page(agent_id)


@route(bp, URL, allow=OPERATE, methods=("POST",), takes=(TriggerForm,))
def create(agent_id: UUID) -> ResponseReturnValue:
    """Let the agent follow an event."""
    form = TriggerForm()
    try:
        following = form.following()
        event_triggers.create(agent_id, following, by=actor(), user_id=signed_in())
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(agent_id, form, status=422)
    toast("Saved: it starts from now on.")
    return redirect_to(f"/agents/{agent_id}/triggers")


@route(bp, ONE, allow=OPERATE)
def edit(agent_id: UUID, trigger_id: UUID) -> ResponseReturnValue:
    """The form of one."""
    return _page(agent_id, editing=trigger_id)


@route(bp, ONE, allow=OPERATE, methods=("POST",), takes=(TriggerForm,))
def change(agent_id: UUID, trigger_id: UUID) -> ResponseReturnValue:
    """Change what is followed; what was changed meanwhile is shown beside what was typed."""
    form = TriggerForm()
    try:
        following, seen = form.following(), form.seen
        who: dict[str, Any] = {"by": actor(), "user_id": signed_in()}
        event_triggers.change(trigger_id, agent_id, following, seen=seen, **who)
    except InvalidError as error:
        show_issues(form, error.issues)
        return _page(agent_id, form, editing=trigger_id, status=422)
    except ConflictError:
        return _page(agent_id, form, editing=trigger_id, status=409)
    toast("Saved.")
    return redirect_to(f"/agents/{agent_id}/triggers")


@route(bp, f"{ONE}/active", allow=OPERATE, methods=("POST",), takes=("active",))
def set_active(agent_id: UUID, trigger_id: UUID) -> ResponseReturnValue:
    """Switch one on or off."""
    active = request.form.get("active") == "on"
    _find(agent_id, trigger_id)
    triggers.set_active(trigger_id, active, by=actor(), user_id=signed_in())
    toast("Switched on." if active else "Switched off: it starts nothing any more.")
    return redirect_to(f"/agents/{agent_id}/triggers")


@route(bp, f"{ONE}/delete", allow=OPERATE)
def confirm_deletion(agent_id: UUID, trigger_id: UUID) -> ResponseReturnValue:
    """Ask before one is taken away."""
    return _page(agent_id, deleting=trigger_id)


@route(bp, f"{ONE}/delete", allow=OPERATE, methods=("POST",), takes=())
def delete(agent_id: UUID, trigger_id: UUID) -> ResponseReturnValue:
    """Take one away."""
    _find(agent_id, trigger_id)
    triggers.delete(trigger_id, by=actor(), user_id=signed_in())
    toast("Deleted: it starts nothing any more.")
    return redirect_to(f"/agents/{agent_id}/triggers")


def _page(
    agent_id: UUID,
    form: TriggerForm | None = None,
    *,
    editing: UUID | None = None,
    deleting: UUID | None = None,
    status: int = 200,
) -> Response:
    named = editing or deleting
    with reading() as session:
        agent = agents.load(session, agent_id)
        one = event_triggers.find(session, named, agent_id) if named else None
        in_words = triggers.in_words(session, one) if one else ""
        rows = [
            event_triggers.told(session, one) for one in event_triggers.listed(session, agent_id)
        ]
        fired = report.fires(session, agent_id, kind="event")
        version = agents.newest(session, agent)
        hindered = unattended.obstacles(session, version, "event")
        query = select(Agent.id, Agent.name).where(
            Agent.deleted_at.is_(None), Agent.owner_id == agent.owner_id, Agent.id != agent.id
        )
        others = session.execute(query.order_by(Agent.name).limit(500)).all()
    clashes = status == CONFLICT
    form = form or (TriggerForm.of(one) if one and editing else TriggerForm(formdata=None))
    if clashes and one is not None:
        form.version.data = str(one.version)
    form.event.choices = _events(form.event.data or "")
    form.about_agent_id.choices = _abouts(others, one)
    return render(
        "triggers/index.html",
        status=status,
        twin=lambda: {"triggers": rows, "fires": fired},
        agent=agent,
        url=f"/agents/{agent.id}/triggers",
        rows=rows,
        fired=fired,
        hindered=hindered,
        form=form,
        editing=one if editing else None,
        deleting=one if deleting else None,
        in_words=in_words,
        clashes=clashes,
        may_operate=visitor().may(OPERATE) and agent.owner_id == signed_in(),
    )


def _events(chosen: str) -> list[SelectChoice]:
    """Return what can be followed, also what is chosen by several statuses."""
    choices = dict(WHEN)
    event, _, statuses = chosen.partition(":")
    known = set(statuses.split(",")) <= set(EVENTS.get(event, ()))
    if known and chosen not in choices:
        words = " or ".join(statuses.split(",")).replace("_", " ")
        choices[chosen] = f"{WHEN[event]}: {words}"
    return [SelectChoice(*each) for each in choices.items()]


def _abouts(others: Sequence[Any], one: Trigger | None) -> list[SelectChoice]:
    """Return whom it can follow, with whom this one follows if they are not listed any more."""
    choices = {"": "Any other agent"} | {str(other.id): other.name for other in others}
    if one is not None and one.about_agent_id is not None:
        choices.setdefault(str(one.about_agent_id), "An agent that is gone")
    return [SelectChoice(*each) for each in choices.items()]


def _find(agent_id: UUID, trigger_id: UUID) -> None:
    with reading() as session:
        event_triggers.find(session, trigger_id, agent_id)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        told = "Choose an agent of the list."
        raise InvalidError([Issue("E_INPUT", "/about_agent_id", told)]) from None
