"""Exact sums and averages, and numbers that came as text."""

from collections.abc import Iterable
from decimal import Decimal

from pilot.engine.expressions.values import DECIMAL, decimal, is_number, plain_number
from pilot.errors import type_json


def number_of(value: type_json) -> Decimal | None:
    """Return the number that a value is, also one written as plain text, or None."""
    if isinstance(value, str):
        return plain_number(value)
    return decimal(value) if is_number(value) else None


def total(numbers: Iterable[Decimal]) -> Decimal:
    """Return the sum, to 28 digits."""
    result = Decimal(0)
    for number in numbers:
        result = DECIMAL.add(result, number)
    return result


def mean(numbers: list[Decimal]) -> Decimal:
    """Return the average of at least one number, to 28 digits."""
    return DECIMAL.divide(total(numbers), Decimal(len(numbers)))
