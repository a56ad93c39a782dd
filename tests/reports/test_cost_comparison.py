"""The cost comparison: computed, with the classic example and what it must never claim."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.reports.cost_comparison import Given, compare

D = Decimal
CLASSIC = Given(10_000, D("0.05"), D(0), D("0.001"), D("0.03"))


@pytest.mark.capability(103, 115)
def test_the_classic_example():
    strong, cheap, both = compare(CLASSIC).rows
    assert (strong.month, cheap.month, both.month) == (300, 10, 25)
    assert (both.saved_month, both.saved_year) == (275, 3_300)
    assert round(both.saved_percent, 1) == D("91.7")
    assert cheap.failing == 500
    assert both.formula == "10,000 x (1 - 0) x ($0.001 + 0.05 x $0.03)"


@pytest.mark.capability(103)
def test_above_the_break_even_rate_the_pair_costs_more():
    even = compare(CLASSIC).break_even
    at = Given(10_000, even, D(0), D("0.001"), D("0.03"))
    assert round(compare(at).rows[2].month, 9) == 300
    assert compare(Given(10_000, D(1), D(0), D("0.001"), D("0.03"))).rows[2].saved_month < 0


def test_what_has_no_price_is_unknown_and_never_free():
    strong, cheap, both = compare(Given(100, D("0.05"), D(0), None, D("0.03"))).rows
    assert (cheap.month, both.month) == (None, None)
    assert strong.month == 3
    assert "unpriced" in both.formula


def test_nothing_a_month_costs_and_saves_nothing():
    for row in compare(Given(0, D("0.05"), D(0), D("0.001"), D("0.03"))).rows:
        assert (row.month, row.saved_month, row.saved_percent) == (0, 0, None)


SHARES = st.decimals(0, 1, places=3)
COSTS = st.decimals(0, 1, places=6)


@given(st.integers(0, 10**6), SHARES, SHARES, COSTS, COSTS)
def test_costs_are_exact_and_never_negative(volume, rate, free, primary, fallback):
    strong, cheap, both = compare(Given(volume, rate, free, primary, fallback)).rows
    assert strong.month == volume * fallback
    assert both.month == cheap.month + volume * (1 - free) * rate * fallback
    assert all(row.month >= 0 and row.year == row.month * 12 for row in (strong, cheap, both))
