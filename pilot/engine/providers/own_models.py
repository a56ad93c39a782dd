"""Providers and models that an administrator adds: compatible servers, newer models."""

import re
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from pilot import audit
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.engine.providers import provider_keys
from pilot.engine.providers.model_catalogue import KEYLESS
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError
from pilot.llm.shipped import Flags
from pilot.models.model import Model
from pilot.models.provider import Provider

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
ADAPTERS = ("openai", "anthropic")
TIERS = ("fast", "balanced", "powerful")
# What a server that says it is compatible surely takes.
CAUTIOUS: dict[str, Any] = {
    "strict_schema": False,
    "json_mode": False,
    "temperature": True,
    "effort": [],
    "cache": "none",
    "tools": False,
    "token_parameter": "max_tokens",
}


@dataclass(frozen=True)
class NewProvider:
    """A provider that speaks one of the known protocols."""

    name: str
    label: str
    base_url: str
    adapter: str = "openai"
    keyless: bool = False  # it asks for no key, such as a server of one's own


@dataclass(frozen=True)
class NewModel:
    """A model of a known provider; without a price it counts as unpriced."""

    id: str
    provider: str
    name: str  # as it is sent
    label: str
    tier: str
    window: int
    max_output: int
    flags: dict[str, Any] = field(default_factory=dict)  # what differs from `CAUTIOUS`


def add_provider(new: NewProvider, *, by: Actor) -> None:
    """Add a provider; it is asked once it has a key, or at once if it needs none.

    Raises:
        InvalidError: a name, an address or an adapter that cannot be used.
        ConflictError: there is a provider of this name.
    """
    issues = [
        *_name_issues("name", new.name),
        *_label_issues(new.label),
        *_choice_issues("adapter", new.adapter, ADAPTERS),
        *provider_keys.address_issues(new.base_url),
    ]
    if issues:
        raise InvalidError(issues)
    with transaction("providers.add", by.user_id) as session:
        if session.get(Provider, new.name) is not None:
            raise ConflictError(f"There is a provider {new.name} already.")
        facts = {
            "label": new.label.strip(),
            "adapter": new.adapter,
            "base_url": new.base_url.rstrip("/"),
            "enabled": new.keyless,
            "flags": {KEYLESS: True} if new.keyless else {},
        }
        session.add(Provider(name=new.name, **facts))
        _record(session, Event.PROVIDER_CHANGED, by, ("provider", new.name), facts)


def add_model(new: NewModel, *, by: Actor) -> None:
    """Add a model of a provider.

    Raises:
        InvalidError: something of it cannot be used.
        NotFoundError: there is no such provider.
        ConflictError: there is a model of this id.
    """
    issues = _model_issues(new)
    if issues:
        raise InvalidError(issues)
    with transaction("models.add", by.user_id) as session:
        if session.get(Provider, new.provider) is None:
            raise NotFoundError(f"There is no provider {new.provider!r}.")
        if session.get(Model, new.id) is not None:
            raise ConflictError(f"There is a model {new.id} already.")
        facts = asdict(new) | {"label": new.label.strip(), "flags": CAUTIOUS | new.flags}
        session.add(Model(**facts, enabled=True))
        _record(session, Event.MODEL_CHANGED, by, ("model", new.id), facts)


def _model_issues(new: NewModel) -> list[Issue]:
    issues = [
        *_name_issues("id", new.id),
        *_label_issues(new.label),
        *_choice_issues("tier", new.tier, TIERS),
    ]
    if not 0 < len(new.name.strip()) <= 200:
        issues.append(Issue("model_name", "/name", "Give the name that is sent.", "a text"))
    for key in ("window", "max_output"):
        if not 0 < getattr(new, key) <= 100_000_000:
            text = f"{key.replace('_', ' ')} is a number of tokens."
            issues.append(Issue("model_size", f"/{key}", text, "1 to 100,000,000"))
    if new.max_output > new.window:
        text = "A model cannot answer with more tokens than it can hold."
        issues.append(Issue("model_size", "/max_output", text, f"at most {new.window:,}"))
    try:
        Flags.model_validate(CAUTIOUS | new.flags)
    except ValidationError as error:
        issues += [
            Issue("model_flags", f"/flags/{'/'.join(map(str, one['loc']))}", f"{one['msg']}.")
            for one in error.errors()
        ]
    return issues


def _name_issues(key: str, text: str) -> list[Issue]:
    if NAME.fullmatch(text):
        return []
    expected = "small letters, digits, points and hyphens, at most 80"
    return [Issue("name", f"/{key}", f"{key} has {expected}.", expected, text[:80])]


def _label_issues(text: str) -> list[Issue]:
    good = 0 < len(text.strip()) <= 80
    return [] if good else [Issue("label", "/label", "Give a label of at most 80 characters.")]


def _choice_issues(key: str, text: str, known: tuple[str, ...]) -> list[Issue]:
    expected = f"one of {', '.join(known)}"
    wrong = text not in known
    return [Issue(key, f"/{key}", f"{key} is {expected}.", expected, text[:80])] if wrong else []


def _record(
    session: Session, event: Event, by: Actor, about: tuple[str, str], facts: dict[str, Any]
) -> None:
    audit.record(session, event, actor=by, about=about, details={"added": facts})
