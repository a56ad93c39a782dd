"""How money reads, in pages, notes and errors: the one format. USD as `Decimal`, never float."""

import re
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
ONE = Decimal(1)
THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+")


def ungrouped(text: str) -> str:
    """Return a typed number without the commas between thousands; `1,5` stays, as it is no 15."""
    whole, point, decimals = text.partition(".")
    plain = whole.replace(",", "") if THOUSANDS.fullmatch(whole) else whole
    return f"{plain}{point}{decimals}"


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")


def usd(amount: Decimal | None) -> str:
    """Return USD for people: `$0.00026`, `$0.125`, `$1,234.50`, `unpriced` for None."""
    if amount is None:
        return "unpriced"
    if not isinstance(amount, Decimal):
        raise TypeError(f"money is Decimal, never {type(amount).__name__}")
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if size == 0:
        return "$0"
    if size < CENT:
        last = Decimal(1).scaleb(size.adjusted() - 3)
        size = size.quantize(last, ROUND_HALF_UP)
        return f"{sign}${_plain(size)}"
    if size < ONE:
        text = _plain(size.quantize(Decimal("0.0001"), ROUND_HALF_UP))
        whole, _, decimals = text.partition(".")
        return f"{sign}${whole}.{decimals:0<2}"
    return f"{sign}${size.quantize(CENT, ROUND_HALF_UP):,f}"


def exact(amount: Decimal | None) -> str:
    """Return the stored amount, all digits: `0.000260000000 USD`."""
    return "no price is known for this model" if amount is None else f"{amount:f} USD"


def total(amount: Decimal | None, unpriced: int = 0) -> str:
    """Return a sum that never hides what has no price: `>= $1.24 + 3 unpriced`."""
    return f">= {usd(amount or Decimal(0))} + {unpriced:,} unpriced" if unpriced else usd(amount)


def estimate(likely: Decimal, low: Decimal, high: Decimal) -> str:
    """Return an estimate with its range: `~$0.02 ($0.01 to $0.05)`."""
    return f"~{usd(likely)} ({usd(low)} to {usd(high)})"
