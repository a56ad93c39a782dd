"""Making one of many."""

import pytest

from pilot.errors import ErrorClass
from tests.engine.transforms.work import failure, run, transform

SALES = [
    {"vendor": "A", "month": "Jan", "amount": "0.1", "day": "2026-01-05", "paid": True},
    {"vendor": "B", "month": "Jan", "amount": 7, "day": "2026-01-02", "paid": False},
    {"vendor": "A", "month": "Feb", "amount": 0.2, "day": "2026-02-01", "paid": True},
    {"vendor": None, "month": "Feb", "amount": None, "day": None, "paid": None},
]


def test_groups_come_in_the_order_first_seen():
    groups = run(SALES, ("group", {"by": "vendor"}))
    assert [(one["key"], one["count"]) for one in groups] == [("A", 2), ("B", 1), (None, 1)]
    assert groups[0]["items"] == [SALES[0], SALES[2]]


def test_the_key_of_several_fields_is_an_object():
    groups = run(SALES, ("group", {"by": ["vendor", "month"]}))
    assert groups[2]["key"] == {"vendor": "A", "month": "Feb"}


def test_groups_as_an_object_are_named_by_their_key():
    rows = [{"k": 4, "n": 1}, {"k": "4", "n": 2}, {"k": None, "n": 3}, {"k": True, "n": 4}]
    groups = run(rows, ("group", {"by": "k", "as": "object"}))
    assert {name: [row["n"] for row in items] for name, items in groups.items()} == {
        "4": [1, 2],
        "null": [3],
        "true": [4],
    }


def test_a_list_cannot_name_a_group():
    assert "cannot be the name" in failure([{"k": [1]}], ("group", {"by": "k", "as": "object"}))


@pytest.mark.parametrize(
    ("measure", "values"),
    [
        ({"op": "sum", "field": "amount"}, [0.3, 7, 0]),
        ({"op": "avg", "field": "amount"}, [0.15, 7, None]),
        ({"op": "min", "field": "day"}, ["2026-01-05", "2026-01-02", None]),
        ({"op": "max", "field": "amount"}, [0.2, 7, None]),
        ({"op": "count"}, [2, 1, 1]),
        ({"op": "count", "field": "amount"}, [2, 1, 0]),
        ({"op": "count", "where": "item.paid == true"}, [2, 0, 0]),
        ({"op": "count_distinct", "field": "month"}, [2, 1, 1]),
        ({"op": "first", "field": "month"}, ["Jan", "Jan", "Feb"]),
        ({"op": "last", "field": "month"}, ["Feb", "Jan", "Feb"]),
        ({"op": "list", "field": "amount"}, [["0.1", 0.2], [7], [None]]),
        ({"op": "concat", "field": "month"}, ["Jan, Feb", "Jan", "Feb"]),
        ({"op": "sum", "field": "amount", "where": "item.month == 'Jan'"}, ["0.1", 7, 0]),
    ],
)
def test_each_group_is_measured(measure, values):
    rows = run(SALES, ("aggregate", {"by": "vendor", "measures": {"m": measure}}))
    assert [row["vendor"] for row in rows] == ["A", "B", None]
    assert [row["m"] for row in rows] == [float(one) if one == "0.1" else one for one in values]


def test_without_by_all_rows_are_one_group():
    measures = {"total": {"op": "sum", "field": "amount"}, "n": {"op": "count"}}
    assert run(SALES, ("aggregate", {"measures": measures})) == {"total": 7.3, "n": 4}
    assert run([], ("aggregate", {"measures": measures})) == {"total": 0, "n": 0}


def test_nulls_that_were_left_out_are_counted():
    config = {"by": "vendor", "measures": {"total": {"op": "sum", "field": "amount"}}}
    assert transform(SALES, ("aggregate", config)).notes == [
        "aggregate: 1 of 4 values of amount are null and were left out."
    ]


def test_a_condition_of_a_measure_that_meets_null_is_noted_with_its_name():
    config = {"measures": {"high": {"op": "count", "where": "item.amount > 1"}}}
    found = transform(SALES, ("aggregate", config))
    assert found.value == {"high": 1}
    assert "high: 1 of 4 rows did not match because a value is null (row 4)" in found.notes[0]


@pytest.mark.parametrize("op", ["sum", "avg"])
def test_a_text_that_is_no_number_fails_with_its_row(op):
    rows = [{"v": "a", "n": 1}, {"v": "b", "n": 1}, {"v": "a", "n": "1,50"}]
    config = {"by": "v", "measures": {"m": {"op": op, "field": "n"}}}
    message = failure(rows, ("aggregate", config))
    assert "row 3: n is '1,50', not a number" in message
    assert "parse" in message


def test_values_of_several_kinds_have_no_least():
    rows = [{"v": "a", "n": "x"}, {"v": "b", "n": 1}, {"v": "a", "n": 5}]
    config = {"by": "v", "measures": {"m": {"op": "min", "field": "n"}}}
    assert "n: the values are of several kinds (text in row 1, number in row 3)" in failure(
        rows, ("aggregate", config)
    )


@pytest.mark.parametrize(
    ("values", "config", "result"),
    [
        ([0.1, 0.2], {"op": "sum"}, 0.3),
        ([1.5, "2.5"], {"op": "sum"}, 4),
        ([1, 2], {"op": "avg"}, 1.5),
        ([1, 1, 2], {"op": "avg"}, 1.3333333333333333),
        ([], {"op": "avg"}, None),
        (["b", None, "a"], {"op": "min"}, "a"),
        ([3, "20"], {"op": "max"}, "20"),
        ([1, None], {"op": "count"}, 2),
        ([[1], [2, 3]], {"op": "concat"}, [1, 2, 3]),
        (["a", 1], {"op": "concat"}, "a, 1"),
        (["a", 1.26e-05], {"op": "concat"}, "a, 0.0000126"),
        ([{"a": 1, "b": 1}, {"b": 2}], {"op": "merge"}, {"a": 1, "b": 2}),
        ([True, False, None], {"op": "any"}, True),
        ([True, False], {"op": "all"}, False),
        ([], {"op": "any"}, False),
        ([], {"op": "all"}, True),
        ([1, 5], {"op": "any", "where": "item > 4"}, True),
        ([1, 5], {"op": "all", "where": "item > 4"}, False),
        ([1, 5], {"op": "sum", "where": "item > 4"}, 5),
    ],
)
def test_reduce_makes_one_value(values, config, result):
    assert run(values, ("reduce", config)) == result


@pytest.mark.parametrize(
    ("values", "op", "said"),
    [
        ([True], "sum", "row 1: the element is true or false, not a number"),
        ([{"a": 1}], "concat", "row 1: the element is an object, not a text"),
        ([1], "merge", "row 1: the element is a number, not an object"),
        ([True, "yes"], "all", "row 2: the element is 'yes', not true or false"),
    ],
)
def test_a_value_of_the_wrong_kind_cannot_be_reduced(values, op, said):
    assert said in failure(values, ("reduce", {"op": op}))


def test_a_sum_beyond_exact_numbers_is_refused():
    message = failure([2**53, 1], ("sum", {}), error_class=ErrorClass.LIMIT)
    assert "beyond 2^53" in message


def test_count_and_sum_are_short_for_reduce():
    assert run(SALES, ("count", {})) == 4
    assert run(SALES, ("count", {"field": "amount"})) == 3
    assert run(SALES, ("count", {"where": "item.vendor == 'A'"})) == 2
    assert run(SALES, ("sum", {"field": "amount"})) == 7.3


PIVOT = {"rows": "vendor", "column": "month", "value": "amount"}


def test_pivot_spreads_values_over_columns():
    assert run(SALES, ("pivot", PIVOT)) == [
        {"vendor": "A", "Jan": 0.1, "Feb": 0.2},
        {"vendor": "B", "Jan": 7, "Feb": None},
        {"vendor": None, "Jan": None, "Feb": 0},
    ]


def test_a_pivot_of_counts_has_no_nulls():
    rows = run(SALES, ("pivot", {"rows": ["vendor"], "column": "month", "op": "count"}))
    assert rows[1] == {"vendor": "B", "Jan": 1, "Feb": 0}


@pytest.mark.parametrize(
    ("rows", "error_class", "said"),
    [
        ([{"r": 1, "c": "r", "v": 1}], ErrorClass.INPUT, "has the value 'r', which is a row field"),
        ([{"r": 1, "c": n, "v": 1} for n in range(1001)], ErrorClass.LIMIT, "more than 1,000"),
    ],
)
def test_columns_that_cannot_be_made_are_refused(rows, error_class, said):
    config = {"rows": "r", "column": "c", "value": "v"}
    assert said in failure(rows, ("pivot", config), error_class=error_class)
