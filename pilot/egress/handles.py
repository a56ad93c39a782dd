"""Handles of secrets in a request: filled in as it leaves, for the hosts of each secret only."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from pilot import strictjson
from pilot.egress.refusals import refusal

HANDLE = re.compile(r"\{\{secret:([A-Za-z0-9_.-]{1,100})\}\}")
_FORM = "application/x-www-form-urlencoded"
_FORM_HANDLE = re.compile(r"%7B%7Bsecret%3A([A-Za-z0-9_.-]{1,100})%7D%7D")


@dataclass(frozen=True)
class Secret:
    """A secret, and the hosts (`host` or `host:port`) that may get it."""

    value: str = field(repr=False)
    hosts: frozenset[str]


def filled(
    headers: Mapping[str, str],
    content: bytes | None,
    secrets: Mapping[str, Secret],
    authority: str,
) -> tuple[dict[str, str], bytes | None]:
    """Return headers and body with every handle replaced; in JSON and forms, as these write texts.

    Raises:
        StepError: a secret is not bound to this host, or the body is no text.
    """
    find = _finder(secrets, authority)
    made = {name: HANDLE.sub(lambda found: find(found[1]), text) for name, text in headers.items()}
    if content is None:
        return made, None
    kind = next((made[name] for name in made if name.lower() == "content-type"), "").lower()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return made, content  # no text: nothing was written as a handle
    if kind.startswith(_FORM):
        text = _FORM_HANDLE.sub(lambda found: quote_plus(find(found[1])), text)
    elif "json" in kind:
        text = HANDLE.sub(lambda found: strictjson.dumps(find(found[1]))[1:-1], text)
    else:
        text = HANDLE.sub(lambda found: find(found[1]), text)
    return made, text.encode()


def _finder(secrets: Mapping[str, Secret], authority: str) -> Callable[[str], str]:
    host, _, port = authority.rpartition(":")
    places = {authority} | ({host} if port == "443" else set())

    def find(name: str) -> str:
        secret = secrets.get(name)
        if secret is None:
            raise refusal(f"The secret {name} is not at hand.")
        if not places & secret.hosts:
            text = f"The secret {name} is not for {authority}: bind it to this host under Secrets."
            raise refusal(text)
        return secret.value

    return find
