"""Fires what is due: a chore of every worker. The rows are the truth, so any of them may do it.

A time that has come becomes a row of its own, once; that row starts an execution in one
transaction. Whoever dies in between leaves a row that the next look takes up.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from pilot import audit, db
from pilot.audit import Event
from pilot.db import transaction
from pilot.engine.life import preflight, starts
from pilot.engine.notices import notices
from pilot.engine.status import FINAL, ExecutionStatus
from pilot.engine.triggers import coming, fires, overlaps, reactions, triggers
from pilot.errors import InvalidError, PilotError
from pilot.failpoints import failpoint
from pilot.models.agent import Agent
from pilot.models.columns import NOW
from pilot.models.execution import Execution
from pilot.models.trigger import Trigger
from pilot.models.user import User

log = structlog.get_logger()

BATCH = 500
FEW, THREADS = 4, 4
MOST_FAILURES = 10
NOTICE_DAYS = timedelta(days=3)
Begin = Callable[[Session, UUID, preflight.Setup], bool]
DUE = text("SELECT kind, id, owner_id FROM due_triggers(:n)")


def look(setup: preflight.Setup, url: str = "") -> int:
    """Do what is due and return how much that was; `url` is where people reach Pilot."""
    with db.reading(None) as session:
        found = session.execute(DUE, {"n": BATCH}).all()
    doing: dict[str, Callable[[UUID, UUID], bool]] = {
        "ended": lambda one, owner: _note_end(one, owner, url),
        "time": _come,
        "fire": lambda one, owner: _by_time(one, owner, setup, url),
        "event": lambda one, owner: _fire(one, owner, setup, url, reactions.begin),
    }

    def do(row: Any) -> bool:
        try:
            return doing[row.kind](row.id, row.owner_id)
        except Exception:  # the seam of one item: the others still go, this one comes again
            log.exception("trigger_failed", kind=row.kind, item=str(row.id))
            return False
        finally:
            failpoint("triggers.between_items")

    if len(found) < FEW:
        return sum(map(do, found))
    with ThreadPoolExecutor(THREADS, thread_name_prefix="fire") as pool:  # many at one minute
        return sum(pool.map(do, found))


def _come(trigger_id: UUID, owner_id: UUID) -> bool:
    with transaction("triggers.come", owner_id) as session:
        row = fires.take(session, trigger_id)
        return row is not None and coming.note(session, row)


def _by_time(fire_id: UUID, owner_id: UUID, setup: preflight.Setup, url: str) -> bool:
    first = overlaps.in_turn(fire_id, owner_id)
    try:
        overlaps.make_room(first, owner_id, setup)
    except PilotError as error:
        return _refuse(first, owner_id, error, url)
    return _fire(first, owner_id, setup, url, _begin)


def _fire(fire_id: UUID, owner_id: UUID, setup: preflight.Setup, url: str, begin: Begin) -> bool:
    """Start the execution of one fire, or say why not."""
    try:
        with transaction("triggers.fire", owner_id) as session:
            return begin(session, fire_id, setup)
    except PilotError as error:
        return _refuse(fire_id, owner_id, error, url)


def _begin(session: Session, fire_id: UUID, setup: preflight.Setup) -> bool:
    trigger, fire = fires.taken(session, fire_id, "due", "waiting") or (None, None)
    if trigger is None or fire is None:
        return False
    agent = session.get_one(Agent, trigger.agent_id)
    hindrance = fires.hindrance(session, trigger.owner_id, agent)
    if hindrance:
        fires.reject(session, fire, "skipped", hindrance)
        if agent.deleted_at is not None:
            triggers.switch_off(session, trigger, hindrance)
        return True
    if overlaps.to_wait(session, trigger, fire):
        return overlaps.hold(session, trigger, fire)
    fire.execution_id = starts.begin(
        session,
        trigger.agent_id,
        overlaps.start_of(trigger),
        by=fires.actor(fire),
        user_id=trigger.owner_id,
        setup=setup,
    )
    fires.record_start(session, fire)
    return True


def _refuse(fire_id: UUID, owner_id: UUID, error: PilotError, url: str) -> bool:
    """Keep why a start was refused; it counts as a failure of the trigger.

    Raises:
        PilotError: nothing is wrong with it: it is still due at the next look.
    """
    if error.status >= 500 or isinstance(error.__cause__, DBAPIError):
        raise error
    issues = error.issues if isinstance(error, InvalidError) else ()
    reason = ("; ".join(one.message for one in issues) or error.message)[:500]
    with transaction("triggers.refuse", owner_id) as session:
        taken = fires.taken(session, fire_id, "due", "waiting")
        if taken is None:
            return False
        trigger, fire = taken
        fires.reject(session, fire, "refused", reason)
        if trigger is not None:
            _count(session, trigger, reason, url)
    return True


def _note_end(fire_id: UUID, owner_id: UUID, url: str) -> bool:
    """Count how the execution of a fire ended."""
    with transaction("triggers.note_end", owner_id) as session:
        taken = fires.taken(session, fire_id, "started")
        if taken is None:
            return False
        trigger, fire = taken
        execution = session.get_one(Execution, fire.execution_id)
        if execution.status not in FINAL:  # it is tried again
            return False
        fire.status = "ended"
        if trigger is None or execution.status == ExecutionStatus.CANCELLED:
            return True
        if execution.status == ExecutionStatus.FAILED:
            _count(session, trigger, str((execution.error or {}).get("message", "")), url)
        else:
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
    details = {"trigger": str(trigger.id), "failures": trigger.failures, "last": reason}
    audit.record(
        session,
        Event.TRIGGER_DISABLED,
        actor="worker",
        about=("agent", agent.id),
        details=details,
        owner_id=trigger.owner_id,
    )
    owner = session.get_one(User, trigger.owner_id)
    when = triggers.in_words(session, trigger)
    mail = notices.Mail(
        to=owner.email,
        subject="".join(one for one in f"Switched off: {agent.name} {when}" if one.isprintable()),
        text=f"{agent.name} failed {MOST_FAILURES} times in a row, so its start {when} "
        f"was switched off.\n\nThe last failure: {reason or 'see the execution'}\n\n"
        "Switch it on again when the cause is removed.",
        link=f"{url}/agents/{agent.id}/{'triggers' if trigger.event else 'schedules'}",
    )
    expires_at = session.scalars(select(NOW)).one() + NOTICE_DAYS
    notices.queue(session, mail, owner_id=owner.id, expires_at=expires_at)
