"""Passwords: the rules for new ones, and argon2id."""

import unicodedata
from functools import cache
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from pilot.errors import Issue

SHORTEST, LONGEST = 8, 256

# OWASP's parameters for argon2id: 19 MiB, two passes, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# The hash of a forgotten random password: an unknown account costs as much as a known one.
_NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1$goFwOdBbnZxCp+knw+YpTA"
    "$W56dyfMCYCDIplR7iu63BDxzdB833JnryogFDYSTJ+Y"
)


@cache
def _known_bad() -> frozenset[str]:
    lines = files("pilot.engine.people").joinpath("known_bad_passwords.txt").read_text("utf-8")
    return frozenset(line for line in lines.splitlines() if not line.startswith("# "))


def issues(password: str, *, email: str) -> list[Issue]:
    """Return why `password` cannot be chosen, with the path `/password`; empty if it can."""
    plain = unicodedata.normalize("NFKC", password).casefold()
    if not SHORTEST <= len(password) <= LONGEST:
        return [
            Issue(
                "password_length",
                "/password",
                f"The password must have {SHORTEST} to {LONGEST} characters.",
                expected=f"{SHORTEST} to {LONGEST} characters",
                got=f"{len(password)} characters",
            )
        ]
    if plain in _known_bad() or plain in {email, email.partition("@")[0]}:
        message = "This password is easy to guess; choose another, such as four unrelated words."
        return [Issue("password_known", "/password", message)]
    return []


def hashed(password: str) -> str:
    """Return the argon2id hash to store."""
    return _hasher.hash(_normal(password))


def matches(password: str, stored: str | None) -> bool:
    """Return whether `password` has the stored hash; without one it costs the same and is false."""
    too_long = len(password) > LONGEST
    try:
        _hasher.verify(stored or _NOBODY, b"" if too_long else _normal(password))
    except VerificationError:
        return False
    return stored is not None and not too_long


def _normal(password: str) -> bytes:
    """Return one form of what different keyboards compose differently (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password).encode(errors="surrogatepass")
