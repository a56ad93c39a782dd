"""What is wrong with the chosen models, or soon will be; and pairs of them that go well."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from pilot import money
from pilot.engine.providers import model_catalogue
from pilot.engine.providers.model_catalogue import Entry
from pilot.errors import Severity

SOON = timedelta(days=30)
OLD = timedelta(days=60)
PRIMARY, FALLBACK = "orchestrator_primary_model", "orchestrator_fallback_model"
# The recommended pairs, the best first; the first whose models can both be asked is offered.
PAIRS = (
    ("gpt-6-luna", "claude-sonnet-5-5"),
    ("gpt-6-luna", "gpt-6.1-sol"),
    ("claude-haiku-5-5", "claude-sonnet-5-5"),
)


@dataclass(frozen=True)
class Fix:
    """A setting that a person may set with one click."""

    label: str
    setting: str
    value: Any


@dataclass(frozen=True)
class Finding:
    """One thing to look at; an error stops calls now, a warning does not."""

    code: str
    severity: Severity
    message: str
    model_id: str | None = None
    fix: Fix | None = None


@dataclass(frozen=True)
class Preset:
    """A ready choice of models, and what speaks against it."""

    name: str  # recommended, max_savings, max_quality
    label: str
    values: dict[str, Any]
    warning: str | None = None


@dataclass(frozen=True)
class _Choice:
    """The catalogue and what the settings choose of it."""

    known: dict[str, Entry]
    values: Mapping[str, Any]

    @property
    def roles(self) -> list[tuple[str, str]]:
        """The chosen ids with the setting that chooses each."""
        found = [(PRIMARY, self.values[PRIMARY])]
        if self.values["orchestrator_enable_fallback"]:
            found.append((FALLBACK, self.values[FALLBACK]))
            further = "orchestrator_further_models"
            found += [(further, each) for each in self.values[further]]
        return found

    def instead(self, setting: str, model_id: str, label: str = "Use {}") -> Fix | None:
        """Return the way to put the best other model into the place of this one."""
        entry = self.known.get(model_id)
        used = {each for _, each in self.roles}
        wanted = [entry.model.replaced_by] if entry and entry.model.replaced_by else []
        others = [one for pair in PAIRS for one in (pair if setting == PRIMARY else pair[::-1])]
        by_cost = [one.id for one in self.known.values() if one.price is not None]
        tier = entry.model.tier if entry else None
        same_tier = [one for one in by_cost if self.known[one].model.tier == tier]
        for each in (*wanted, *others, *same_tier, *by_cost):
            if each in self.known and each not in used and self.known[each].skipped is None:
                return self._put(setting, model_id, each, label)
        return None

    def _put(self, setting: str, old: str, new: str, label: str) -> Fix:
        value: Any = new
        if isinstance(self.values[setting], list):
            value = [new if one == old else one for one in self.values[setting]]
        return Fix(label.format(self.known[new].model.label), setting, value)


def lint(session: Session, values: Mapping[str, Any]) -> list[Finding]:
    """Return what is wrong with the models that these settings choose, errors first."""
    choice = _Choice(model_catalogue.entries(session), values)
    found = [one for check in CHECKS for one in check(choice)]
    return sorted(found, key=lambda one: one.severity != "error")


def presets(session: Session) -> list[Preset]:
    """Return the ready choices, made of models that can be asked now where there are any."""
    known = model_catalogue.entries(session)
    cheap, strong = pair(known)
    usable = [one for one in known.values() if one.skipped is None and one.price is not None]
    best = [one.id for one in usable if one.model.tier == "powerful"]
    quality = strong if strong in best or not best else best[0]
    switch = "orchestrator_enable_fallback"
    return [
        Preset("recommended", "Recommended", {PRIMARY: cheap, FALLBACK: strong, switch: True}),
        Preset(
            "max_savings",
            "Maximum savings",
            {PRIMARY: cheap, FALLBACK: strong, switch: False},
            "What the primary model gets wrong fails: nobody else is asked.",
        ),
        Preset(
            "max_quality",
            "Maximum quality",
            {PRIMARY: quality, FALLBACK: cheap, switch: False},
            "Every goal is drafted by the strong model, at its price.",
        ),
    ]


def pair(known: Mapping[str, Entry]) -> tuple[str, str]:
    """Return the recommended primary and fallback model for the keys that there are."""
    for cheap, strong in PAIRS:
        if all(each in known and known[each].skipped is None for each in (cheap, strong)):
            return cheap, strong
    usable = [one for one in known.values() if one.skipped is None and one.price is not None]
    if not usable:
        return PAIRS[0]
    strongest = [one for one in usable if one.model.tier == "powerful"] or usable[-1:]
    return usable[0].id, strongest[0].id


def _keys(choice: _Choice) -> Iterator[Finding]:
    if not any(one.has_key and one.provider.enabled for one in choice.known.values()):
        text = (
            "No provider has a key: workflows are drafted without a model, and steps that ask a "
            "model cannot run. Set one on the page of a provider, or with: pilot provider set-key "
            "openai"
        )
        yield Finding("no_key", "warning", text)
        return
    for setting, model_id in choice.roles:
        entry = choice.known.get(model_id)
        why = ("unknown", f"There is no model {model_id!r}.") if entry is None else entry.skipped
        if why is None or why[0] == "retired":
            continue
        severity: Severity = "error" if setting == PRIMARY else "warning"
        text = f"{why[1]} {model_id} is passed over."
        yield Finding(why[0], severity, text, model_id, choice.instead(setting, model_id))


def _retired(choice: _Choice) -> Iterator[Finding]:
    for setting, entry in _chosen(choice):
        label, day = entry.model.label, entry.model.retired_on
        fix = choice.instead(setting, entry.id)
        if entry.retired:
            text = f"{label} was retired on {day}: calls to it fail."
            yield Finding("retired", "error", text, entry.id, fix)
        elif day is not None and day <= entry.today + SOON:
            text = f"{label} retires on {day}: calls to it fail from then on."
            yield Finding("retiring", "warning", text, entry.id, fix)
        elif day is None and entry.model.replaced_by:
            text = f"{label} is superseded by {entry.model.replaced_by}."
            yield Finding("superseded", "warning", text, entry.id, fix)


def _dearer(choice: _Choice) -> Iterator[Finding]:
    for setting, entry in _chosen(choice):
        old, new = entry.price, entry.next_price
        if old is None or new is None or new.valid_from.date() > entry.today + SOON:
            continue
        if new.input > old.input or new.output > old.output:
            text = (
                f"{entry.model.label} gets dearer on {new.valid_from:%Y-%m-%d}: "
                f"{money.usd(new.input)} in, {money.usd(new.output)} out per million tokens, today "
                f"{money.usd(old.input)} and {money.usd(old.output)}."
            )
            fix = choice.instead(setting, entry.id)
            yield Finding("dearer", "warning", text, entry.id, fix)


def _same(choice: _Choice) -> Iterator[Finding]:
    first, second = choice.values[PRIMARY], choice.values[FALLBACK]
    if not choice.values["orchestrator_enable_fallback"]:
        return
    if first == second:
        text = "Primary and fallback model are the same: what it gets wrong, it gets wrong twice."
        fix = choice.instead(FALLBACK, second)
        yield Finding("same_model", "error", text, second, fix)
        return
    providers = {choice.known[one].provider.name for one in (first, second) if one in choice.known}
    if len(providers) == 1:
        label = choice.known[first].provider.label
        text = f"Both models are of {label}: when it is down, no model answers."
        yield Finding("one_provider", "warning", text, second, _elsewhere(choice, providers))


def _elsewhere(choice: _Choice, providers: set[str]) -> Fix | None:
    for one in ("claude-sonnet-5-5", "gpt-6.1-sol", *choice.known):
        entry = choice.known.get(one)
        if entry and entry.skipped is None and entry.provider.name not in providers:
            return Fix(f"Use {entry.model.label}", FALLBACK, one)
    return None


def _prices(choice: _Choice) -> Iterator[Finding]:
    for setting, entry in _chosen(choice):
        if entry.price is None:
            text = f"{entry.model.label} has no price: its calls count as unpriced, never as $0."
            fix = choice.instead(setting, entry.id)
            yield Finding("unpriced", "warning", text, entry.id, fix)
        elif entry.price.checked_on < entry.today - OLD:
            text = (
                f"The price of {entry.model.label} was looked up on {entry.price.checked_on}: look "
                "again, and add a row if it changed."
            )
            yield Finding("old_price", "warning", text, entry.id)


def _chosen(choice: _Choice) -> Iterator[tuple[str, Entry]]:
    for setting, model_id in choice.roles:
        if model_id in choice.known:
            yield setting, choice.known[model_id]


CHECKS: tuple[Callable[[_Choice], Iterator[Finding]], ...] = (
    _keys,
    _retired,
    _dearer,
    _same,
    _prices,
)
