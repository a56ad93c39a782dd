"""Prices: exact, monotone, never negative; what is no price is refused and named."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.errors import InvalidError
from pilot.llm import prices
from pilot.llm.messages import Usage

NOW = datetime(2026, 11, 21, tzinfo=UTC)
BUCKETS = ("input", "cache_read", "cache_write", "cache_write_long", "output", "reasoning")
numbers = st.decimals(Decimal("0.000001"), 1000, places=6)
tokens = st.integers(0, 5_000_000)
usages = st.builds(Usage, **dict.fromkeys(BUCKETS, tokens))


@st.composite
def known_prices(draw):
    """A price as an administrator gives it: caches or a long price may be left out."""
    given = {"input": draw(numbers), "output": draw(numbers)}
    for name in prices.NUMBERS[2:]:
        if draw(st.booleans()):
            given[name] = draw(numbers)
    if draw(st.booleans()):
        short = prices.price(given)
        given["long_from"] = draw(st.integers(1, 5_000_000))
        for name in prices.NUMBERS:
            given[f"long_{name}"] = getattr(short, name) + draw(numbers)
    return prices.price(prices.read(given))


def by_fractions(price, usage):
    """What the tokens cost, counted apart from the code under test."""
    long = price.long_from is not None and usage.prompt > price.long_from
    rates = price.long if long else price
    pairs = [(bucket, "output" if bucket == "reasoning" else bucket) for bucket in BUCKETS]
    total = sum(getattr(usage, bucket) * Fraction(getattr(rates, name)) for bucket, name in pairs)
    return total / 1_000_000


@pytest.mark.capability(97)
@given(known_prices(), usages)
def test_a_cost_is_exact_and_fits_the_ledger(price, usage):
    cost = price.cost(usage)
    assert Fraction(cost) == by_fractions(price, usage)
    assert cost == round(cost, 12)
    assert cost >= 0


@given(known_prices(), usages, st.sampled_from(BUCKETS), st.integers(1, 1_000_000))
def test_more_tokens_never_cost_less(price, usage, bucket, more):
    larger = Usage(**{**vars(usage), bucket: getattr(usage, bucket) + more})
    assert price.cost(larger) > price.cost(usage)


def test_above_the_limit_all_tokens_cost_the_long_price():
    price = prices.price(
        prices.read({"input": 1, "output": 2, "long_from": 100, "long_input": 5, "long_output": 10})
    )
    assert price.cost(Usage(input=60, cache_read=40, output=10)) == Decimal("0.000120")
    assert price.cost(Usage(input=61, cache_read=40, output=10)) == Decimal("0.000605")


def test_a_cache_without_a_price_costs_what_the_input_costs():
    price = prices.price(prices.read({"input": "0.15", "output": "0.60"}))
    assert price.cost(Usage(cache_read=1_000_000)) == Decimal("0.15")
    assert price.cost(Usage(cache_write=1_000_000)) == Decimal("0.15")
    assert price.cost(Usage(cache_write_long=1_000_000)) == Decimal("0.15")


@pytest.mark.parametrize(
    ("given", "path", "code"),
    [
        ({"output": 1}, "/input", "price_missing"),
        ({"input": "", "output": 1}, "/input", "price_missing"),
        ({"input": 0, "output": 1}, "/input", "price_zero"),
        ({"input": 1, "output": "-1"}, "/output", "price_negative"),
        ({"input": 1, "output": 1, "cache_read": 0}, "/cache_read", "price_zero"),
        ({"input": "NaN", "output": 1}, "/input", "price_number"),
        ({"input": "Infinity", "output": 1}, "/input", "price_number"),
        ({"input": "0,15", "output": 1}, "/input", "price_number"),
        ({"input": 0.15, "output": 1}, "/input", "price_number"),
        ({"input": True, "output": 1}, "/input", "price_number"),
        ({"input": "0.0000001", "output": 1}, "/input", "price_number"),
        ({"input": "1000001", "output": 1}, "/input", "price_number"),
        ({"input": 1, "output": 1, "long_from": 9}, "/long_input", "price_missing"),
        ({"input": 1, "output": 1, "long_input": 9}, "/long_from", "price_missing"),
        ({"input": 1, "output": 1, "long_from": "9.5"}, "/long_from", "price_tokens"),
        ({"input": 1, "output": 1, "long_from": 0}, "/long_from", "price_tokens"),
        ({"input": 1, "output": 1, "per_call": 2}, "/per_call", "price_field"),
    ],
)
def test_what_is_no_price_is_refused_and_named(given, path, code):
    with pytest.raises(InvalidError) as refused:
        prices.read(given)
    issues = {(issue.path, issue.code) for issue in refused.value.issues}
    assert (path, code) in issues
    assert all(issue.expected and issue.message.endswith(".") for issue in refused.value.issues)


def test_a_long_price_below_the_short_one_is_refused():
    given = {"input": 2, "output": 2, "long_from": 9, "long_input": 1, "long_output": 3}
    with pytest.raises(InvalidError) as refused:
        prices.read(given)
    assert "/long_input" in {issue.path for issue in refused.value.issues}


def test_only_a_model_that_is_said_to_be_free_costs_nothing():
    assert prices.price(prices.read({"input": 0, "output": 0}, free=True)).cost(Usage(9, 9)) == 0
    for said in ({"input": 0, "output": 1}, {"input": 0, "output": 0, "cache_read": 0}):
        with pytest.raises(InvalidError):
            prices.read(said, free=True)


def test_dates_that_overlap_are_refused():
    past, future = NOW - timedelta(days=30), NOW + timedelta(days=30)
    prices.refuse_overlap(NOW, [past, future], NOW)
    prices.refuse_overlap(NOW + timedelta(days=60), [past, future], NOW)
    prices.refuse_overlap(past, [], NOW)
    for taken in (past, future, past - timedelta(days=1)):
        with pytest.raises(InvalidError) as refused:
            prices.refuse_overlap(taken, [past, future], NOW)
        assert refused.value.issues[0].code == "price_overlaps"
