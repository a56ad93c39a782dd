"""Functions on lists."""

import pytest

from pilot.errors import ErrorClass
from tests.engine.expressions.evaluating import fault, value

ROWS = [{"n": 1, "t": "a"}, {"n": "1", "t": "b"}, {"t": "a"}]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("first([3, 2])", 3),
        ("last([3, 2])", 2),
        ("first([])", None),
        ("last([])", None),
        ("slice([1, 2, 3], 1)", [2, 3]),
        ("slice([1, 2, 3], 0, 2)", [1, 2]),
        ("slice([1, 2, 3], -2)", [2, 3]),
        ("slice([1, 2, 3], 5, 9)", []),
        ("pluck(inputs.rows, 'n')", [1, "1", None]),
        ("pluck([1, null], 'n')", [None, None]),
        ("unique(['b', 'a', 'b'])", ["b", "a"]),
        ("unique([1, '1', 1.0, true, null, null])", [1, True, None]),
        ("unique(['1', 1])", ["1"]),
        ("unique(['4', '4.0'])", ["4", "4.0"]),
        ("any([false, true])", True),
        ("all([false, true])", False),
        ("any([])", False),
        ("all([])", True),
    ],
)
def test_functions_on_lists(text, wanted):
    assert value(text, rows=ROWS) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("first('abc')", "list is needed"),
        ("slice('abc', 1)", "list is needed"),
        ("slice([1], 'a')", "whole number"),
        ("slice([1], true)", "whole number"),
        ("pluck([1], 2)", "text is needed"),
        ("pluck(inputs, 'a')", "list is needed"),
        ("unique('abc')", "list is needed"),
        ("any([1])", "true and false"),
        ("all(true)", "list is needed"),
    ],
)
def test_another_kind_is_an_error(text, message):
    assert message in fault(text)


def test_objects_without_doubles_keep_the_first():
    rows = [{"a": 1}, {"a": "1"}, {"a": 2}, {"b": 1}] * 100
    assert value("unique(inputs.rows)", rows=rows) == [{"a": 1}, {"a": 2}, {"b": 1}]


@pytest.mark.capability(278)
@pytest.mark.parametrize(
    "text", ["slice(inputs.list, 1)", "pluck(inputs.list, 'a')", "unique(inputs.list)"]
)
def test_a_computed_list_has_at_most_10_000_elements(text):
    message = fault(text, error_class=ErrorClass.LIMIT, list=list(range(10_002)))
    assert "more than 10,000 elements" in message


@pytest.mark.capability(278)
@pytest.mark.parametrize(
    "text",
    ["sum(inputs.list)", "5 in inputs.list", "max(inputs.list)", "inputs.list == inputs.list"],
)
def test_a_list_of_more_than_100_000_elements_is_too_much_work(text):
    many = list(range(10, 100_020))
    assert "too much work" in fault(text, error_class=ErrorClass.LIMIT, list=many)


@pytest.mark.capability(278)
def test_work_adds_up_over_the_parts_of_an_expression():
    many = list(range(30_000))
    assert (
        value("'a' in inputs.list or 'b' in inputs.list or 'c' in inputs.list", list=many) is False
    )
    text = " or ".join(f"'a{n}' in inputs.list" for n in range(4))
    assert "too much work" in fault(text, error_class=ErrorClass.LIMIT, list=many)


@pytest.mark.capability(278)
def test_equal_keys_of_different_texts_do_not_make_unique_slow():
    texts = ["4." + "0" * n for n in range(900)] * 11
    assert "too much work" in fault("unique(inputs.t)", error_class=ErrorClass.LIMIT, t=texts)
