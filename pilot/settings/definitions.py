"""What a setting is: its type and bounds, what is wrong with a value, how a person reads it."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from pilot.errors import Issue

# As it is stored and copied: bool, int, text, list of texts; a Decimal is its text, exactly.
Value = Any
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
Kind = type[bool] | type[int] | type[Decimal] | type[str] | type[list[str]]


@dataclass(frozen=True)
class Definition:
    """One setting; its form field, validation, documentation and audit derive from it."""

    key: str
    type: Kind
    default: Value
    group: str
    label: str
    help: str  # what a change does, in a sentence
    unit: str = ""
    minimum: int | Decimal = 0
    maximum: int | Decimal = 0  # of a list: how many it may hold
    choices: tuple[str, ...] = ()  # of a text
    of_models: bool = False  # a text or list: ids of the catalogue of models
    of_domains: bool = False  # a list: names of domains

    @property
    def bounds(self) -> str:
        """What may be stored, as a person reads it."""
        if self.type is bool:
            return "on or off"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.of_models:
            return f"at most {self.maximum} models" if self.type is list else "a known model"
        if self.of_domains:
            return f"at most {self.maximum} domains in small letters, such as example.com"
        return f"{self.minimum:,} to {self.maximum:,} {self.unit}".strip()

    def words(self, value: Value) -> str:
        """Return a value as a person reads it: `on`, `off`, `50 steps`."""
        if self.type is bool:
            return "on" if value else "off"
        if self.type is list:
            return ", ".join(value) or "none"
        if self.type is int:
            return f"{value:,} {self.unit}".strip()
        return f"{value} {self.unit}".strip()

    def parsed(self, text: str) -> Value:
        """Return what a typed text means; one that means nothing stays, for `issues` to refuse."""
        text = text.strip()
        if self.type is bool:
            return {"on": True, "true": True, "off": False, "false": False}.get(text, text)
        if self.type is int:
            plain = text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20
            return int(text) if plain else text
        return text.replace(",", " ").split() if self.type is list else text

    def stored(self, value: Value) -> Value:
        """Return a good value in the one form in which it is stored."""
        return f"{Decimal(value).normalize():f}" if self.type is Decimal else value

    def issues(self, value: Any) -> list[Issue]:
        """Return what is wrong with a value; whether a model exists, only the database knows."""
        if not self._fits(value):
            expected = EXPECTED.get(self.type, self.bounds)
            return [self._issue("setting_type", expected, value)]
        return [] if self._within(value) else [self._issue("setting_range", self.bounds, value)]

    def _fits(self, value: Any) -> bool:
        if self.type is list:
            return type(value) is list and all(type(one) is str for one in value)
        if self.type is Decimal:
            return type(value) is str and _number(value) is not None
        return type(value) is self.type

    def _within(self, value: Any) -> bool:
        if self.type is int:
            return bool(self.minimum <= value <= self.maximum)
        if self.type is Decimal:
            number = _number(value)
            return number is not None and self.minimum <= number <= self.maximum
        if self.type is list:
            right = not self.of_domains or all(map(_DOMAIN.fullmatch, value))
            return right and len(value) <= self.maximum and len(set(value)) == len(value)
        return not self.choices or value in self.choices

    def _issue(self, code: str, expected: str, value: Any) -> Issue:
        shown = repr(value) if code == "setting_type" else str(value)
        message = f"{self.label} must be {expected}."
        return Issue(code, f"/{self.key}", message, expected, shown[:80])


EXPECTED: dict[Any, str] = {
    bool: "on or off",
    int: "a whole number",
    Decimal: "a number with a point, such as 0.10",
}


def _number(text: str) -> Decimal | None:
    """Return a plain number with at most six decimals; no exponent, no sign."""
    if not text.isascii() or len(text) > 20 or not text.replace(".", "", 1).isdigit():
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number == round(number, 6) else None
