"""Takes secrets out of values before they are written anywhere.

By name of key, by form of text, and by value: `learn` is told of every secret that is opened or
sealed, so what a process could tell it also hides.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

from pilot.redaction import known, personal
from pilot.redaction.known import know, learn

__all__ = [
    "hide_personal_data",
    "know",
    "learn",
    "redact",
    "redact_event",
    "without_known",
    "without_secrets",
]

JsonValue = Any

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_ENDINGS = frozenset(
    {"password", "passwd", "passphrase", "secret", "token", "authorization", "cookie", "credential"}
)
_JOINED = ("apikey", "privatekey", "secretkey", "accesskey", "signingkey")

# RE2: linear in the text whatever is in it.
_FORMS = re2.compile(
    r"(?P<key>-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?)"
    r"|(?P<scheme>(?i:authorization[\"']?\s*[:=]\s*[\"']?)?(?i:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{12,}"
    r"|\b(?:plt|sk|rk|pk)[-_][A-Za-z0-9_-]{16,}"
    r"|\bwhsec_[A-Za-z0-9+/_-]{16,}={0,2}"
    r"|\b(?:ghp|gho|ghu|ghs|ghr|github_pat|glpat|npm|hf|shpat|dop_v1)[-_][A-Za-z0-9_-]{10,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{6,}|\bxapp-[0-9]-[A-Za-z0-9-]{10,}"
    r"|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\bya29\.[A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bAIza[A-Za-z0-9_-]{30,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|(?P<origin>\b[a-z][a-z0-9+.-]{1,15}://[^\s/:@\[\]]*:)[^\s/@\[\]]+@"
)
SHORTEST_TOKEN = 11  # that a form finds; an address with a password may be shorter
LONGEST_WORD = 15  # after "bearer" or "basic"; a token has more letters
KEPT_CHARACTERS = 80
_DONE = re.compile(r"\[redacted:[a-z_]+\]")


class _Process:
    hides_personal_data = False


def hide_personal_data(on: bool) -> None:  # noqa: FBT001  the setting's value
    """Hide mail addresses, telephone, account and card numbers too, or show them."""
    _Process.hides_personal_data = on


def redact(value: JsonValue) -> JsonValue:
    """Return a copy of `value` without secrets; each is shown as `[redacted:NAME]`.

    Texts below a key that names a secret (password, token, api_key, authorization, cookie ...) go
    as a whole, numbers stay: `tokens: 120` is a count. Applied twice it changes nothing more. The
    time grows with the texts only.
    """
    match value:
        case dict():
            return {_key(str(key)): _below(str(key), member) for key, member in value.items()}
        case list() | tuple():
            return [redact(member) for member in value]
        case str():
            return _text(value)
    return value


def without_known(value: JsonValue) -> JsonValue:
    """Return a copy of `value` without the secrets that this process knows; all else stays."""
    return _each(value, known.hide)


def without_secrets(value: JsonValue) -> JsonValue:
    """Return a copy of `value` without known secrets and tokens; what keys are called is no sign.

    For what is read back as it was: a handle below `authorization` stays, and so does a person.
    """
    return _each(value, lambda text: _FORMS.sub(_mask, known.hide(text)))


def _each(value: JsonValue, change: Callable[[str], str]) -> JsonValue:
    match value:
        case dict():
            return {change(key): _each(member, change) for key, member in value.items()}
        case list() | tuple():
            return [_each(member, change) for member in value]
        case str():
            return change(value)
    return value


def redact_event(data: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the facts of an event without secrets; its status is Pilot's own word and stays."""
    clean: dict[str, JsonValue] = redact(data)
    return clean if "status" not in data else clean | {"status": data["status"]}


def _text(value: str) -> str:
    if len(value) < known.SHORTEST and "@" not in value and "://" not in value:
        return value.encode("utf-8", "replace").decode()
    # RE2 takes whole UTF-8 only, and no members of enums.
    text = known.hide(value.encode("utf-8", "replace").decode())
    if len(text) >= SHORTEST_TOKEN or "://" in text:
        text = _FORMS.sub(_mask, text)
    return personal.hide(text) if _Process.hides_personal_data else text


def _key(key: str) -> str:
    if len(key) < known.SHORTEST or len(key) > KEPT_CHARACTERS:
        return _text(key)
    return _kept_key(key, known.version(), _Process.hides_personal_data)


@lru_cache(2048)  # the keys of events and records come again and again
def _kept_key(key: str, _version: int, _personal: bool) -> str:  # noqa: FBT001  what it depends on
    return _text(key)


def _below(key: str, value: JsonValue) -> JsonValue:
    name = _secret_name(key)
    return _hide(name, value) if name else redact(value)


def _hide(name: str, value: JsonValue) -> JsonValue:
    match value:
        case dict():
            return {key: _hide(name, member) for key, member in value.items()}
        case list() | tuple():
            return [_hide(name, member) for member in value]
        case str() if value and not _DONE.fullmatch(value):
            return f"[redacted:{name}]"
    return value


def _secret_name(key: str) -> str | None:
    return _known_name(key) if len(key) <= KEPT_CHARACTERS else _name(key)


def _name(key: str) -> str | None:
    words: list[str] = [word.lower() for word in _WORD.findall(key)]
    if words and words[-1].removesuffix("s") in _ENDINGS:
        return words[-1]
    joined = "".join(words)
    return "api_key" if joined.endswith(_JOINED) else None


_known_name = lru_cache(2048)(_name)


def _mask(found: Any) -> str:
    if found["key"]:
        return "[redacted:private_key]"
    if _is_word(found):
        return str(found.group())
    if found["scheme"]:
        return f"{found['scheme']}[redacted:token]"
    if found["origin"]:
        return f"{found['origin']}[redacted:password]@"
    return "[redacted:token]"


def _is_word(found: Any) -> bool:
    """Whether it only looks like a token: basic understanding, pk_customer_identifier."""
    scheme = found["scheme"] or ""
    words = found.group().removeprefix(scheme).replace("_", "")
    if found["origin"] or not words.isalpha() or words != words.lower():
        return False
    return not scheme or (len(words) <= LONGEST_WORD and scheme[0] in "bB")
