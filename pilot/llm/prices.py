"""Prices: reads them from what people and files say, and refuses what is no price."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from pilot.errors import InvalidError, Issue
from pilot.llm.messages import Price

NUMBERS = ("input", "output", "cache_read", "cache_write", "cache_write_long")
LONG_NUMBERS = tuple(f"long_{name}" for name in NUMBERS)
FIELDS = (*NUMBERS, "long_from", *LONG_NUMBERS)
# With at most six decimals per million tokens, every cost has at most twelve: the ledger keeps it
# exactly.
DECIMALS = 6
HIGHEST = Decimal(1_000_000)
LONGEST = 100_000_000

Numbers = dict[str, Any]  # name -> Decimal, or int for long_from; only what is given


def read(given: Mapping[str, Any], *, free: bool = False) -> Numbers:
    """Return the numbers of a price, checked; texts and numbers are taken, floats are not.

    `free` is said of a model that costs nothing: input and output are 0, nothing else is given.

    Raises:
        InvalidError: one issue for each number that is missing, zero, negative or unreadable.
    """
    told = {key: value for key, value in given.items() if value not in (None, "")}
    issues = [_unknown(key) for key in told.keys() - set(FIELDS)]
    numbers: Numbers = {}
    for key in FIELDS:
        if key in told:
            value = _whole(told[key]) if key == "long_from" else _decimal(told[key])
            numbers[key] = value
            issues += _wrong(key, value, told[key], free=free)
    issues += _missing(numbers) if not issues else []
    issues += _cheaper_when_long(numbers) if not issues else []
    if issues:
        raise InvalidError(issues)
    return numbers


def price(numbers: Mapping[str, Any], price_id: UUID | None = None) -> Price:
    """Return the price of checked numbers: a cache without one costs what the input costs."""
    long = None
    if numbers.get("long_from") is not None:
        long = _rates({name: numbers.get(f"long_{name}") for name in NUMBERS}, price_id, None, None)
    return _rates(numbers, price_id, numbers.get("long_from"), long)


def refuse_overlap(valid_from: datetime, known: Iterable[datetime], now: datetime) -> None:
    """Refuse a date on which, or before which, another price already counts.

    A price counts from its date to the date of the next one; later ones may be known already.

    Raises:
        InvalidError: the date has a price, or is not after that of the price in force.
    """
    dates = sorted(known)
    if valid_from in dates:
        text = (
            f"There is a price from {_shown(valid_from)} on already, and prices are never changed: "
            "choose another moment."
        )
        raise InvalidError([Issue("price_overlaps", "/valid_from", text, "another moment")])
    present = max((one for one in dates if one <= now), default=None)
    if present is not None and valid_from < present:
        text = (
            f"The price of today counts since {_shown(present)}: an older one would change what is "
            "past. Choose a later moment."
        )
        expected = f"after {_shown(present)}"
        raise InvalidError([Issue("price_overlaps", "/valid_from", text, expected)])


def _shown(moment: datetime) -> str:
    return (
        f"{moment:%Y-%m-%d}" if moment.time() == moment.min.time() else f"{moment:%Y-%m-%d %H:%M}"
    )


def _rates(
    numbers: Mapping[str, Any], price_id: UUID | None, long_from: int | None, long: Price | None
) -> Price:
    given = numbers["input"]
    caches = {
        name: given if numbers.get(name) is None else numbers[name]
        for name in ("cache_read", "cache_write", "cache_write_long")
    }
    return Price(
        given, numbers["output"], **caches, long_from=long_from, long=long, row_id=price_id
    )


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool | float):
        return None
    try:
        number = Decimal(value.strip() if isinstance(value, str) else value)
    except (InvalidOperation, TypeError, ValueError):
        return None
    return number if number.is_finite() else None


def _whole(value: Any) -> int | None:
    text = str(value).strip()
    known = not isinstance(value, bool | float) and text.isascii() and text.isdigit()
    return int(text) if known and len(text) < 12 else None


def _wrong(key: str, value: Decimal | int | None, given: Any, *, free: bool) -> list[Issue]:
    check = _wrong_tokens if key == "long_from" else _wrong_number
    found = check(value) or (None if key == "long_from" else _wrong_zero(key, value, free=free))
    if found is None:
        return []
    code, text, expected = found
    return [Issue(code, f"/{key}", f"{key.replace('_', ' ')} {text}.", expected, str(given)[:40])]


def _wrong_tokens(value: Decimal | int | None) -> tuple[str, str, str] | None:
    if value is not None and 0 < value <= LONGEST:
        return None
    expected = f"a number of tokens from 1 to {LONGEST:,}"
    return "price_tokens", f"must be {expected}", expected


def _wrong_number(value: Decimal | int | None) -> tuple[str, str, str] | None:
    if value is None:
        return "price_number", "must be a number such as 0.15", "a number such as 0.15"
    if value < 0:
        return "price_negative", "is negative: nobody pays you for tokens", "above 0"
    if value > HIGHEST or value != round(value, DECIMALS):
        expected = f"at most {HIGHEST:,} with at most {DECIMALS} decimals"
        return "price_number", f"must be {expected}", expected
    return None


def _wrong_zero(
    key: str, value: Decimal | int | None, *, free: bool
) -> tuple[str, str, str] | None:
    if value == 0 and not (free and key in {"input", "output"}):
        text = "is 0: only a model that is said to be free costs nothing"
        if "cache" in key:
            text = "is 0: leave it empty to use the input price"
        return "price_zero", text, "above 0"
    if value != 0 and free:
        return "price_free", "is above 0, but the model is said to be free", "0"
    return None


def _missing(numbers: Numbers) -> list[Issue]:
    needed = ["input", "output"]
    long = [name for name in ("long_from", *LONG_NUMBERS) if name in numbers]
    if long:
        needed += ["long_from", "long_input", "long_output"]
    return [
        Issue(
            "price_missing",
            f"/{name}",
            f"{name.replace('_', ' ')} is missing"
            + (f": {long[0].replace('_', ' ')} needs it." if name.startswith("long") else "."),
            "a number above 0",
        )
        for name in needed
        if name not in numbers
    ]


def _cheaper_when_long(numbers: Numbers) -> list[Issue]:
    """A long price below the short one: more tokens would cost less, so somebody mixed them up."""
    whole = price(numbers)
    if whole.long is None:
        return []
    return [
        Issue(
            "price_long",
            f"/long_{name}",
            f"The long price of {name.replace('_', ' ')} is lower than the short one.",
            f"at least {getattr(whole, name)}",
            str(getattr(whole.long, name)),
        )
        for name in NUMBERS
        if getattr(whole.long, name) < getattr(whole, name)
    ]


def _unknown(key: str) -> Issue:
    return Issue("price_field", f"/{key}", f"A price has no {key!r}.", ", ".join(FIELDS))
