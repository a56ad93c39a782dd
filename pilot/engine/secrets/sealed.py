"""Where sealed secrets are stored, found by the tables themselves, and sealing all of them anew.

A column named after `sealed` holds one; so does the member `sealed` of a message in the
outbox, until it is sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import audit, db, vault
from pilot.audit import Actor, Event
from pilot.db import Base
from pilot.errors import ConfigError

BATCH = 100


@dataclass(frozen=True)
class Place:
    """One column that holds sealed texts, in a table whose primary key is one column."""

    table: str
    key: str
    column: str
    member: str | None = None  # of a JSON column

    @property
    def value(self) -> str:
        """The sealed text, in SQL."""
        return f"({self.column} ->> '{self.member}')" if self.member else self.column

    @property
    def taken(self) -> str:
        """What the column is set to for another sealed text, in SQL."""
        if self.member is None:
            return ":sealed"
        new = f"jsonb_build_object('{self.member}', cast(:sealed AS text))"
        return f"cast(cast({self.column} AS jsonb) || {new} AS json)"


def places() -> list[Place]:
    """Return every place where sealed texts are stored."""
    found = [
        Place(table.name, next(iter(table.primary_key)).name, column.name)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if "sealed" in column.name.split("_")
    ]
    return [*found, Place("outbox", "id", "payload", "sealed")]


def rotate(*, by: Actor, batch: int = BATCH) -> dict[str, int]:
    """Seal everything anew with the newest key; returns how many were not, by table.

    Each batch is a transaction of its own, with its record: a run that was killed goes on where it
    stopped when it is begun again. Meanwhile both keys open.

    Raises:
        ConfigError: a secret was sealed with a key that is not known any more; the message names
            its row, and what came before stays done.
    """
    done: dict[str, int] = {}
    for place in places():
        after: str | None = ""
        while after is not None:
            after, count = _rotate_some(place, after, by, batch)
            done[place.table] = done.get(place.table, 0) + count
    return done


def _rotate_some(place: Place, after: str, by: Actor, batch: int) -> tuple[str | None, int]:
    """Seal a batch anew; returns the last row looked at, None at the end."""
    with db.transaction("secrets.rotate", by.user_id, sees_all=True) as session:
        rows = _rows(session, place, after, batch)
        older = [(key, sealed) for key, sealed in rows if not vault.is_newest(sealed)]
        update = text(
            f"UPDATE {place.table} SET {place.column} = {place.taken} "  # noqa: S608 - our columns
            f"WHERE cast({place.key} AS text) = :key"
        )
        for key, sealed in older:
            session.execute(update, {"key": key, "sealed": _again(place, key, sealed)})
        if older:
            details = {"rows": len(older), "column": place.column}
            about = ("table", place.table)
            audit.record(session, Event.SECRETS_ROTATED, actor=by, about=about, details=details)
    return (rows[-1][0] if len(rows) == batch else None), len(older)


def _rows(session: Session, place: Place, after: str, batch: int) -> list[tuple[str, str]]:
    key = f"cast({place.key} AS text)"
    query = text(
        f"SELECT {key}, {place.value} FROM {place.table} WHERE {place.value} IS NOT NULL "  # noqa: S608
        f"AND {key} > :after ORDER BY {key} LIMIT :batch FOR UPDATE"
    )
    rows = session.execute(query, {"after": after, "batch": batch})
    return [(row[0], row[1]) for row in rows]


def _again(place: Place, key: str, sealed: str) -> str:
    try:
        return vault.rotate(sealed)
    except ConfigError as error:
        raise ConfigError(f"{place.table} {key}: {error.message}") from error


def state() -> tuple[int, int, list[str]]:
    """Return how many secrets are sealed, how many with an older key, and those no key opens."""
    count, older, lost = 0, 0, []
    with db.reading(None, sees_all=True) as session:
        for place, key, sealed in _all(session):
            count += 1
            if not vault.has_keys():
                lost.append(f"{place.table} {key}")
            elif not vault.is_newest(sealed):
                older += 1
                try:
                    vault.rotate(sealed)
                except ConfigError:
                    lost.append(f"{place.table} {key}")
    return count, older, lost


def _all(session: Session) -> Iterator[tuple[Place, str, str]]:
    for place in places():
        query = text(
            f"SELECT cast({place.key} AS text), {place.value} FROM {place.table} "  # noqa: S608
            f"WHERE {place.value} IS NOT NULL ORDER BY 1"
        )
        for key, sealed in session.execute(query):
            yield place, key, sealed
