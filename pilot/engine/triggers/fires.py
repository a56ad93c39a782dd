"""Fires: taken by one worker at a time, and what is recorded of each."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import audit
from pilot.audit import Actor, Event
from pilot.models.agent import Agent
from pilot.models.trigger import Trigger, TriggerFire
from pilot.models.user import User

Taken = tuple[Trigger | None, TriggerFire]


def take(session: Session, trigger_id: UUID) -> Trigger | None:
    """Return a locked trigger; None: another worker is at it."""
    query = select(Trigger).where(Trigger.id == trigger_id)
    return session.scalar(query.with_for_update(key_share=True, skip_locked=True))


def taken(session: Session, fire_id: UUID, *statuses: str) -> Taken | None:
    """Return trigger and fire, locked in this order, if the fire has one of these statuses."""
    query = select(TriggerFire).where(TriggerFire.id == fire_id)
    seen = session.scalars(query).one()
    trigger = take(session, seen.trigger_id) if seen.trigger_id else None
    if seen.trigger_id and trigger is None:
        return None
    locked = query.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    fire = session.scalar(locked)
    return (trigger, fire) if fire is not None and fire.status in statuses else None


def hindrance(session: Session, owner_id: UUID, agent: Agent) -> str:
    """Say what keeps an agent from being started by itself that is no failure, or nothing."""
    if not session.get_one(User, owner_id).active:
        return "The account of its owner is switched off."
    if agent.deleted_at is not None:
        return "The agent was archived."
    return "" if agent.active else "The agent is switched off."


def actor(fire: TriggerFire) -> Actor:
    """Return who acts in the audit trail."""
    return Actor(f"{fire.kind}:{fire.trigger_id or fire.cause_execution_id}")


def record_start(session: Session, fire: TriggerFire) -> None:
    """Note that a fire started its execution."""
    fire.status, fire.reason = "started", ""
    audit.record(
        session,
        Event.TRIGGER_FIRED,
        actor=actor(fire),
        about=("execution", fire.execution_id),
        details=_details(fire),
        owner_id=fire.owner_id,
    )


def reject(session: Session, fire: TriggerFire, status: str, reason: str) -> None:
    """Note why a fire started nothing: it was skipped or refused."""
    fire.status, fire.reason = status, reason
    audit.record(
        session,
        Event.TRIGGER_REJECTED,
        actor=actor(fire),
        about=("fire", fire.id),
        details=_details(fire) | {"reason": reason},
        owner_id=fire.owner_id,
    )


def _details(fire: TriggerFire) -> dict[str, Any]:
    return {
        "kind": fire.kind,
        "trigger": fire.trigger_id,
        "cause": fire.cause,
        "at": fire.fire_at.isoformat(),
    }
