"""Times of a schedule that have come: rows, before anything starts or the schedule is another.

Those that came between a backup and its restore are not caught up: they started in that time.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pilot.engine.life.restoring import MAY_HAVE_STARTED
from pilot.engine.triggers import schedules
from pilot.engine.triggers.schedules import Timing
from pilot.models.columns import NOW
from pilot.models.deployment import Deployment
from pilot.models.trigger import Trigger, TriggerFire


def note(session: Session, row: Trigger) -> bool:
    """Turn the times of a locked trigger that have come into rows, and set the next one."""
    moment = session.scalars(select(NOW)).one()
    if not row.active or row.next_at is None or row.next_at > moment:
        return False
    timing = Timing.of(row)
    due = schedules.due(timing, row.next_at, moment)
    restored_at = session.scalar(select(Deployment.restored_at))
    for fire_at in due.fires:
        if restored_at is not None and fire_at <= restored_at:
            fields = {"due_at": fire_at, "status": "skipped", "reason": MAY_HAVE_STARTED}
        else:
            fields = {"due_at": fire_at + schedules.lateness(timing, row.id, fire_at)}
        _add(session, row, fire_at=fire_at, **fields)
    if due.missed is not None:
        first, last = due.missed
        told = "Missed." if first == last else f"Missed, as all since {_local(first, timing)}."
        _add(session, row, fire_at=last, due_at=last, status="skipped", reason=told)
    row.next_at = schedules.next_after(timing, moment)
    return True


def _local(moment: datetime, timing: Timing) -> str:
    return f"{moment.astimezone(ZoneInfo(timing.zone)):%Y-%m-%d %H:%M} {timing.zone}"


def _add(session: Session, row: Trigger, **fields: object) -> None:
    values = {"owner_id": row.owner_id, "trigger_id": row.id, **fields}
    session.execute(insert(TriggerFire).values(values).on_conflict_do_nothing())
