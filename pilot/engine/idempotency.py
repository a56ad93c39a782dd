"""Repeated requests: the same key and body get the same answer, for 24 h."""

import hashlib
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from psycopg.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from pilot import db, strictjson
from pilot.errors import InProgressError, InvalidError, Issue

MAX_KEY_CHARACTERS = 255
# Whether the answer repeats an earlier one; who answers sets it to False before.
replayed: ContextVar[bool] = ContextVar("replayed", default=False)
# A key that an open transaction holds is waited for, less long than for other locks. Once it is
# free it is ours, and the rest of the transaction waits as usual; or it is answered, and no lock
# follows.
INSERT = text("""
INSERT INTO request_key (owner_id, key, route, request_hash)
SELECT :o, :k, :r, :h FROM set_config('lock_timeout', '2s', true)
ON CONFLICT DO NOTHING RETURNING set_config('lock_timeout', :usual, true)
""")
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

    A second request with the same key waits here until the first has committed, 2 s at most. Of
    one that was rolled back, or whose process died, nothing is left.

    Raises:
        InvalidError: the key is too long, or was used elsewhere or with another body.
        InProgressError: the first is still being worked on.
    """
    if key is None:
        return None
    if len(key) > MAX_KEY_CHARACTERS:
        raise InvalidError([Issue("E_LIMIT", "/key", "The key has more than 255 characters.")])
    digest = hashlib.sha256(strictjson.canonical(body).encode()).hexdigest()
    session.execute(EXPIRE, {"o": owner_id, "k": key})
    if _take(session, {"o": owner_id, "k": key, "r": route, "h": digest}):
        return None
    row = session.execute(READ, {"o": owner_id, "k": key}).one()
    if (row.route, row.request_hash) != (route, digest):
        text_ = "This key was used for another request: take a new key."
        raise InvalidError([Issue("idempotency_key_reused", "/key", text_)])
    replayed.set(True)
    answer: dict[str, Any] = row.answer
    return answer


def _take(session: Session, facts: dict[str, Any]) -> bool:
    """Return whether the key was free."""
    try:
        return session.execute(INSERT, facts | {"usual": db.LOCK_TIMEOUT}).first() is not None
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable):
            raise InProgressError("The same request is still being worked on.") from error
        raise


def keep_answer(session: Session, owner_id: UUID, key: str | None, answer: dict[str, Any]) -> None:
    """Keep the answer of a keyed request in the transaction of its work."""
    if key is not None:
        kept = strictjson.dumps(strictjson.plain(answer))
        session.execute(KEEP, {"o": owner_id, "k": key, "a": kept})
