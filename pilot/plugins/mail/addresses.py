"""E-mail addresses: which are valid, and which are delivered on this machine."""

import re
from email.utils import parseaddr
from urllib.parse import quote

# Reserved by RFC 2606 and RFC 6761: nobody outside can own an address there.
_RESERVED = ("localhost", "test", "example", "invalid", "example.com", "example.org", "example.net")
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9-]{1,63}")


def is_reserved(address: str) -> bool:
    """Say whether the domain of an address is reserved for tests."""
    domain = address.rpartition("@")[2].lower()
    return any(domain == name or domain.endswith(f".{name}") for name in _RESERVED)


def is_local(address: str, owner_email: str) -> bool:
    """Say whether mail to this address is delivered on this machine."""
    return address.casefold() == owner_email.casefold() or is_reserved(address)


def normal(text: str) -> str:
    """Return the bare address in `text`, which may be "Ann <ann@example.com>".

    Raises:
        ValueError: it is no single valid address; the message says why.
    """
    from email_validator import (  # noqa: PLC0415  # its rules take a while to load
        EmailNotValidError,
        validate_email,
    )

    if not text.isprintable():
        raise ValueError("it holds control characters")
    name, address = parseaddr(text)
    if not name and address != text.strip():
        raise ValueError("it is not one address; give each address as its own list item")
    local, _, domain = address.rpartition("@")
    checked = address
    if is_reserved(address) and _DOMAIN.fullmatch(domain.lower()):
        checked = f"{local}@example.com"  # the validator refuses names that only tests can have
    try:
        found = validate_email(checked, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return address if checked != address else found.ascii_email or found.normalized


def deduplicated(*lists: list[str]) -> list[list[str]]:
    """Return the lists without addresses that stood before, ignoring case."""
    seen: set[str] = set()
    kept: list[list[str]] = []
    for addresses in lists:
        fresh = {one.casefold(): one for one in reversed(addresses) if one.casefold() not in seen}
        kept.append(list(reversed(fresh.values())))
        seen |= set(fresh)
    return kept


def folder_name(address: str) -> str:
    """Return a file name that belongs to this address alone."""
    return quote(address.casefold(), safe="@.+_-")
