"""Secrets of people: stored sealed, named by workflows, opened for the request that names them."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session, undefer

from pilot import audit, db, vault
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.egress import handles
from pilot.errors import ErrorClass, InvalidError, Issue, NotFoundError, StepError
from pilot.models.secret import Secret

SHORTEST, LONGEST = 8, 4_000
MOST_HOSTS = 20
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_HOST = re.compile(r"(?=.{1,253}(?::|$))[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9-]+)*(:[0-9]{1,5})?")
_WORD = re.compile(r"[A-Za-z]{1,15}|.*\[redacted:.*", re.DOTALL)


def put(name: str, value: str, hosts: Sequence[str], *, by: Actor, user_id: UUID) -> None:
    """Store a secret, sealed, in place of the one of that name.

    Raises:
        InvalidError: name, value or hosts have not their form; no message repeats the value.
        ConfigError: the installation has no key to seal with.
    """
    value, places = value.strip(), sorted({one.strip().lower() for one in hosts if one.strip()})
    issues = [*_name_issues(name), *_value_issues(value), *_host_issues(places)]
    if issues:
        raise InvalidError(issues)
    with transaction("secrets.put", user_id) as session:
        row = _found(session, name, user_id)
        before = None if row is None else row.hosts
        if row is None:
            row = Secret(id=_new_id(session), owner_id=user_id, name=name, version=0)
            session.add(row)
        row.version += 1
        row.hosts = places
        row.sealed = vault.seal(value, _place(row))
        row.set_at = session.scalars(text("SELECT pilot_now()")).one()
        details = {"name": name, "hosts": places, "hosts_before": before, "version": row.version}
        _record(session, Event.SECRET_SET, row.id, by, user_id, details)


def delete(name: str, *, by: Actor, user_id: UUID) -> None:
    """Forget a secret; steps that name it fail from then on.

    Raises:
        NotFoundError: there is none of that name.
    """
    with transaction("secrets.delete", user_id) as session:
        row = _found(session, name, user_id)
        if row is None or row.sealed is None:
            raise NotFoundError(f"You have no secret {name}.")
        row.sealed, row.hosts = None, []
        _record(session, Event.SECRET_DELETED, row.id, by, user_id, {"name": name})


def listed(session: Session, owner_id: UUID) -> list[Secret]:
    """Return a person's secrets by name, without their values."""
    mine = select(Secret).where(Secret.owner_id == owner_id, Secret.sealed.is_not(None))
    return list(session.scalars(mine.order_by(Secret.name)))


def opened(owner_id: UUID, names: Collection[str]) -> Mapping[str, handles.Secret]:
    """Return the secrets that one request of this owner names, for the egress client.

    Raises:
        StepError: one does not exist (class config).
        ConfigError: one cannot be opened.
    """
    wanted = select(Secret).where(Secret.owner_id == owner_id, Secret.name.in_(names))
    with db.reading(owner_id) as session:
        rows = session.scalars(wanted.options(undefer(Secret.sealed))).all()
    found = {row.name: (row, row.sealed) for row in rows if row.sealed is not None}
    missing = sorted(set(names) - found.keys())
    if missing:
        message = f"There is no secret {missing[0]}: set it under Secrets."
        raise StepError(ErrorClass.CONFIG, message, sent=False)
    return {
        name: handles.Secret(vault.open_sealed(sealed, _place(row)), frozenset(row.hosts))
        for name, (row, sealed) in found.items()
    }


def _found(session: Session, name: str, owner_id: UUID) -> Secret | None:
    query = select(Secret).where(Secret.owner_id == owner_id, Secret.name == name)
    return session.scalar(query.options(undefer(Secret.sealed)).with_for_update())


def _new_id(session: Session) -> UUID:
    """Return the id of a row that is about to be: its value is sealed for it."""
    found: UUID = session.scalars(text("SELECT uuidv7()")).one()
    return found


def _place(row: Secret) -> vault.Place:
    return vault.Place("secret", str(row.id), row.version, str(row.owner_id))


def _name_issues(name: str) -> list[Issue]:
    if _NAME.fullmatch(name):
        return []
    expected = "1 to 100 letters, digits, dots, hyphens or underscores"
    return [Issue("secret_name", "/name", f"A name has {expected}.", expected)]


def _value_issues(value: str) -> list[Issue]:
    if not SHORTEST <= len(value) <= LONGEST:
        expected = f"{SHORTEST} to {LONGEST:,} characters"
        return [Issue("secret_value", "/value", f"A secret has {expected}.", expected)]
    if not value.isascii() or not value.replace("\n", " ").isprintable():
        told = "A secret has letters, digits and signs of ASCII only: headers take no others."
        return [Issue("secret_value", "/value", told, "ASCII")]
    if _WORD.fullmatch(value):
        told = "This is a plain word, which would be hidden wherever it occurs: take a longer one."
        return [Issue("secret_value", "/value", told, "no plain word")]
    return []


def _host_issues(hosts: list[str]) -> list[Issue]:
    expected = "names such as api.example.com or localhost:8080, without https://"
    if 1 <= len(hosts) <= MOST_HOSTS and all(map(_HOST.fullmatch, hosts)):
        return []
    told = f"Name 1 to {MOST_HOSTS} hosts that may get it: {expected}."
    return [Issue("secret_hosts", "/hosts", told, expected)]


def _record(
    session: Session, event: Event, row_id: UUID, by: Actor, owner_id: UUID, details: dict[str, Any]
) -> None:
    about = ("secret", row_id)
    audit.record(session, event, actor=by, about=about, details=details, owner_id=owner_id)
