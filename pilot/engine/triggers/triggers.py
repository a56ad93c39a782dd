"""Triggers of agents: schedules are made and changed here, all are switched and deleted.

Events that start agents are made in `event_triggers`; what fires both is in `firing`.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from pilot import audit, strictjson
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.engine import idempotency
from pilot.engine.agents import agents
from pilot.engine.life import preflight
from pilot.engine.triggers import coming, schedules
from pilot.engine.triggers.schedules import Timing
from pilot.engine.workflow import inputs
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError, StaleError
from pilot.models.agent import Agent
from pilot.models.columns import NOW
from pilot.models.trigger import Trigger, TriggerFire

MOST_PER_AGENT = 20
SWITCHED_OFF = "The schedule was switched off."
OVER = "It is over: no time of it is left before its end."


def create(  # noqa: PLR0913 -- what it is, who makes it, and by which request
    agent_id: UUID,
    timing: Timing,
    given: dict[str, Any] | None = None,
    *,
    active: bool = True,
    key: str | None = None,
    by: Actor,
    user_id: UUID,
) -> UUID:
    """Give an agent a schedule; `given` are inputs over its saved ones. Returns its id.

    The same key makes it once.

    Raises:
        NotFoundError: there is no such agent.
        ForbiddenError: it is shared with them, but only its owner may change it.
        ConflictError: it has 20 already.
        InvalidError: the times or the inputs are not right, each named; or it never fires.
    """
    asked = {"agent": agent_id, "timing": asdict(timing), "inputs": given, "active": active}
    body = strictjson.plain(asked)
    with transaction("triggers.create", user_id) as session:
        kept = idempotency.open_request(session, user_id, key, "schedule.create", body)
        if kept is not None:
            return UUID(kept["trigger_id"])
        agent = agents.load(session, agent_id, lock=True)
        if len(listed(session, agent_id)) >= MOST_PER_AGENT:
            raise ConflictError(f"An agent has at most {MOST_PER_AGENT} schedules: delete one.")
        moment = _now(session)
        schedules.check(timing, moment)
        _check_inputs(session, agent, given)
        row = Trigger(
            owner_id=agent.owner_id,
            agent_id=agent.id,
            inputs=given,
            active=active,
            next_at=schedules.next_after(timing, moment) if active else None,
            **asdict(timing),
        )
        session.add(row)
        session.flush()
        record(session, row, by, "made")
        idempotency.keep_answer(session, user_id, key, {"trigger_id": str(row.id)})
        return row.id


def change(  # noqa: PLR0913 -- what it becomes, from what, and who changes it
    trigger_id: UUID,
    timing: Timing,
    given: dict[str, Any] | None = None,
    *,
    active: bool | None = None,
    seen: int | None = None,
    by: Actor,
    user_id: UUID,
) -> None:
    """Change when and with which inputs it fires, and whether; `seen` is the version looked at.

    Raises:
        NotFoundError: there is none.
        StaleError: it was changed meanwhile.
        InvalidError: the times or the inputs are not right, each named; or it never fires.
    """
    with transaction("triggers.change", user_id) as session:
        row = _locked(session, trigger_id, seen)
        if row.event is not None:
            raise NotFoundError("This trigger is no schedule.")
        moment = _now(session)
        schedules.check(timing, moment)
        _check_inputs(session, agents.load(session, row.agent_id), given)
        coming.note(session, row)
        for name, value in asdict(timing).items():
            setattr(row, name, value)
        row.inputs = given
        row.next_at = schedules.next_after(timing, moment) if row.active else None
        touch(session, row)
        record(session, row, by, "changed")
        if active is not None:
            _switch(session, row, active, by)


def set_active(
    trigger_id: UUID,
    active: bool,  # noqa: FBT001
    *,
    seen: int | None = None,
    by: Actor,
    user_id: UUID,
) -> None:
    """Switch a trigger on or off; switched on it counts its failures anew.

    Raises:
        NotFoundError: there is none.
        StaleError: it is not of the version `seen` any more.
        InvalidError: switched on, it would never fire.
    """
    with transaction("triggers.set_active", user_id) as session:
        _switch(session, _locked(session, trigger_id, seen), active, by)


def _switch(session: Session, row: Trigger, active: bool, by: Actor) -> None:  # noqa: FBT001
    if row.active == active:
        return
    if active:
        agents.load(session, row.agent_id)
        row.active, row.off_reason, row.failures = True, "", 0
        if row.event is None:
            moment = _now(session)
            schedules.check(Timing.of(row), moment)
            row.next_at = schedules.next_after(Timing.of(row), moment)
    else:
        switch_off(session, row, "")
    touch(session, row)
    record(session, row, by, "switched on" if active else "switched off")


def delete(trigger_id: UUID, *, seen: int | None = None, by: Actor, user_id: UUID) -> None:
    """Take a trigger away; what it started stays.

    Raises:
        NotFoundError: there is none.
        StaleError: it is not of the version `seen` any more.
    """
    with transaction("triggers.delete", user_id) as session:
        row = _locked(session, trigger_id, seen)
        row.deleted_at = _now(session)
        switch_off(session, row, "")
        record(session, row, by, "deleted")


def switch_off(session: Session, row: Trigger, reason: str) -> None:
    """Let a locked trigger fire no more, what waits included; `reason` is Pilot's own, if any."""
    coming.note(session, row)
    row.active, row.off_reason, row.next_at = False, reason, None
    session.execute(
        update(TriggerFire)
        .where(TriggerFire.trigger_id == row.id, TriggerFire.status.in_(("due", "waiting")))
        .values(status="skipped", reason=reason or SWITCHED_OFF)
    )


def find(session: Session, trigger_id: UUID, agent_id: UUID | None = None) -> Trigger:
    """Return a trigger that the session's user may see, of this agent if one is named.

    Raises:
        NotFoundError: there is none, or it is not theirs.
    """
    row = session.scalar(_query(trigger_id))
    if row is None or agent_id not in {None, row.agent_id}:
        raise NotFoundError("There is no such trigger, or it is not yours.")
    return row


def schedule(session: Session, trigger_id: UUID, agent_id: UUID | None = None) -> Trigger:
    """Return a schedule as `find` does.

    Raises:
        NotFoundError: there is none, it is not theirs, or it is no schedule.
    """
    row = find(session, trigger_id, agent_id)
    if row.event is not None:
        raise NotFoundError("This trigger is no schedule.")
    return row


def listed(session: Session, agent_id: UUID) -> Sequence[Trigger]:
    """Return the schedules of an agent, the oldest first."""
    query = select(Trigger).where(Trigger.agent_id == agent_id, Trigger.deleted_at.is_(None))
    return session.scalars(query.where(Trigger.event.is_(None)).order_by(Trigger.id)).all()


def in_words(session: Session, row: Trigger) -> str:
    """Tell when a trigger fires: at which times, or after what."""
    if row.event is None:
        return schedules.in_words(Timing.of(row))
    about = session.get(Agent, row.about_agent_id) if row.about_agent_id else None
    whose = about.name if about is not None else "any other agent"
    statuses = f": {', '.join(row.statuses)}".replace("_", " ") if row.statuses else ""
    what = "an execution" if row.event == "execution_finished" else "a decision about an execution"
    return f"after {what} of {whose}{statuses}"


def told(session: Session, row: Trigger) -> dict[str, Any]:
    """Return a schedule as the API, the command line and the page's twin tell it."""
    timing = Timing.of(row)
    upcoming = schedules.next_times(timing, _now(session)) if row.active else []
    return {
        "id": row.id,
        **asdict(timing),
        "in_words": schedules.in_words(timing),
        "inputs": row.inputs,
        "active": row.active,
        "off_reason": OVER if row.active and not upcoming else row.off_reason,
        "failures": row.failures,
        "version": row.version,
        "next_times": [one.isoformat() for one in upcoming],
    }


def _query(trigger_id: UUID) -> Select[Trigger]:
    return select(Trigger).where(Trigger.id == trigger_id, Trigger.deleted_at.is_(None))


def _locked(session: Session, trigger_id: UUID, seen: int | None) -> Trigger:
    row = session.scalar(_query(trigger_id).with_for_update(key_share=True))
    if row is None:
        raise NotFoundError("There is no such schedule, or it is not yours.")
    refuse_late(row, seen)
    return row


def refuse_late(row: Trigger, seen: int | None) -> None:
    """Refuse a change of another version than the one that was looked at.

    Raises:
        StaleError: it is.
    """
    if seen not in {None, row.version}:
        raise StaleError("It was changed meanwhile: look at it again.", {"version": row.version})


def _check_inputs(session: Session, agent: Agent, given: dict[str, Any] | None) -> None:
    """Refuse inputs that every fire would be refused for."""
    version = agents.newest(session, agent)
    if version is None or version.inputs_schema is None:
        return
    saved = preflight.saved_inputs(session, agent.id, agent.owner_id)
    complete = inputs.fill_defaults(version.inputs_schema, {**saved, **(given or {})})
    issues = inputs.check(version.inputs_schema, complete)
    if issues:
        raise InvalidError([below(issue) for issue in issues])


def below(issue: Issue) -> Issue:
    """Return an issue of inputs as one of the trigger that gives them."""
    return replace(issue, path=f"/inputs{issue.path}")


def _now(session: Session) -> datetime:
    moment: datetime = session.scalars(select(NOW)).one()
    return moment


def touch(session: Session, row: Trigger) -> None:
    """Note that a trigger is another one now than it was."""
    row.version += 1
    row.updated_at = _now(session)


def record(session: Session, row: Trigger, by: Actor, change_: str) -> None:
    """Note in the audit trail what was done to a trigger."""
    timing = {} if row.event else {"timing": strictjson.plain(asdict(Timing.of(row)))}
    details = timing | {
        "change": change_,
        "trigger": str(row.id),
        "when": in_words(session, row),
        "match": row.match,
        "inputs": row.inputs,
    }
    audit.record(
        session,
        Event.AGENT_SCHEDULE_CHANGED,
        actor=by,
        about=("agent", row.agent_id),
        details=details,
        owner_id=row.owner_id,
    )
