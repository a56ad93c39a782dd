"""People as a list: their roles, whether they may sign in, when they last did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine.people.users import LIVE, NOBODY
from pilot.errors import NotFoundError
from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch

SORTS = {
    "name": Sort("u.name", "text"),
    "email": Sort("u.email", "text"),
    "created": Sort("u.created_at", "timestamptz"),
}
COLUMNS = f"""
  u.id, u.email, u.name, u.roles, u.created_at,
  CASE WHEN NOT u.active THEN 'disabled' WHEN u.password_hash IS NULL THEN 'invited'
       ELSE 'active' END AS state,
  (SELECT max(s.last_seen_at) FROM user_session s WHERE s.user_id = u.id) AS last_seen_at,
  (SELECT count(*) FROM user_session s WHERE s.user_id = u.id AND {LIVE}) AS sessions"""  # noqa: S608 - constants only
SOURCE = Source(columns=COLUMNS, tables="app_user u", id="u.id", sorts=SORTS)
CONDITIONS = {
    "q": "strpos(lower(u.name), lower(:q)) > 0 OR strpos(u.email, lower(:q)) > 0",
    "role": ":role = ANY (u.roles)",
    "state": """CASE :state WHEN 'disabled' THEN NOT u.active
      WHEN 'invited' THEN u.active AND u.password_hash IS NULL
      ELSE u.active AND u.password_hash IS NOT NULL END""",
}
STATES = ("active", "invited", "disabled")
SESSIONS = f"""
SELECT created_at, last_seen_at, address, browser FROM user_session s
 WHERE user_id = :id AND {LIVE} ORDER BY last_seen_at DESC, id LIMIT 50"""  # noqa: S608 - constants


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to."""

    q: str = ""  # part of the name or the address
    role: str = ""
    state: str = ""


@dataclass(frozen=True)
class Person:
    """One person, with what an administrator may know of them."""

    id: UUID
    email: str
    name: str
    roles: Sequence[str]
    created_at: datetime
    state: str  # active, invited or disabled
    last_seen_at: datetime | None
    sessions: int  # live ones


def listed(session: Session, filters: Filters, wanted: Wanted) -> Listed:
    """Return one page of the people that match."""
    values = {name: value for name, value in vars(filters).items() if value}
    conditions = [CONDITIONS[name] for name in values]
    return fetch(session, SOURCE, conditions, values, wanted)


def one(session: Session, user_id: UUID) -> Person:
    """Return one person.

    Raises:
        NotFoundError: there is nobody with this id.
    """
    query = f"SELECT {COLUMNS} FROM app_user u WHERE u.id = :id"  # noqa: S608 - constants only
    row = session.execute(text(query), {"id": user_id}).mappings().one_or_none()
    if row is None:
        raise NotFoundError(NOBODY)
    return Person(**row)


def browsers(session: Session, user_id: UUID) -> list[dict[str, Any]]:
    """Return where a person is signed in, the newest first."""
    return [dict(row) for row in session.execute(text(SESSIONS), {"id": user_id}).mappings()]
