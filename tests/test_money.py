from decimal import Decimal

import pytest

from pilot import money


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "unpriced"),
        ("0", "$0"),
        ("0.000000000000", "$0"),
        ("0.000000000001", "$0.000000000001"),
        ("0.00026", "$0.00026"),
        ("0.000260000000", "$0.00026"),
        ("0.00012345", "$0.0001235"),
        ("0.0099994", "$0.009999"),
        ("0.00999999", "$0.01"),
        ("0.01", "$0.01"),
        ("0.125", "$0.125"),
        ("0.5", "$0.50"),
        ("0.12345", "$0.1235"),
        ("0.99994", "$0.9999"),
        ("0.99996", "$1.00"),
        ("1", "$1.00"),
        ("1.005", "$1.01"),
        ("1234567.891", "$1,234,567.89"),
        ("-0.5", "-$0.50"),
        ("-0.00026", "-$0.00026"),
        ("-1234.5", "-$1,234.50"),
    ],
)
def test_money_reads_as_written_in_the_rules(amount, shown):
    assert money.usd(None if amount is None else Decimal(amount)) == shown


def test_money_is_never_float():
    with pytest.raises(TypeError, match="never float"):
        money.usd(0.5)


def test_the_exact_amount_is_kept():
    assert money.exact(Decimal("0.000260000000")) == "0.000260000000 USD"
    assert money.exact(None) == "no price is known for this model"


def test_a_sum_names_what_has_no_price():
    assert money.total(Decimal("1.24"), 3) == ">= $1.24 + 3 unpriced"
    assert money.total(Decimal("1.24")) == "$1.24"


def test_an_estimate_shows_its_range():
    low, likely, high = Decimal("0.01"), Decimal("0.02"), Decimal("0.05")
    assert money.estimate(likely, low, high) == "~$0.02 ($0.01 to $0.05)"
