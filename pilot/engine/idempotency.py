"""Repeated requests: the same key and body get the same answer, for 24 h."""

import hashlib
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import strictjson
from pilot.errors import InvalidError, Issue

MAX_KEY_CHARACTERS = 255
# Whether the answer repeats an earlier one; who answers sets it to False before.
replayed: ContextVar[bool] = ContextVar("replayed", default=False)
INSERT = text(
    "INSERT INTO request_key (owner_id, key, route, request_hash) VALUES (:o, :k, :r, :h) "
    "ON CONFLICT DO NOTHING RETURNING key"
)
EXPIRE = text(
    "DELETE FROM request_key WHERE owner_id = :o AND key = :k "
    "AND created_at < pilot_now() - interval '24 hours'"
)
READ = text("SELECT route, request_hash, answer FROM request_key WHERE owner_id = :o AND key = :k")
KEEP = text("UPDATE request_key SET answer = cast(:a AS json) WHERE owner_id = :o AND key = :k")


def open_request(
    session: Session, owner_id: UUID, key: str | None, route: str, body: Any
) -> dict[str, Any] | None:
    """Return the kept answer of an equal request, or None: then this one does the work.

    A second request with the same key waits here until the first has committed.

    Raises:
        InvalidError: the key is too long, or was used elsewhere or with another body.
    """
    if key is None:
        return None
    if len(key) > MAX_KEY_CHARACTERS:
        raise InvalidError([Issue("E_LIMIT", "/key", "The key has more than 255 characters.")])
    digest = hashlib.sha256(strictjson.canonical(body).encode()).hexdigest()
    session.execute(EXPIRE, {"o": owner_id, "k": key})
    facts = {"o": owner_id, "k": key, "r": route, "h": digest}
    if session.execute(INSERT, facts).first() is not None:
        return None
    row = session.execute(READ, {"o": owner_id, "k": key}).one()
    if (row.route, row.request_hash) != (route, digest):
        text_ = "This key was used for another request: take a new key."
        raise InvalidError([Issue("idempotency_key_reused", "/key", text_)])
    replayed.set(True)
    answer: dict[str, Any] = row.answer
    return answer


def keep_answer(session: Session, owner_id: UUID, key: str | None, answer: dict[str, Any]) -> None:
    """Keep the answer of a keyed request in the transaction of its work."""
    if key is not None:
        session.execute(KEEP, {"o": owner_id, "k": key, "a": strictjson.dumps(answer)})
