"""What becomes of a time of a schedule that comes while its execution before is under way."""

from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pilot import db
from pilot.engine.life import executions, preflight, starts
from pilot.engine.status import FINAL
from pilot.engine.triggers import fires
from pilot.errors import ConflictError
from pilot.models.agent import Agent
from pilot.models.columns import NOW
from pilot.models.execution import Execution
from pilot.models.trigger import Trigger, TriggerFire

log = structlog.get_logger()

MOST_WAITING = 100


def hold(session: Session, trigger: Trigger, fire: TriggerFire) -> bool:
    """Let a fire wait for the execution before, or skip it, as the schedule says."""
    if fire.status == "waiting":
        return False
    waiting = (TriggerFire.trigger_id == trigger.id, TriggerFire.status == "waiting")
    if trigger.overlap == "cancel_previous":
        newer = {"status": "skipped", "reason": "A later time came before it could start."}
        session.execute(update(TriggerFire).where(*waiting).values(**newer))
    elif trigger.overlap == "skip":
        fire.status, fire.reason = "skipped", "The execution before was still under way."
        return True
    elif len(session.scalars(select(TriggerFire.id).where(*waiting)).all()) >= MOST_WAITING:
        fire.status, fire.reason = "skipped", f"{MOST_WAITING} fires waited already."
        return True
    fire.status, fire.reason = "waiting", "The execution before is still under way."
    return True


def in_turn(fire_id: UUID, owner_id: UUID) -> UUID:
    """Return which fire is to start when this one is due: of several the oldest."""
    with db.reading(owner_id) as session:
        fire = session.get_one(TriggerFire, fire_id)
        if fire.status != "due":
            return fire_id
        together = (
            TriggerFire.trigger_id == fire.trigger_id,
            TriggerFire.status == "due",
            TriggerFire.due_at <= NOW,
        )
        query = select(TriggerFire.id).where(*together).order_by(TriggerFire.fire_at).limit(1)
        return session.scalar(query) or fire_id


def make_room(fire_id: UUID, owner_id: UUID, setup: preflight.Setup) -> None:
    """Cancel what the schedule started before, where it is to make way for what can start.

    Raises:
        PilotError: this fire would be refused, so nothing makes way for it.
    """
    with db.reading(owner_id) as session:
        fire = session.get_one(TriggerFire, fire_id)
        trigger = session.get_one(Trigger, fire.trigger_id)
        if trigger.overlap != "cancel_previous":
            return
        before = under_way(session, trigger.id)
        agent = session.get_one(Agent, trigger.agent_id)
        if not before or fires.hindrance(session, owner_id, agent):
            return
        starts.check(session, agent.id, start_of(trigger), user_id=owner_id, setup=setup)
    for execution_id in before:
        try:
            executions.cancel(execution_id, by=fires.actor(fire), user_id=owner_id)
        except ConflictError:
            log.info("ended_meanwhile", execution=str(execution_id))


def start_of(trigger: Trigger) -> starts.Start:
    """Return what a schedule asks to start."""
    return starts.Start(inputs=trigger.inputs or {}, trigger="schedule")


def to_wait(session: Session, trigger: Trigger, fire: TriggerFire) -> bool:
    """Tell whether a fire of a locked schedule cannot start as others are before it."""
    if trigger.overlap == "allow":
        return False
    before = (
        TriggerFire.trigger_id == trigger.id,
        TriggerFire.status == "waiting",
        TriggerFire.fire_at < fire.fire_at,
    )
    waiting = session.scalar(select(TriggerFire.id).where(*before).limit(1))
    return waiting is not None or bool(under_way(session, trigger.id))


def under_way(session: Session, trigger_id: UUID) -> list[UUID]:
    """Return the executions of a schedule that have not ended."""
    query = (
        select(Execution.id)
        .join(TriggerFire, TriggerFire.execution_id == Execution.id)
        .where(TriggerFire.trigger_id == trigger_id, TriggerFire.status == "started")
        .where(Execution.status.not_in(FINAL))
    )
    return list(session.scalars(query))
