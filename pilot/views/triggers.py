"""What starts an agent besides people and times: executions of others and decisions about them."""

from uuid import UUID

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy import select
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from pilot.engine.agents import agents
from pilot.engine.life import unattended
from pilot.engine.triggers import event_triggers, triggers
from pilot.engine.triggers.event_triggers import EVENTS, Following
from pilot.errors import InvalidError, Issue
from pilot.models.agent import Agent
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

bp = Blueprint("triggers", __name__)
URL = "/agents/<uuid:agent_id>/triggers"
ONE = f"{URL}/<uuid:trigger_id>"
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


class TriggerForm(FlaskForm):  # type: ignore[misc]
    """After what the agent starts."""

    event = SelectField(
        "When", [InputRequired()], choices=[SelectChoice(*one) for one in WHEN.items()]
    )
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

    def following(self) -> Following:
        """Return what was chosen.

        Raises:
            InvalidError: the inputs are no JSON object.
        """
        event, _, status = (self.event.data or "").partition(":")
        return Following(
            event=event,
            about_agent_id=_id(self.about_agent_id.data or ""),
            statuses=[status] if status else None,
            match=(self.match.data or "").strip() or None,
            inputs=written_inputs(self.inputs.data or ""),
        )


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


@route(bp, f"{ONE}/active", allow=OPERATE, methods=("POST",), takes=("active",))
def set_active(agent_id: UUID, trigger_id: UUID) -> ResponseReturnValue:
    """Switch one on or off."""
    active = request.form.get("active") == "on"
    _find(agent_id, trigger_id)
    triggers.set_active(trigger_id, active, by=actor(), user_id=signed_in())
    toast("Switched on." if active else "Switched off: it starts nothing any more.")
    return redirect_to(f"/agents/{agent_id}/triggers")


@route(bp, f"{ONE}/delete", allow=OPERATE, methods=("POST",), takes=())
def delete(agent_id: UUID, trigger_id: UUID) -> ResponseReturnValue:
    """Take one away."""
    _find(agent_id, trigger_id)
    triggers.delete(trigger_id, by=actor(), user_id=signed_in())
    toast("Deleted: it starts nothing any more.")
    return redirect_to(f"/agents/{agent_id}/triggers")


def _page(agent_id: UUID, form: TriggerForm | None = None, *, status: int = 200) -> Response:
    with reading() as session:
        agent = agents.load(session, agent_id)
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
    form = form or TriggerForm(formdata=None)
    form.about_agent_id.choices = [
        SelectChoice("", "Any other agent"),
        *(SelectChoice(str(one.id), one.name) for one in others),
    ]
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
        may_operate=visitor().may(OPERATE) and agent.owner_id == signed_in(),
    )


def _find(agent_id: UUID, trigger_id: UUID) -> None:
    with reading() as session:
        event_triggers.find(session, trigger_id, agent_id)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        told = "Choose an agent of the list."
        raise InvalidError([Issue("E_INPUT", "/about_agent_id", told)]) from None
