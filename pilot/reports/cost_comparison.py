"""What drafting costs a month with each choice of models: computed from prices and measurements.

cost = N (1 - d)(p + f q); saving = N q - cost. N generations a month; d: share drafted without a
model; p, q: mean USD of a generation by the primary model (with its repairs) and by the fallback
model; f: share that the primary model fails. The primary model is paid also where it fails.
"""

from dataclasses import dataclass
from decimal import Decimal

MONTHS = 12
ONE = Decimal(1)


@dataclass(frozen=True)
class Given:
    """What the comparison counts with; None: a model without a price."""

    volume: int  # N, generations a month
    fallback_rate: Decimal  # f, 0..1
    free_share: Decimal  # d, 0..1
    primary_usd: Decimal | None  # p
    fallback_usd: Decimal | None  # q


@dataclass(frozen=True)
class Row:
    """One choice; amounts in USD, None where a price is unknown."""

    name: str
    month: Decimal | None
    year: Decimal | None
    saved_month: Decimal | None  # against the fallback model alone
    saved_year: Decimal | None
    saved_percent: Decimal | None  # 0..100
    formula: str
    failing: int = 0  # generations a month that no model drafts


@dataclass(frozen=True)
class Comparison:
    """The choices side by side."""

    rows: tuple[Row, ...]
    break_even: Decimal | None  # the fallback rate at which both ways cost the same, 0..1


def compare(given: Given) -> Comparison:
    """Return what each choice costs."""
    n, f, d = Decimal(given.volume), given.fallback_rate, given.free_share
    p, q = given.primary_usd, given.fallback_usd
    strong = None if q is None else n * q
    cheap = None if p is None else n * (ONE - d) * p
    both = None if p is None or q is None else n * (ONE - d) * (p + f * q)
    share = f"{given.volume:,} x (1 - {_plain(d)})"
    p_text, q_text = _usd(p), _usd(q)
    rows = (
        _row("Fallback model only", strong, strong, f"{given.volume:,} x {q_text}"),
        _row(
            "Primary model only",
            cheap,
            strong,
            f"{share} x {p_text}",
            failing=round(n * (ONE - d) * f),
        ),
        _row(
            "Primary, then fallback model",
            both,
            strong,
            f"{share} x ({p_text} + {_plain(f)} x {q_text})",
        ),
    )
    even = None if p is None or not q else max(Decimal(0), ONE - p / q)
    return Comparison(rows, even)


def _row(
    name: str, cost: Decimal | None, strong: Decimal | None, formula: str, failing: int = 0
) -> Row:
    if cost is None:
        return Row(name, None, None, None, None, None, formula, failing)
    saved = None if strong is None else strong - cost
    percent = None if saved is None or not strong else saved / strong * 100
    return Row(
        name,
        cost,
        cost * MONTHS,
        saved,
        None if saved is None else saved * MONTHS,
        percent,
        formula,
        failing,
    )


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _usd(value: Decimal | None) -> str:
    return "unpriced" if value is None else f"${value.normalize():f}"
