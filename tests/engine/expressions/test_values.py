"""How values compare and compute, kind against kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.engine.expressions import NullOperandError
from pilot.engine.expressions.values import (
    compare,
    contains,
    equal,
    least_characters,
    match_key,
    plain_number,
    work_of,
)
from pilot.errors import ErrorClass, ExpressionError
from tests.engine.expressions.evaluating import ZONE, fault, value

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["4", "4.0", " 4 ", "-0", "0", "04", "1e3", "", "2026-03-10"])
    | st.text(max_size=3)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.1 + 0.2 == 0.3", True),
        ("0.1 + 0.2", 0.3),
        ("1 / 4", 0.25),
        ("10 / 5", 2),
        ("3 * 1.1", 3.3),
        ("2 / 3", 0.6666666666666666),
        ("-7 % 3", 2),
        ("7 % -3", -2),
        ("7.5 % 2", 1.5),
        ("1 - 1.0", 0),
        ("-0.0", 0),
        ("'a' + 'b'", "ab"),
        ("9007199254740991 + 1", 2**53),
    ],
)
def test_arithmetic_is_decimal(text, wanted):
    found = value(text)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "by zero"),
        ("1 % 0", "by zero"),
        ("1 + '2'", "number + text does not work"),
        ("'a' - 'b'", "text - text does not work"),
        ("true + 1", "boolean + number does not work"),
        ("[1] + [2]", "list + list does not work"),
        ("-'a'", "number - text does not work"),
    ],
)
def test_other_kinds_do_not_compute(text, message):
    assert message in fault(text)


def test_numbers_stay_within_two_to_the_53():
    assert "beyond 2^53" in fault("9007199254740992 + 1", error_class=ErrorClass.LIMIT)
    assert "beyond 2^53" in fault("9007199254740992 * 10", error_class=ErrorClass.LIMIT)
    assert "beyond 2^53" in fault("inputs.n + 0", error_class=ErrorClass.LIMIT, n=1e300)


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "%", "<", "<=", ">", ">="])
def test_null_has_neither_order_nor_result(operator):
    assert "default(" in fault(f"null {operator} 1", kind=NullOperandError)
    assert "default(" in fault(f"1 {operator} inputs.n", kind=NullOperandError, n=None)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("4 == '4'", True),
        ("'4.0' == 4", True),
        ("' 4 ' == 4", True),
        ("-4 == '-4'", True),
        ("4 == '4e0'", False),
        ("4 == '+4'", False),
        ("4 == '4.'", False),
        ("4 == 'four'", False),
        ("'4' == '4.0'", False),
        ("'a' == 'A'", False),
        ("4 == 4.0", True),
        ("true == 1", False),
        ("'true' == true", False),
        ("null == null", True),
        ("null == 0", False),
        ("null == ''", False),
        ("null == false", False),
        ("null != 1", True),
        ("[1, '2'] == ['1', 2]", True),
        ("[1, 2] == [2, 1]", False),
        ("[true] == [1]", False),
        ("inputs == inputs", True),
        ("inputs.a == inputs.b", True),
        ("inputs.a != inputs.c", True),
        ("[] == ''", False),
    ],
)
def test_equality_is_by_kind_and_deep(text, wanted):
    assert value(text, a={"x": [1], "y": None}, b={"y": None, "x": ["1"]}, c={"x": [1]}) is wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2 < 10", True),
        ("'2' < '10'", True),
        ("'2' < 10", True),
        ("10 >= ' 10 '", True),
        ("'b' > 'a10'", True),
        ("'B' < 'a'", True),
        ("'2026-03-10' < '2026-03-10T00:00:01'", True),
        ("'2026-03-10' <= '2026-03-09T23:00:00Z'", True),
        ("'2026-03-10T10:00:00+02:00' < '2026-03-10T09:00:00Z'", True),
        ("'2026-03-10 10:00' < '2026-03-10T10:00:01'", True),
        ("'2026-10-25T00:30:00Z' < '2026-10-25T01:15:00Z'", True),
        ("9007199254740992 > 9007199254740991", True),
        ("0.1 + 0.2 <= 0.3", True),
    ],
)
def test_order_is_of_numbers_moments_or_code_points(text, wanted):
    assert value(text) is wanted


@pytest.mark.parametrize(
    "text",
    [
        "'abc' < 1",
        "1 < 'abc'",
        "'12' < 'abc'",
        "'2026-03-10' < 'soon'",
        "'2026-03-10' < '12'",
        "'2026-03-10' < 20260310",
    ],
)
def test_kinds_that_do_not_meet_have_no_order(text):
    assert "have no order" in fault(text)


@pytest.mark.parametrize("text", ["true < false", "[1] < [2]", "inputs < inputs", "1 < true"])
def test_booleans_lists_and_objects_have_no_order(text):
    assert "has no order" in fault(text)


def test_a_day_begins_at_midnight_of_the_zone():
    assert compare("2026-03-10", "2026-03-09T23:00:00Z", ZONE) == 0
    assert compare("2026-03-10", "2026-03-10T00:00:00Z") == 0


def test_dates_outside_the_calendar_are_errors():
    with pytest.raises(ExpressionError, match="outside the calendar"):
        compare("0001-01-01T00:00:00+10:00", "2026-03-10", ZONE)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2 in [1, '2']", True),
        ("'2' in [1, 2.0]", True),
        ("'x' in ['y']", False),
        ("null in [null]", True),
        ("true in [1]", False),
        ("[1] in [[1]]", True),
        ("'k' in inputs.o", True),
        ("'v' in inputs.o", False),
        ("1 in inputs.o", False),
        ("'ell' in 'hello'", True),
        ("'' in 'hello'", True),
    ],
)
def test_in_asks_for_elements_keys_or_parts(text, wanted):
    assert value(text, o={"k": "v"}) is wanted


def test_in_needs_a_container_that_fits():
    assert "text()" in fault("1 in '123'")
    assert "does not work" in fault("1 in 2")
    assert "default(" in fault("1 in null", kind=NullOperandError)
    assert "default(" in fault("null in 'text'", kind=NullOperandError)


@pytest.mark.parametrize("text", ["1 and true", "true and 'true'", "not 0", "[] or true"])
def test_nothing_but_a_boolean_is_true_or_false(text):
    assert "compare it" in fault(text)


def test_null_is_no_condition():
    assert "exists()" in fault("not null", kind=NullOperandError)
    assert "exists()" in fault("inputs.n or true", kind=NullOperandError, n=None)


@given(JSON, JSON)
def test_equality_is_symmetric_and_equal_values_share_a_key(a, b):
    assert equal(a, b) is equal(b, a)
    assert equal(a, a)
    if equal(a, b):
        assert match_key(a) == match_key(b)
    assert contains([a], b) is equal(a, b)


@given(SCALARS, SCALARS)
def test_order_is_antisymmetric_or_an_error_both_ways(a, b):
    def ordered(x, y):
        try:
            return compare(x, y)
        except ExpressionError:
            return None

    there, back = ordered(a, b), ordered(b, a)
    assert (there is None) is (back is None)
    assert there is None or there == -back


@given(JSON)
def test_work_counts_every_part_until_its_limit(one):
    assert work_of([one, one], 1000) == 1 + 2 * work_of(one, 1000)
    assert work_of([0] * 50, 10) > 10
    assert least_characters("x" * 5, 100) >= 5


def test_a_number_of_a_thousand_digits_is_read_exactly():
    assert plain_number("1" + "0" * 30 + "1") != plain_number("1" + "0" * 31)
    assert plain_number("1" * 1001) is None
