"""A choice of models for drafting: what can be chosen, what it would cost, what speaks against it.

Everything here is computed from the catalogue, its prices and what was measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from pilot.engine.providers import model_catalogue, model_lint
from pilot.engine.providers.model_catalogue import Entry
from pilot.engine.providers.model_lint import FALLBACK, PRIMARY, Finding, Preset
from pilot.reports import generation_costs
from pilot.reports.cost_comparison import Comparison, Given, Row, compare
from pilot.reports.generation_costs import ASSUMED_VOLUME, Measured, Used

SWITCH = "orchestrator_enable_fallback"
FURTHER = "orchestrator_further_models"
KEYS = (PRIMARY, FALLBACK, SWITCH, FURTHER)
MOST_VOLUME = 10_000_000
SOON = timedelta(days=30)


@dataclass(frozen=True)
class Guess:
    """What somebody tries: generations a month, share that falls back; None: as measured."""

    volume: int | None = None
    rate: Decimal | None = None  # 0..1


@dataclass(frozen=True)
class Option:
    """One model to choose."""

    id: str
    entry: Entry
    used: Used | None  # in generations of the last 30 days

    @property
    def state(self) -> str:
        """Why one should think twice: retired, retires soon, off; empty if nothing is wrong."""
        day, model = self.entry.model.retired_on, self.entry.model
        if self.entry.retired:
            return f"retired {day}"
        if day is not None and day <= self.entry.today + SOON:
            return f"retires {day}"
        if not model.enabled or not self.entry.provider.enabled:
            return "switched off"
        return "superseded" if day is None and model.replaced_by else ""


@dataclass(frozen=True)
class Ready:
    """A preset with what it would cost at this volume and rate."""

    preset: Preset
    row: Row
    factor: Decimal | None  # of the recommended choice's cost
    chosen: bool


@dataclass(frozen=True)
class Choice:
    """A choice beside all that could be chosen."""

    values: Mapping[str, Any]
    options: Mapping[str, Sequence[Option]]  # by provider
    findings: Sequence[Finding]
    presets: Sequence[Ready]
    retired: Sequence[Entry]  # chosen, though calls to them fail
    given: Given
    measured: Measured
    comparison: Comparison
    selection: Row
    weak: Entry | None  # of the compared pair the cheaper one
    strong: Entry | None

    def entry(self, key: str) -> Entry | None:
        """Return the model that a setting chooses."""
        return self._known.get(self.values[key])

    def used(self, key: str) -> Used | None:
        """Return what the model that a setting chooses cost in generations."""
        found = (one for each in self.options.values() for one in each)
        return next((one.used for one in found if one.id == self.values[key]), None)

    @property
    def _known(self) -> dict[str, Entry]:
        return {one.id: one.entry for found in self.options.values() for one in found}

    def each_usd(self, key: str) -> Decimal | None:
        """Return what a generation costs with the chosen primary or fallback model."""
        tokens = self.measured.primary if key == PRIMARY else self.measured.fallback
        return _usd(self.entry(key), tokens)


def choice(session: Session, values: Mapping[str, Any], guess: Guess) -> Choice:
    """Return what these values of the settings mean; nothing of it is stored."""
    known = model_catalogue.entries(session)
    measured = generation_costs.measure(session)
    used = generation_costs.by_model(session)
    options: dict[str, list[Option]] = {}
    for one in sorted(known.values(), key=lambda entry: entry.provider.label):
        options.setdefault(one.provider.label, []).append(Option(one.id, one, used.get(one.id)))
    pair = (known.get(values[PRIMARY]), known.get(values[FALLBACK]))
    weak, strong = _ordered(pair, measured)
    given = _given(weak, strong, measured, guess)
    comparison = compare(given)
    chain = {values[PRIMARY]}
    if values[SWITCH]:
        chain |= {values[FALLBACK], *values[FURTHER]}
    return Choice(
        values,
        options,
        model_lint.lint(session, values),
        _presets(model_lint.presets(session), known, values, measured, guess),
        [known[one] for one in sorted(chain) if one in known and known[one].retired],
        given,
        measured,
        comparison,
        _against(_row_of(values, known, measured, guess), comparison.rows[0]),
        weak,
        strong,
    )


def _given(
    primary: Entry | None, fallback: Entry | None, measured: Measured, guess: Guess
) -> Given:
    volume = measured.volume or ASSUMED_VOLUME
    return Given(
        volume if guess.volume is None else guess.volume,
        measured.fell.value if guess.rate is None else guess.rate,
        measured.free.value,
        _usd(primary, measured.primary),
        _usd(fallback, measured.fallback),
    )


def _usd(entry: Entry | None, tokens: generation_costs.Tokens) -> Decimal | None:
    rates = None if entry is None else entry.rates
    return None if rates is None else tokens.cost(rates)


def _ordered(
    pair: tuple[Entry | None, Entry | None], measured: Measured
) -> tuple[Entry | None, Entry | None]:
    """Return the pair with the dearer model last: "strong" is what savings are counted against."""
    first, second = (_usd(one, measured.primary) for one in pair)
    return pair[::-1] if first is not None and second is not None and first > second else pair


def _row_of(
    values: Mapping[str, Any], known: Mapping[str, Entry], measured: Measured, guess: Guess
) -> Row:
    """Return what exactly this choice costs."""
    given = _given(known.get(values[PRIMARY]), known.get(values[FALLBACK]), measured, guess)
    return compare(given).rows[2 if values[SWITCH] else 1]


def _against(row: Row, strong: Row) -> Row:
    """Return a row with what it saves against another one."""
    if row.month is None or row.year is None or strong.month is None or strong.year is None:
        return replace(row, saved_month=None, saved_year=None, saved_percent=None)
    saved = strong.month - row.month
    percent = saved / strong.month * 100 if strong.month else None
    return replace(row, saved_month=saved, saved_year=strong.year - row.year, saved_percent=percent)


def _presets(
    presets: Sequence[Preset],
    known: Mapping[str, Entry],
    values: Mapping[str, Any],
    measured: Measured,
    guess: Guess,
) -> list[Ready]:
    rows = [_row_of({**values, **one.values}, known, measured, guess) for one in presets]
    first = rows[0].month
    return [
        Ready(
            one,
            row,
            row.month / first if row.month is not None and first else None,
            all(values[key] == value for key, value in one.values.items()),
        )
        for one, row in zip(presets, rows, strict=True)
    ]
