"""Which effects need an approval before them: everybody's rule, made stricter by a workflow."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from pilot.engine.language import pointers
from pilot.plugins import Action

LEVELS = ("none", "external", "all")  # each stricter than the one before


@dataclass(frozen=True)
class EffectsRule:
    """Whether all effects need an approval, or those that reach others than these domains."""

    level: str = "none"
    internal_domains: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "EffectsRule":
        """Return the rule that the settings of an installation are."""
        domains = tuple(settings["pilot_internal_domains"])
        return cls(settings["pilot_effects_approval"], domains)

    def stricter(self, level: Any) -> "EffectsRule":
        """Return the rule with a level in the place of its own, if that is the stricter one."""
        known = level in LEVELS and LEVELS.index(level) > LEVELS.index(self.level)
        return replace(self, level=level) if known else self

    def holds_for(self, action: Action, params: Any) -> bool:
        """Say whether a call that changes something needs an approval.

        `params` are as a workflow writes them; None: a model will. Whom a call reaches that only
        its execution can tell counts as outside.
        """
        if self.level != "external":
            return self.level == "all"
        if action.reaches is None or not isinstance(params, dict):
            return action.reaches != ()
        given = ((name, text) for name in action.reaches for text in _texts(params.get(name)))
        return not all(self._is_inside(_place(action, name, text)) for name, text in given)

    def _is_inside(self, place: str) -> bool:
        return any(place == one or place.endswith(f".{one}") for one in self.internal_domains)


def _texts(value: Any) -> list[str]:
    return [text for _, text in pointers.texts(value)]


def _place(action: Action, name: str, text: str) -> str:
    """Return the domain or host of an address in a parameter; empty: it cannot be told yet."""
    if action.params_schema["properties"][name].get("format") == "uri":
        return _host(text)
    return "" if "{{" in text else parseaddr(text)[1].rpartition("@")[2].lower()


def _host(url: str) -> str:
    """Return the host of a URL, also of one whose path and query only its execution knows."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return "" if "{{" in parts.netloc else parts.hostname or ""
