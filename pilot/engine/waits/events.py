"""Events from outside: each resolves the waits that it fits, or is kept for a day.

It is in the inbox before anybody looks who waits, and a wait is opened before anybody looks into
the inbox: so one of both sees the other. What a process that died left is looked at again by a
chore of every worker.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import audit, db, jobs, progress, strictjson
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.engine import idempotency, trail
from pilot.engine.acting import event_matches
from pilot.errors import ConflictError, InvalidError, Issue, PilotError

log = structlog.get_logger()

BY = Actor("worker")

MAX_BYTES = 256 * 1024
MAX_ID_CHARACTERS = 255  # as of an idempotency key, which may be one
MOST_KEPT = 10_000  # that nothing waited for, of one owner
MOST_AT_ONCE = 200  # waits that one look resolves; the next goes on

INSERT = text("""
INSERT INTO inbox (owner_id, source, event_id, name, payload)
VALUES (:owner, :source, :id, :name, cast(:payload AS json))
ON CONFLICT (owner_id, source, event_id) DO NOTHING RETURNING id
""")
KNOWN = text("SELECT 1 FROM inbox WHERE owner_id = :owner AND source = :source AND event_id = :id")
KEPT = text("""
SELECT count(*) FROM (SELECT 1 FROM inbox WHERE owner_id = :owner AND consumed_at IS NULL
  LIMIT :most) x
""")
COME = text("""
SELECT id, source, event_id, name, payload, received_at, consumed_at FROM inbox WHERE id = :id
""")
# Of an event that was taken, only those go on that waited when it came.
WAITS = text("""
SELECT id, execution_id, path, asked FROM wait
 WHERE owner_id = :owner AND event = :name AND resolved_at IS NULL AND consumed_at IS NULL
   AND (cast(:before AS timestamptz) IS NULL OR opened_at <= :before) ORDER BY id
""")
EARLY = text("""
SELECT i.id FROM inbox i JOIN wait w ON w.owner_id = i.owner_id AND w.event = i.name
 WHERE w.id = :wait AND i.consumed_at IS NULL
   AND i.received_at > pilot_now() - interval '24 hours' ORDER BY i.id
""")
WAIT = text("SELECT id, execution_id, path, event, asked FROM wait WHERE id = :id")
CONSUME = text("""
UPDATE resume_link SET consumed_at = pilot_now()
 WHERE execution_id = :execution AND path = :path AND used_at IS NOT NULL AND consumed_at IS NULL
 RETURNING payload, used_at
""")
OPEN = text("""
SELECT 1 FROM wait WHERE id = :wait AND resolved_at IS NULL AND consumed_at IS NULL FOR UPDATE
""")
TAKE = text("""
UPDATE inbox SET consumed_at = coalesce(consumed_at, pilot_now())
 WHERE id = :id AND (consumed_at IS NULL OR cast(:live AS boolean)) RETURNING id
""")
LOCK = text("SELECT 1 FROM execution WHERE id = :id FOR UPDATE")
RESOLVE = text("SELECT resolve_wait(:wait, cast(:resolution AS json))")
EVENT_SEEN = text("UPDATE inbox SET looked_at = pilot_now() WHERE id = :id")
WAIT_SEEN = text("UPDATE wait SET looked_at = pilot_now() WHERE id = :id")
UNLOOKED = text("SELECT kind, id, owner_id FROM unlooked_events(:most)")


@dataclass(frozen=True)
class Sent:
    """An event as it is sent; the same id of the same source counts once."""

    name: str
    payload: Any = None
    source: str = "api"
    id: str | None = None  # None: every one is new
    key: str | None = None  # idempotency key of the request


@dataclass
class Answer:
    """What became of an event."""

    id: str
    repeated: bool = False  # it came before: nothing happened
    resolved: list[dict[str, Any]] = field(default_factory=list)  # execution_id and path of each

    @property
    def kept(self) -> bool:
        """Whether nothing waited for it: it is kept for what waits later."""
        return not self.repeated and not self.resolved


def send(sent: Sent, *, by: Actor, user_id: UUID) -> Answer:
    """Take in an event of an owner and resolve the waits that it fits.

    Raises:
        InvalidError: name, id or payload cannot be taken, or the payload misfits the schema of
            every step that waits for it; those wait on. Or the key is of another event.
        ConflictError: 10,000 events are kept that nothing waited for.
    """
    _check(sent)
    event_id = sent.id or str(uuid4())
    facts = {
        "owner": user_id,
        "source": sent.source,
        "id": event_id,
        "name": sent.name,
        "payload": strictjson.dumps(sent.payload),
    }
    with transaction("event.send", user_id) as session:
        body = {"source": sent.source, "id": sent.id, "name": sent.name, "payload": sent.payload}
        if idempotency.open_request(session, user_id, sent.key, "event.send", body) is not None:
            return Answer(event_id, repeated=True)
        idempotency.keep_answer(session, user_id, sent.key, {"done": True})
        if session.execute(KNOWN, facts).first() is not None:
            return Answer(event_id, repeated=True)
        _refuse_misfit(session, sent, event_id, user_id)
        kept = session.execute(KEPT, {"owner": user_id, "most": MOST_KEPT}).scalar_one()
        if kept >= MOST_KEPT:
            raise ConflictError(f"{MOST_KEPT:,} events are kept that no step waited for: too many.")
        row = session.execute(INSERT, facts).first()
        if row is None:
            return Answer(event_id, repeated=True)
        audit.record(
            session,
            Event.EVENT_RECEIVED,
            actor=by,
            about=("event", row.id),
            owner_id=user_id,
            details={"name": sent.name, "source": sent.source, "id": event_id},
        )
    return Answer(event_id, resolved=_deliver(row.id, user_id, by))


def _check(sent: Sent) -> None:
    issues = []
    problem = event_matches.name_problem(sent.name)
    if problem:
        issues.append(Issue("event_name", "/name", problem))
    for name, value in (("source", sent.source), ("id", sent.id or "x")):
        if not (0 < len(value) <= MAX_ID_CHARACTERS and value.isprintable()):
            told = f"The {name} of an event has 1 to {MAX_ID_CHARACTERS} printable characters."
            issues.append(Issue("event_id", f"/{name}", told))
    if len(strictjson.dumps(sent.payload).encode()) > MAX_BYTES:
        told = "The payload of an event has 256 KiB at most: send where the rest is."
        issues.append(Issue("E_LIMIT", "/payload", told, expected="262144"))
    if issues:
        raise InvalidError(issues)


def _refuse_misfit(session: Session, sent: Sent, event_id: str, user_id: UUID) -> None:
    """Refuse a payload that no waiting step could take: whoever sends it can mend it."""
    root = _root(sent.name, sent.source, event_id, sent.payload)
    found: list[Issue] = []
    for wait in session.execute(WAITS, {"owner": user_id, "name": sent.name, "before": None}):
        if event_matches.holds(wait.asked, root):
            issues = event_matches.misfits(wait.asked["schema"], sent.payload)
            if not issues:
                return
            found += issues
    if found:
        raise InvalidError(list(dict.fromkeys(found)))


def _root(name: str, source: str, event_id: str, payload: Any) -> dict[str, Any]:
    return {"name": name, "source": source, "id": event_id, "payload": payload}


def look(limit: int = 500) -> int:
    """Look at what nobody has looked at: returns how many events and waits that was."""
    with transaction("event.unlooked", None) as session:
        found = session.execute(UNLOOKED, {"most": limit}).all()
    for one in found:
        try:
            if one.kind == "event":
                _deliver(one.id, one.owner_id, BY)
            else:
                _look_back(one.id, one.owner_id)
        except PilotError as error:  # the next look goes on
            log.warning("event_not_delivered", kind=one.kind, id=str(one.id), error=error.message)
    return len(found)


def _deliver(inbox_id: UUID, owner_id: UUID, by: Actor) -> list[dict[str, Any]]:
    """Resolve the waits that an event fits, each in a transaction of its own."""
    with db.reading(owner_id) as session:
        come = session.execute(COME, {"id": inbox_id}).one()
        before = come.received_at if come.consumed_at else None
        values = {"owner": owner_id, "name": come.name, "before": before}
        root = _root(come.name, come.source, come.event_id, come.payload)
        fitting = [
            one for one in session.execute(WAITS, values) if event_matches.fits(one.asked, root)
        ]
    resolved = [
        {"execution_id": one.execution_id, "path": one.path}
        for one in fitting[:MOST_AT_ONCE]
        if _resolve(one, come, owner_id, by, live=True)
    ]
    if len(fitting) <= MOST_AT_ONCE:
        with transaction("event.looked", owner_id) as session:
            session.execute(EVENT_SEEN, {"id": inbox_id})
    return resolved


def _look_back(wait_id: UUID, owner_id: UUID) -> None:
    """Give a wait what came by its link before, or the oldest kept event that it fits."""
    with db.reading(owner_id) as session:
        wait = session.execute(WAIT, {"id": wait_id}).one()
        early = session.scalars(EARLY, {"wait": wait_id}).all()
    if _use_early_link(wait, owner_id):
        return
    for inbox_id in early:
        with db.reading(owner_id) as session:
            come = session.execute(COME, {"id": inbox_id}).one()
        root = _root(come.name, come.source, come.event_id, come.payload)
        if event_matches.fits(wait.asked, root) and _resolve(wait, come, owner_id, BY, live=False):
            return
    with transaction("event.looked_back", owner_id) as session:
        session.execute(WAIT_SEEN, {"id": wait_id})


def _use_early_link(wait: Any, owner_id: UUID) -> bool:
    with transaction("event.use_link", owner_id) as session:
        session.execute(LOCK, {"id": wait.execution_id})
        if session.execute(OPEN, {"wait": wait.id}).first() is None:
            return False
        facts = {"execution": wait.execution_id, "path": wait.path}
        link = session.execute(CONSUME, facts).first()
        if link is None:
            return False
        resolution = {
            "event": wait.event,
            "payload": link.payload,
            "received_at": link.used_at.isoformat(),
        }
        settle(session, wait, resolution, {"event": wait.event, "source": "link"}, owner_id, BY)
    return True


def _resolve(wait: Any, come: Any, owner_id: UUID, by: Actor, *, live: bool) -> bool:
    """Resolve a wait by an event, if it is still open and the event still there to take."""
    with transaction("event.resolve", owner_id) as session:
        session.execute(LOCK, {"id": wait.execution_id})
        if session.execute(OPEN, {"wait": wait.id}).first() is None:
            return False
        if session.execute(TAKE, {"id": come.id, "live": live}).first() is None:
            return False
        resolution = {
            "event": come.name,
            "payload": come.payload,
            "received_at": come.received_at.isoformat(),
        }
        facts = {"event": come.name, "source": come.source, "id": come.event_id}
        settle(session, wait, resolution, facts, owner_id, by)
    return True


def settle(
    session: Session,
    wait: Any,
    resolution: dict[str, Any],
    facts: dict[str, Any],
    owner_id: UUID,
    by: Actor,
) -> None:
    """Resolve an open wait whose execution is locked, tell it and wake the execution."""
    resolving = {"wait": wait.id, "resolution": strictjson.dumps(resolution)}
    session.execute(RESOLVE, resolving)
    trail.tell(session, wait.execution_id, "wait", wait.path, facts)
    audit.record(
        session,
        Event.WAIT_RESOLVED,
        actor=by,
        about=("execution", wait.execution_id),
        owner_id=owner_id,
        details={"path": wait.path} | facts,
    )
    jobs.ring(session, wait.execution_id)
    progress.signal(session, wait.execution_id)
