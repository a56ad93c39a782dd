"""Providers of models: where they are, and their keys, which are stored sealed and never shown.

Only `connection` opens a key; what it returns goes into the model that is asked, to no page.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from pilot import audit, db, vault
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.errors import InvalidError, Issue, NotFoundError
from pilot.models.provider import Provider

SHORTEST, LONGEST = 8, 500
ENDING = 4  # characters of a key that pages may show
CHANGEABLE = ("base_url", "enabled", "organisation", "project")


def set_key(name: str, key: str, *, by: Actor) -> None:
    """Store the key of a provider, sealed, in place of the one before; its first switches it on.

    Raises:
        InvalidError: no key has this form; the message does not repeat it.
        NotFoundError: there is no such provider.
        ConfigError: the installation has no key to seal with.
    """
    text = key.strip()
    if not SHORTEST <= len(text) <= LONGEST or not text.isascii() or not text.isprintable():
        expected = f"{SHORTEST} to {LONGEST} characters without blanks inside"
        raise InvalidError([Issue("key", "/key", f"A key has {expected}.", expected)])
    if " " in text:
        raise InvalidError([Issue("key", "/key", "A key has no blanks inside.", "no blanks")])
    with transaction("providers.set_key", by.user_id) as session:
        row = _locked(session, name)
        before = {"was_set": row.sealed is not None, "was_enabled": row.enabled}
        row.enabled = row.enabled or row.key_version == 0
        row.key_version += 1
        row.sealed = vault.seal(text, _place(row))
        row.key_ending = text[-min(ENDING, len(text) // 4) :]
        row.key_set_at = db.now()
        _record(session, Event.PROVIDER_KEY_SET, row, by, {**before, "version": row.key_version})


def remove_key(name: str, *, by: Actor) -> None:
    """Forget the key of a provider.

    Raises:
        NotFoundError: there is no such provider, or it has no key.
    """
    with transaction("providers.remove_key", by.user_id) as session:
        row = _locked(session, name)
        if row.sealed is None:
            raise NotFoundError(f"{row.label} has no key.")
        row.sealed = row.key_ending = row.key_set_at = None
        _record(session, Event.PROVIDER_KEY_REMOVED, row, by, {"version": row.key_version})


def change(name: str, given: Mapping[str, Any], *, by: Actor) -> None:
    """Change where a provider is, whether it is asked, or the organisation and project it bills.

    Another address needs the key again: it must not be sent to an address it was not given for.

    Raises:
        InvalidError: an unknown member, or an address that is no http(s) URL.
        NotFoundError: there is no such provider.
    """
    issues = [issue for key, value in given.items() for issue in _issues(key, value)]
    if issues:
        raise InvalidError(issues)
    with transaction("providers.change", by.user_id) as session:
        row = _locked(session, name)
        before = {key: getattr(row, key) for key in given}
        for key, value in given.items():
            setattr(row, key, value.rstrip("/") if key == "base_url" else value)
        changed = {key: getattr(row, key) for key in given if getattr(row, key) != before[key]}
        if not changed:
            return
        if "base_url" in changed:
            row.sealed = row.key_ending = row.key_set_at = None
        details = {"before": {key: before[key] for key in changed}, "after": changed}
        _record(session, Event.PROVIDER_CHANGED, row, by, details)


def connection(session: Session, name: str) -> dict[str, str]:
    """Return what a request to this provider needs, its key among it.

    Raises:
        ConfigError: its key cannot be opened.
    """
    row = session.get_one(Provider, name, options=[undefer(Provider.sealed)])
    found = {"base_url": row.base_url}
    if row.flags.get("keyless"):
        found["key"] = "none"  # the protocol wants a text
    if row.sealed is not None:
        found["key"] = vault.open_sealed(row.sealed, _place(row))
    optional = {
        "allow": _opened(row.base_url),
        "organisation": row.organisation,
        "project": row.project,
    }
    return found | {key: value for key, value in optional.items() if value}


def _locked(session: Session, name: str) -> Provider:
    query = (
        select(Provider)
        .where(Provider.name == name)
        .options(undefer(Provider.sealed))
        .with_for_update()
    )
    row = session.scalar(query)
    if row is None:
        known = ", ".join(session.scalars(select(Provider.name).order_by(Provider.name)))
        raise NotFoundError(f"There is no provider {name!r}. Known: {known}.")
    return row


def _place(row: Provider) -> vault.Place:
    return vault.Place("provider", row.name, row.key_version)


def _issues(key: str, value: Any) -> list[Issue]:
    path = f"/{key}"
    if key not in CHANGEABLE:
        expected = ", ".join(CHANGEABLE)
        return [Issue("provider_field", path, f"{key} cannot be changed.", expected)]
    if key == "enabled":
        wrong = type(value) is not bool
        return (
            [Issue("provider_field", path, "enabled is on or off.", "on or off")] if wrong else []
        )
    if key == "base_url":
        return address_issues(value)
    good = value is None or (isinstance(value, str) and len(value) <= LONGEST)
    return [] if good else [Issue("provider_field", path, f"{key} is a short text.", "a text")]


def address_issues(value: Any) -> list[Issue]:
    """Return what is wrong with the address of a provider.

    A key travels there: in the clear only within this machine or a private network.
    """
    parts = _address(value) if isinstance(value, str) else None
    if parts is None:
        expected = "an address such as https://api.example.com/v1"
        return [Issue("provider_url", "/base_url", f"Give {expected}.", expected)]
    if parts.scheme == "http" and not _is_private(parts.hostname or ""):
        text = "Keys would travel in the clear: use https://, or an address of a private network."
        return [Issue("provider_url", "/base_url", text, "https://")]
    return []


def _address(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        known = parts.port is None or parts.port > 0
    except ValueError:
        return None
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    good = parts.scheme in {"http", "https"} and bool(parts.hostname) and plain and known
    return parts if good else None


def _is_private(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost" or "." not in host


def _opened(base_url: str) -> str:
    """Return `host:port` of an address in a private network, which an administrator gave: it opens.

    Addresses of the link itself stay closed: clouds answer there with secrets of the machine.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if not _is_private(host) or _is_of_the_link(host):
        return ""
    written = f"[{host}]" if ":" in host else host
    return f"{written}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _is_of_the_link(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_link_local


def _record(
    session: Session, event: Event, row: Provider, by: Actor, details: dict[str, Any]
) -> None:
    audit.record(session, event, actor=by, about=("provider", row.name), details=details)
