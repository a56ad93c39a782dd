"""Keys of persons: what the audit trail says of them is sealed, and is gone once the key is.

The chains hash what is stored, so they verify with and without the key.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pilot import ciphers
from pilot.models.user import PersonKey

FIELDS = frozenset({"address", "to"})  # of a record's details: where they were, their mail address
PREFIX = "sealed:"
ERASED = "[erased]"

ENSURE = text("""
INSERT INTO person_key (user_id, key) SELECT id, :key FROM app_user WHERE id = :user
ON CONFLICT DO NOTHING
""")
BY_EMAIL = text("SELECT id FROM app_user WHERE email = lower(:email)")


def seal_fields(
    session: Session, details: Mapping[str, Any], user_id: UUID | None
) -> dict[str, Any]:
    """Return details with their personal texts sealed.

    An address of the net belongs to `user_id`, a mail address to who has it; what belongs to
    nobody here stays.
    """
    return {
        name: _sealed(session, name, value, user_id) if name in FIELDS else value
        for name, value in details.items()
    }


def _sealed(session: Session, name: str, value: Any, user_id: UUID | None) -> Any:
    if not isinstance(value, str):
        return value
    owner = session.scalar(BY_EMAIL, {"email": value}) if name == "to" else user_id
    key = _key(session, owner) if owner else None
    if key is None:
        return value
    return f"{PREFIX}{owner}:{ciphers.seal(value, key)}"


def _key(session: Session, user_id: UUID) -> str | None:
    """Return a person's key, made now if they have none; None: there is no such person."""
    query = select(PersonKey.key).where(PersonKey.user_id == user_id)
    found = session.scalar(query)
    if found is None:
        session.execute(ENSURE, {"key": ciphers.new_key(), "user": user_id})
        found = session.scalar(query)
    return found


def open_fields(session: Session, found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return details with what is sealed opened; `[erased]` where its person was erased."""
    listed = list(found)
    owners = {_owner(one[name]) for one in listed for name in FIELDS & one.keys()} - {None}
    rows = session.execute(
        select(PersonKey.user_id, PersonKey.key).where(PersonKey.user_id.in_(owners))
    ).all()
    keys = {str(user_id): key for user_id, key in rows}
    return [
        {name: _opened(value, keys) if name in FIELDS else value for name, value in one.items()}
        for one in listed
    ]


def _owner(value: Any) -> str | None:
    is_sealed = isinstance(value, str) and value.startswith(PREFIX)
    return value.split(":", 2)[1] if is_sealed else None


def _opened(value: Any, keys: Mapping[str, str]) -> Any:
    owner = _owner(value)
    if owner is None:
        return value
    try:
        return ciphers.open_sealed(value.split(":", 2)[2], [keys[owner]])
    except (KeyError, IndexError, ciphers.NotOpenedError):
        return ERASED
