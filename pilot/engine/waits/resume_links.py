"""What a link of one use resolves: a step that waits for an event, or will.

Who has the link need not be anybody here: its token is all that is asked for.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import audit, db, older, strictjson
from pilot.audit import Actor, Event
from pilot.engine.acting import event_matches
from pilot.engine.running import addresses
from pilot.engine.status import FINAL
from pilot.engine.waits import events
from pilot.engine.workflow.outline import outline
from pilot.errors import GoneError, InvalidError, Issue, NotFoundError

NOBODY = "There is no such link."
MAX_TOKEN_CHARACTERS = 100
FIND = text("SELECT owner_id, execution_id, path FROM find_resume_link(:hash)")
LINK = text("""
SELECT l.used_at, u.name AS person FROM resume_link l LEFT JOIN app_user u ON u.id = l.used_by
 WHERE l.token_hash = :hash FOR UPDATE OF l
""")
READ = text(LINK.text.replace("FOR UPDATE OF l", ""))
EXECUTION = text("""
SELECT e.agent_name, e.status, coalesce(e.document, v.document) AS document
  FROM execution e LEFT JOIN workflow_version v ON v.id = e.version_id WHERE e.id = :id
""")
# Of a step that is to run again as if it never had, what it waited for before is no wait.
WAIT = text("""
SELECT id, execution_id, path, event, wake_at, resolved_at IS NULL AND consumed_at IS NULL AS open
  FROM wait WHERE execution_id = :execution AND path = :path AND kind = 'event'
   AND (SELECT status FROM step_execution WHERE execution_id = :execution AND path = :path
         ORDER BY attempt DESC LIMIT 1) IS DISTINCT FROM 'replaced'
 ORDER BY id DESC LIMIT 1
""")
USE = text("""
UPDATE resume_link SET used_at = pilot_now(), used_by = :person,
       payload = CASE WHEN :early THEN cast(:payload AS json) END,
       consumed_at = CASE WHEN :early THEN NULL ELSE pilot_now() END
 WHERE token_hash = :hash RETURNING used_at
""")


@dataclass(frozen=True)
class Shown:
    """What a link is for."""

    agent_name: str
    step: str
    event: str | None  # None: the step does not wait yet
    until: datetime | None
    schema: dict[str, Any] | None  # of what is sent
    gone: str  # why it resolves nothing any more, or empty


@dataclass(frozen=True)
class _Found:
    """Where a link leads to."""

    hash: bytes
    owner_id: UUID
    execution_id: UUID
    path: str


def shown(token: str) -> Shown:
    """Return what a link is for; looking changes nothing.

    Raises:
        NotFoundError: there is no such link.
    """
    found = _find(token)
    with db.reading(found.owner_id) as session:
        link = session.execute(READ, {"hash": found.hash}).one()
        execution = session.execute(EXECUTION, {"id": found.execution_id}).one()
        wait = session.execute(WAIT, _place(found)).first()
    step = _step(older.ours(execution.document), found.path)
    waiting = wait if wait is not None and wait.open else None
    return Shown(
        agent_name=execution.agent_name,
        step=str(step.get("name") or step.get("id") or found.path),
        event=waiting.event if waiting is not None else None,
        until=waiting.wake_at if waiting is not None else None,
        schema=step.get("schema"),
        gone=_gone(link, wait, execution.status),
    )


def resolve(token: str, payload: Any, *, by: Actor) -> None:
    """Resolve the step of a link, once; one that does not wait yet goes on when it does.

    Raises:
        NotFoundError: there is no such link.
        GoneError: it was used (when, by whom), or its step does not wait any more.
        InvalidError: the payload does not fit the schema of the step, which waits on.
    """
    found = _find(token)
    with db.transaction("resume_link.resolve", found.owner_id) as session:
        session.execute(events.LOCK, {"id": found.execution_id})
        link = session.execute(LINK, {"hash": found.hash}).one()
        execution = session.execute(EXECUTION, {"id": found.execution_id}).one()
        wait = session.execute(WAIT, _place(found)).first()
        gone = _gone(link, wait, execution.status)
        if gone:
            raise GoneError(gone)
        _check(_step(older.ours(execution.document), found.path).get("schema"), payload)
        _use(session, found, wait, payload, by)


def _find(token: str) -> _Found:
    if not token.isascii() or len(token) > MAX_TOKEN_CHARACTERS:
        raise NotFoundError(NOBODY)
    hashed = addresses.hash_of(token)
    with db.reading(None) as session:
        row = session.execute(FIND, {"hash": hashed}).one_or_none()
    if row is None:
        raise NotFoundError(NOBODY)
    return _Found(hashed, row.owner_id, row.execution_id, row.path)


def _place(found: _Found) -> dict[str, Any]:
    return {"execution": found.execution_id, "path": found.path}


def _step(document: Any, path: str) -> dict[str, Any]:
    """Return the step at a recorded path as it is written: its id is the last part."""
    name = path.rpartition("/")[2]
    return next((node.step for node in outline(document) if node.id == name), {})


def _gone(link: Any, wait: Any, status: str) -> str:
    """Say why a link resolves nothing any more, or return an empty text."""
    if link.used_at is not None:
        who = f", by {link.person}" if link.person else ""
        return f"This link was used already, on {link.used_at:%Y-%m-%d %H:%M} UTC{who}."
    if wait is not None and not wait.open:
        return "The agent waits here no longer: its time ran out, or an event came."
    return "The agent has ended: nothing waits here any more." if status in FINAL else ""


def _check(schema: dict[str, Any] | None, payload: Any) -> None:
    if len(strictjson.dumps(payload).encode()) > events.MAX_BYTES:
        told = "What is sent has 256 KiB at most."
        raise InvalidError([Issue("E_LIMIT", "/payload", told, expected="262144")])
    issues = event_matches.misfits(schema, payload)
    if issues:
        raise InvalidError(issues)


def _use(session: Session, found: _Found, wait: Any, payload: Any, by: Actor) -> None:
    values = {
        "hash": found.hash,
        "person": by.user_id,
        "early": wait is None,
        "payload": strictjson.dumps(payload),
    }
    used_at = session.execute(USE, values).one().used_at
    if wait is None:
        audit.record(
            session,
            Event.EVENT_RECEIVED,
            actor=by,
            about=("execution", found.execution_id),
            owner_id=found.owner_id,
            details={"path": found.path, "source": "link"},
        )
        return
    resolution = {"event": wait.event, "payload": payload, "received_at": used_at.isoformat()}
    facts = {"event": wait.event, "source": "link"}
    events.settle(session, wait, resolution, facts, found.owner_id, by)
