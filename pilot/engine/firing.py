"""Fires what is due: a chore of every worker. The rows are the truth, so any of them may do it.

A time that has come becomes a row of its own, once; that row starts an execution in one
transaction. Whoever dies in between leaves a row that the next look takes up.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from pilot import audit, db
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.engine import executions, notices, preflight, schedules, starts, triggers
from pilot.engine.schedules import Timing
from pilot.engine.status import FINAL, ExecutionStatus
from pilot.errors import ConflictError, InvalidError, PilotError
from pilot.failpoints import failpoint
from pilot.models.agent import Agent
from pilot.models.columns import NOW
from pilot.models.execution import Execution
from pilot.models.trigger import Trigger, TriggerFire
from pilot.models.user import User

log = structlog.get_logger()

BATCH = 500
MOST_FAILURES = 10
MOST_WAITING = 100
NOTICE_DAYS = timedelta(days=3)
DUE = text("SELECT kind, id, owner_id FROM due_triggers(:n)")


def look(setup: preflight.Setup, url: str = "") -> int:
    """Do what is due and return how much that was; `url` is where people reach Pilot."""
    with db.reading(None) as session:
        found = session.execute(DUE, {"n": BATCH}).all()
    doing: dict[str, Callable[[UUID, UUID], bool]] = {
        "ended": lambda one, owner: _note_end(one, owner, url),
        "time": _come,
        "fire": lambda one, owner: _fire(one, owner, setup, url),
    }
    done = 0
    for kind, item, owner_id in found:
        try:
            done += doing[kind](item, owner_id)
        except Exception:  # the seam of one item: the others still go, this one comes again
            log.exception("trigger_failed", kind=kind, item=str(item))
        failpoint("triggers.between_items")
    return done


def _come(trigger_id: UUID, owner_id: UUID) -> bool:
    """Turn the times that have come into rows, and set the next one."""
    with transaction("triggers.come", owner_id) as session:
        row = _take(session, trigger_id)
        moment = session.scalars(select(NOW)).one()
        if row is None or not row.active or row.next_at is None or row.next_at > moment:
            return False
        timing = Timing.of(row)
        due = schedules.due(timing, row.next_at, moment)
        for fire_at in due.fires:
            _add(session, row, fire_at, schedules.lateness(timing, row.id, fire_at))
        if due.missed_at is not None:
            _add(session, row, due.missed_at, timedelta(), f"Missed, with {due.missed - 1} before.")
        row.next_at = schedules.next_after(timing, moment)
    return True


def _add(
    session: Session, row: Trigger, fire_at: datetime, late_by: timedelta, missed: str = ""
) -> None:
    session.execute(
        insert(TriggerFire)
        .values(
            owner_id=row.owner_id,
            trigger_id=row.id,
            fire_at=fire_at,
            due_at=fire_at + late_by,
            status="skipped" if missed else "due",
            reason=missed,
        )
        .on_conflict_do_nothing()
    )


def _fire(fire_id: UUID, owner_id: UUID, setup: preflight.Setup, url: str) -> bool:
    """Start the execution of one fire, or say why not."""
    _make_room(fire_id, owner_id)
    try:
        with transaction("triggers.fire", owner_id) as session:
            return _begin(session, fire_id, setup)
    except PilotError as error:
        if error.status >= 500 or isinstance(error.__cause__, DBAPIError):
            raise  # nothing is wrong with it: it is still due at the next look
        return _refuse(fire_id, owner_id, error, url)


def _begin(session: Session, fire_id: UUID, setup: preflight.Setup) -> bool:
    taken = _taken(session, fire_id)
    if taken is None:
        return False
    trigger, fire = taken
    reason = _why_not(session, trigger)
    if reason:
        fire.status, fire.reason = "skipped", reason
        _reject(session, trigger, fire, reason)
        return True
    if trigger.overlap != "allow" and _under_way(session, trigger.id):
        return _hold(session, trigger, fire)
    fire.execution_id = starts.begin(
        session,
        trigger.agent_id,
        starts.Start(inputs=trigger.inputs or {}, trigger="schedule"),
        by=_actor(trigger.id),
        user_id=trigger.owner_id,
        setup=setup,
    )
    fire.status, fire.reason = "started", ""
    audit.record(
        session,
        Event.TRIGGER_FIRED,
        actor=_actor(trigger.id),
        about=("execution", fire.execution_id),
        details={"schedule": str(trigger.id), "fire_at": fire.fire_at.isoformat()},
        owner_id=trigger.owner_id,
    )
    return True


def _why_not(session: Session, trigger: Trigger) -> str:
    """Say what keeps a schedule from firing that is no failure of it, or nothing."""
    if not session.get_one(User, trigger.owner_id).active:
        return "The account of its owner is switched off."
    agent = session.get_one(Agent, trigger.agent_id)
    if agent.deleted_at is not None:
        triggers.switch_off(session, trigger, "The agent was archived.")
        return "The agent was archived."
    return "" if agent.active else "The agent is switched off."


def _hold(session: Session, trigger: Trigger, fire: TriggerFire) -> bool:
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


def _make_room(fire_id: UUID, owner_id: UUID) -> None:
    """Cancel what the schedule started before, where it is to make way."""
    with db.reading(owner_id) as session:
        fire = session.get_one(TriggerFire, fire_id)
        trigger = session.get_one(Trigger, fire.trigger_id)
        if trigger.overlap != "cancel_previous":
            return
        before = _under_way(session, trigger.id)
    for execution_id in before:
        try:
            executions.cancel(execution_id, by=_actor(fire.trigger_id), user_id=owner_id)
        except ConflictError:
            log.info("ended_meanwhile", execution=str(execution_id))


def _under_way(session: Session, trigger_id: UUID) -> list[UUID]:
    query = (
        select(Execution.id)
        .join(TriggerFire, TriggerFire.execution_id == Execution.id)
        .where(TriggerFire.trigger_id == trigger_id, TriggerFire.status == "started")
        .where(Execution.status.not_in(FINAL))
    )
    return list(session.scalars(query))


def _refuse(fire_id: UUID, owner_id: UUID, error: PilotError, url: str) -> bool:
    """Keep why a start was refused; it counts as a failure of the schedule."""
    issues = error.issues if isinstance(error, InvalidError) else ()
    reason = ("; ".join(one.message for one in issues) or error.message)[:500]
    with transaction("triggers.refuse", owner_id) as session:
        taken = _taken(session, fire_id)
        if taken is None:
            return False
        trigger, fire = taken
        fire.status, fire.reason = "refused", reason
        _reject(session, trigger, fire, reason)
        _count(session, trigger, reason, url)
    return True


def _note_end(fire_id: UUID, owner_id: UUID, url: str) -> bool:
    """Count how the execution of a fire ended."""
    with transaction("triggers.note_end", owner_id) as session:
        taken = _taken(session, fire_id, "started")
        if taken is None:
            return False
        trigger, fire = taken
        execution = session.get_one(Execution, fire.execution_id)
        if execution.status not in FINAL:  # it is tried again
            return False
        fire.status = "ended"
        if execution.status == ExecutionStatus.FAILED:
            _count(session, trigger, str((execution.error or {}).get("message", "")), url)
        elif execution.status != ExecutionStatus.CANCELLED:
            trigger.failures = 0
    return True


def _count(session: Session, trigger: Trigger, reason: str, url: str) -> None:
    """Count a failure; after ten in a row the schedule is switched off and its owner told."""
    trigger.failures += 1
    if trigger.failures < MOST_FAILURES or not trigger.active:
        return
    agent = session.get_one(Agent, trigger.agent_id)
    told = f"{MOST_FAILURES} failures in a row."
    triggers.switch_off(session, trigger, told)
    details = {"schedule": str(trigger.id), "failures": trigger.failures, "last": reason}
    audit.record(
        session,
        Event.TRIGGER_DISABLED,
        actor=_actor(trigger.id),
        about=("agent", agent.id),
        details=details,
        owner_id=trigger.owner_id,
    )
    owner = session.get_one(User, trigger.owner_id)
    when = schedules.in_words(Timing.of(trigger))
    mail = notices.Mail(
        to=owner.email,
        subject=" ".join(f"Schedule switched off: {agent.name}".split()),
        text=f"{agent.name} failed {MOST_FAILURES} times in a row, so its schedule ({when}) was "
        f"switched off.\n\nThe last failure: {reason or 'see the execution'}\n\n"
        "Switch it on again when the cause is removed.",
        link=f"{url}/agents/{agent.id}/schedules",
    )
    expires_at = session.scalars(select(NOW)).one() + NOTICE_DAYS
    notices.queue(session, mail, owner_id=owner.id, expires_at=expires_at)


def _reject(session: Session, trigger: Trigger, fire: TriggerFire, reason: str) -> None:
    audit.record(
        session,
        Event.TRIGGER_REJECTED,
        actor=_actor(trigger.id),
        about=("agent", trigger.agent_id),
        details={
            "schedule": str(trigger.id),
            "fire_at": fire.fire_at.isoformat(),
            "reason": reason,
        },
        owner_id=trigger.owner_id,
    )


def _taken(session: Session, fire_id: UUID, *statuses: str) -> tuple[Trigger, TriggerFire] | None:
    """Return trigger and fire, both locked in this order; None: another worker is at it."""
    query = select(TriggerFire).where(TriggerFire.id == fire_id)
    seen = session.scalars(query).one()
    trigger = _take(session, seen.trigger_id)
    if trigger is None:
        return None
    fire = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()
    return (trigger, fire) if fire.status in (statuses or ("due", "waiting")) else None


def _take(session: Session, trigger_id: UUID) -> Trigger | None:
    query = select(Trigger).where(Trigger.id == trigger_id)
    return session.scalar(query.with_for_update(key_share=True, skip_locked=True))


def _actor(trigger_id: UUID) -> Actor:
    return Actor(f"schedule:{trigger_id}")
