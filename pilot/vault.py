"""Seals secrets with the installation's keys: what is stored opens only where it was put.

The newest key seals, every known key opens, and so does one that came since. What is sealed holds
its place (table, row, owner, version), so a value copied to another row is refused. Nothing here
shows a secret to a page: a caller that only stores has `seal`, and only what sends requests calls
`open_sealed`. What passes through here is hidden from then on in whatever this process writes
(`pilot.redaction`).
"""

import hmac
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from pilot import ciphers, redaction, strictjson
from pilot.errors import BadJsonError, ConfigError

LEARN_EVERY_S = 1.0
TEXTS = frozenset({"outbox"})  # tables of sealed texts: no value to look for elsewhere


@dataclass(frozen=True)
class Place:
    """Where a secret is stored; one that is found elsewhere does not open."""

    table: str
    row: str
    version: int
    owner: str | None = None  # None: the installation's


class _Process:
    """The keys of this process, newest first, set once by `configure`."""

    keys: tuple[str, ...] = ()
    learned: tuple[str, ...] = ()  # read later: they open, and never seal
    read_again: Callable[[], Sequence[str]] | None = None
    read_at = 0.0
    lock = threading.Lock()


def configure(keys: Sequence[str], read_again: Callable[[], Sequence[str]] | None = None) -> None:
    """Take the keys of the config, newest first; none: nothing can be sealed or opened.

    `read_again` reads them anew: what a key that came later sealed is opened by it.
    """
    _Process.keys, _Process.learned = tuple(keys), ()
    _Process.read_again, _Process.read_at = read_again, -LEARN_EVERY_S


def has_keys() -> bool:
    """Say whether this process has a key."""
    return bool(_Process.keys)


def seal(secret: str, place: Place) -> str:
    """Return a secret as it is stored: encrypted and bound to its place.

    Raises:
        ConfigError: the installation has no key.
    """
    _hide(secret, place)
    # As hexadecimal digits, so that every text comes back: JSON here knows no NUL.
    text = strictjson.canonical(asdict(place) | {"secret": secret.encode().hex()})
    return ciphers.seal(text, _keys()[0])


def open_sealed(sealed: str, place: Place) -> str:
    """Return the secret that was sealed for this place.

    Raises:
        ConfigError: no key opens it, it was changed, or it was sealed for another place.
    """
    try:
        facts = strictjson.loads(_decrypt(sealed))
        secret = bytes.fromhex(facts.pop("secret")).decode()
    except (ciphers.NotOpenedError, BadJsonError) as error:
        raise ConfigError(
            f"The secret of {place.table} {place.row} cannot be opened: put back the key it was "
            "sealed with (PILOT_SECRET_KEYS or the key file), or store the secret again."
        ) from error
    if facts != asdict(place):
        raise ConfigError(
            f"The secret of {place.table} {place.row} was sealed for another place: store it again."
        )
    _hide(secret, place)
    return secret


def is_newest(sealed: str) -> bool:
    """Say whether the newest key sealed this.

    Raises:
        ConfigError: the installation has no key.
    """
    try:
        ciphers.open_sealed(sealed, _keys()[:1])
    except ciphers.NotOpenedError:
        return False
    return True


def rotate(sealed: str) -> str:
    """Return the same secret, at the same place, sealed with the newest key.

    Raises:
        ConfigError: no known key opens it.
    """
    try:
        return ciphers.seal(ciphers.open_sealed(sealed, _keys()), _keys()[0])
    except ciphers.NotOpenedError as error:
        raise ConfigError(
            "A secret was sealed with a key that is not known: put that key back."
        ) from error


def derive(*names: str) -> bytes:
    """Return 32 bytes that only this installation knows, the same for the same names.

    Another newest key makes others of them.

    Raises:
        ConfigError: the installation has no key.
    """
    key, told = _keys()[0].encode(), strictjson.canonical(["derive", *names]).encode()
    return hmac.digest(key, told, "sha256")


def _hide(secret: str, place: Place) -> None:
    if place.table not in TEXTS:
        redaction.learn(secret, place.table)


def _keys() -> tuple[str, ...]:
    """Return all known keys, newest first."""
    if not _Process.keys:
        raise ConfigError("There is no secret key: start pilot up once, or set PILOT_SECRET_KEYS.")
    return *_Process.keys, *_Process.learned


def _decrypt(sealed: str) -> str:
    try:
        return ciphers.open_sealed(sealed, _keys())
    except ciphers.NotOpenedError:
        _learn()
        return ciphers.open_sealed(sealed, _keys())


def _learn() -> None:
    """Read the keys again, at most once in a while: `pilot secrets rotate` may have used another.

    This process goes on sealing with the key it began with: all that is derived stays the same.
    """
    with _Process.lock:
        if _Process.read_again is None or time.monotonic() < _Process.read_at + LEARN_EVERY_S:
            return
        _Process.read_at = time.monotonic()
        try:
            found = _Process.read_again()
        except ConfigError:  # the file is being written, or cannot be read: what is known stays
            return
        for key in found:
            redaction.learn(key, "secret_key")
        _Process.learned = tuple(key for key in found if key not in _Process.keys)
