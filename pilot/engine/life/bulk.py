"""One action for all executions that match a filter, however many.

Which ones is fixed in rows in the moment it is asked for. Workers take them in turn, each in one
transaction with what the action changes: a crash loses none of them and does none twice.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from pilot import audit, db, strictjson
from pilot.audit import Actor, Event
from pilot.engine import idempotency, trail
from pilot.engine.life import executions, retrying
from pilot.engine.people.new_user import Role
from pilot.engine.status import CANCELLABLE, PAUSABLE, RESUMABLE, RETRYABLE, ExecutionStatus
from pilot.errors import ConflictError, ForbiddenError, InvalidError, Issue, PilotError
from pilot.failpoints import failpoint
from pilot.models.bulk import Bulk
from pilot.models.user import User

log = structlog.get_logger()

MOST = 50_000
BULKS, ITEMS, THREADS = 20, 25, 4  # of one look: short, so that a worker may leave
MOST_TRIES = 5
FIRST = datetime(2000, 1, 1, tzinfo=UTC)  # nothing is older, and no zone leads out of the calendar
NO_RIGHT = "Who asked for this may not act on executions any more."


class Action(StrEnum):
    """What is done with each."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"


ALLOWED: Mapping[Action, frozenset[ExecutionStatus]] = {
    Action.CANCEL: CANCELLABLE,
    Action.PAUSE: PAUSABLE,
    Action.RESUME: RESUMABLE,
    Action.RETRY: RETRYABLE,
}
ACTS: Mapping[Action, Callable[[Session, UUID, Actor], None]] = {
    Action.CANCEL: executions.cancel_in,
    Action.PAUSE: executions.pause_in,
    Action.RESUME: executions.resume_in,
    Action.RETRY: retrying.failed_in,
}
# A condition over `execution e` in SQL, and its values.
Matching = Callable[[Session], tuple[str, Mapping[str, Any]]]

FIX = """
INSERT INTO bulk_item (bulk_id, execution_id, owner_id)
SELECT cast(:bulk_id AS uuid), e.id, cast(:asker AS uuid) FROM execution e
 WHERE ({condition}) AND e.created_at <= cast(:bulk_as_of AS timestamptz) LIMIT :bulk_most
"""
DUE = text("SELECT * FROM due_bulk_items(:bulks, :items)")
TAKE = text("""
SELECT 1 FROM bulk_item WHERE bulk_id = :bulk AND execution_id = :execution AND status = 'open'
   FOR UPDATE SKIP LOCKED
""")
END = text("""
UPDATE bulk_item SET status = :status, reason = :reason, ended_at = pilot_now()
 WHERE bulk_id = :bulk AND execution_id = :execution AND status = 'open'
""")
PUT_OFF = text("""
UPDATE bulk_item SET tries = tries + 1, reason = :reason,
       due_at = pilot_now() + make_interval(secs => 2 * (tries + 1)),
       status = CASE WHEN tries + 1 < :most THEN 'open' ELSE 'failed' END,
       ended_at = CASE WHEN tries + 1 < :most THEN NULL ELSE pilot_now() END
 WHERE bulk_id = :bulk AND execution_id = :execution AND status = 'open'
""")
FINISH = text("""
UPDATE bulk SET finished_at = pilot_now() WHERE id = :bulk AND finished_at IS NULL
   AND NOT EXISTS (SELECT 1 FROM bulk_item WHERE bulk_id = :bulk AND status = 'open')
""")


@dataclass(frozen=True)
class Asked:
    """What somebody wants done, and with which executions."""

    action: Action
    matching: Matching
    filters: Mapping[str, Any]  # what `matching` was made of, for people
    as_of: datetime | None = None  # what was created later is not meant; None: now
    previewed: int | None = None  # so many matched when they looked: more are not agreed to


def begin(
    asked: Asked,
    *,
    by: Actor,
    user_id: UUID,
    sees_all: bool = False,
    key: str | None = None,
) -> UUID:
    """Fix which executions match now, for workers to act on each; return the id of this request.

    Raises:
        ForbiddenError: the person may not act on executions.
        InvalidError: nothing matches, or more than `MOST`.
        ConflictError: more match than when they looked.
    """
    facts = {"action": str(asked.action), "filters": strictjson.plain(asked.filters)}
    told = facts | {"previewed": asked.previewed}
    body = told | {"as_of": strictjson.plain(asked.as_of)}
    with db.transaction("bulk.begin", user_id, sees_all=sees_all) as session:
        kept = idempotency.open_request(session, user_id, key, "execution.bulk", body)
        if kept is not None:
            return UUID(kept["bulk"])
        _may(session, user_id, sees_all=sees_all)
        now = trail.now(session)
        row = Bulk(
            **told,
            owner_id=user_id,
            sees_all=sees_all,
            actor={"name": by.name, "request_id": by.request_id, "token": by.token},
            as_of=min(max(asked.as_of or now, FIRST), now),
        )
        session.add(row)
        session.flush()
        row.matched = _fix(session, row, asked.matching)
        _check(row.matched, asked.previewed)
        audit.record(
            session,
            Event.PILOT_BULK_STARTED,
            actor=by,
            about=("bulk", row.id),
            details=told | {"matched": row.matched, "as_of": row.as_of.isoformat()},
            owner_id=user_id,
        )
        idempotency.keep_answer(session, user_id, key, {"bulk": str(row.id)})
        return row.id


def _fix(session: Session, row: Bulk, matching: Matching) -> int:
    condition, values = matching(session)
    own = {"bulk_id": row.id, "asker": row.owner_id, "bulk_as_of": row.as_of}
    fix = text(FIX.format(condition=condition))
    return db.changed_rows(session, fix, {**values, **own, "bulk_most": MOST + 1})


def _check(matched: int, previewed: int | None) -> None:
    if not matched:
        raise InvalidError([Issue("bulk_empty", "/filters", "No execution matches.")])
    if matched > MOST:
        message = f"More than {MOST:,} executions match: narrow the filter."
        raise InvalidError([Issue("E_LIMIT", "/filters", message)])
    if previewed is not None and matched > previewed:
        raise ConflictError(
            f"{matched:,} executions match now, {previewed:,} when you looked: look again."
        )


def _may(session: Session, user_id: UUID, *, sees_all: bool) -> None:
    """Raise ForbiddenError if a person may not act on executions, or not on those of all."""
    query = select(User.active, User.roles).where(User.id == user_id)
    person = session.execute(query).one_or_none()
    needed = {Role.ADMIN} if sees_all else {Role.ADMIN, Role.OPERATOR}
    if person is None or not person.active or not needed.intersection(person.roles):
        raise ForbiddenError(NO_RIGHT)


def look() -> int:
    """Act on some of the executions of each open request; return how many there were."""
    with db.reading(None) as session:
        found = session.execute(DUE, {"bulks": BULKS, "items": ITEMS}).all()
    due = [one for one in found if one.execution_id is not None]
    if due:
        with ThreadPoolExecutor(THREADS, thread_name_prefix="bulk") as pool:
            list(pool.map(_act, due))
    for one in found:
        if one.execution_id is None:
            _finish(one)
    return len(due)


def _act(one: Any) -> None:
    """Act on one execution, or say why not; what only came at a bad moment is tried again."""
    by = Actor(one.actor["name"], None, one.actor["request_id"], one.actor["token"])
    try:
        with db.transaction("bulk.act", one.owner_id, sees_all=one.sees_all) as session:
            if session.scalar(TAKE, _which(one)) is None:
                return  # another worker is at it
            _may(session, one.owner_id, sees_all=one.sees_all)
            ACTS[one.action](session, one.execution_id, by)
            session.flush()
            db.act_as(session, one.owner_id, sees_all=one.sees_all)  # where it was shared with them
            session.execute(END, _which(one) | {"status": "done", "reason": ""})
    except PilotError as error:
        if error.status >= 500:
            raise  # nothing is wrong with it: it is still due at the next look
        if isinstance(error.__cause__, DBAPIError):
            _put_off(one, error.message)
        else:
            _skip(one, error.message)
    except Exception as error:  # the seam of one item: the others still go, this one comes again
        log.exception("bulk_item_failed", bulk=str(one.bulk_id), execution=str(one.execution_id))
        _put_off(one, f"A fault of Pilot's own ({type(error).__name__}): see the worker's log.")
    finally:
        failpoint("bulk.between_items")


def _which(one: Any) -> dict[str, Any]:
    return {"bulk": one.bulk_id, "execution": one.execution_id}


def _skip(one: Any, reason: str) -> None:
    with db.transaction("bulk.skip", one.owner_id, sees_all=one.sees_all) as session:
        session.execute(END, _which(one) | {"status": "skipped", "reason": reason[:500]})


def _put_off(one: Any, reason: str) -> None:
    with db.transaction("bulk.put_off", one.owner_id, sees_all=one.sees_all) as session:
        session.execute(PUT_OFF, _which(one) | {"reason": reason[:500], "most": MOST_TRIES})


def _finish(one: Any) -> None:
    with db.transaction("bulk.finish", one.owner_id, sees_all=one.sees_all) as session:
        session.execute(FINISH, {"bulk": one.bulk_id})
