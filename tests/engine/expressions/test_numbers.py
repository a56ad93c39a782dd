"""Functions on numbers."""

import pytest

from pilot.engine.expressions import NullOperandError
from pilot.errors import ErrorClass
from tests.engine.expressions.evaluating import fault, value


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("number('1234.5')", 1234.5),
        ("number(' -7 ')", -7),
        ("number(3)", 3),
        ("number('1,234.50', '1,234.56')", 1234.5),
        ("number('1.234,5', '1.234,56')", 1234.5),
        ("number('1234,5', '1.234,56')", 1234.5),
        ("number('1 234 567', '1 234,56')", 1234567),
        ("number('1\u00a0234,5', '1 234,56')", 1234.5),
        ('number("1\'234.5", "1\'234.56")', 1234.5),
        ("number('-12,5', '1234,56')", -12.5),
        ("round(2.5)", 3),
        ("round(-2.5)", -3),
        ("round(0.125, 2)", 0.13),
        ("round(1.005, 2)", 1.01),
        ("round(9007199254740992, 12)", 2**53),
        ("abs(-2.5)", 2.5),
        ("floor(-2.5)", -3),
        ("ceil(2.1)", 3),
        ("min(3, '2', 10)", "2"),
        ("max([3, null, 10])", 10),
        ("max('2026-03-10', '2026-03-09')", "2026-03-10"),
        ("min([])", None),
        ("max([null])", None),
        ("sum([0.1, 0.2, null])", 0.3),
        ("sum([])", 0),
        ("avg([1, null, 2])", 1.5),
        ("avg([])", None),
        ("avg([1, 1, 2])", 1.3333333333333333),
    ],
)
def test_functions_on_numbers(text, wanted):
    found = value(text)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("number('1,5')", "is no number written like 1234.56"),
        ("number('1.23', '1.234,56')", "is no number written like 1.234,56"),
        ("number('12.34.567', '1.234,56')", "is no number"),
        ("number('1e5')", "is no number"),
        ("number('')", "is no number"),
        ("number(true)", "takes a text"),
        ("number('1', 'de')", "one of 1,234.56"),
        ("number('1', [])", "one of 1,234.56"),
        ("round('2.5')", "use number()"),
        ("round(2, 13)", "0 to 12 places"),
        ("round(2, -1)", "0 to 12 places"),
        ("round(2, 1.5)", "0 to 12 places"),
        ("round(2, true)", "0 to 12 places"),
        ("abs(true)", "use number()"),
        ("sum('12')", "list is needed"),
        ("sum([1, '2'])", "use number()"),
        ("avg([true])", "use number()"),
        ("min(1, 'a')", "have no order"),
        ("min([true])", "has no order"),
    ],
)
def test_another_kind_is_an_error_that_says_what_to_use(text, message):
    assert message in fault(text)


@pytest.mark.parametrize("name", ["round", "abs", "floor", "ceil", "number"])
def test_results_stay_within_two_to_the_53(name):
    assert "2^53" in fault(f"{name}(inputs.n)", error_class=ErrorClass.LIMIT, n=1e300)


def test_the_places_of_a_rounded_number_are_not_null():
    assert "places" in fault("round(1.5, null)")
    assert "default()" in fault("slice([1], null)", kind=NullOperandError)
