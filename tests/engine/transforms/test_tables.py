"""Sheets and rows."""

import pytest

from pilot.errors import ErrorClass
from tests.engine.transforms.work import failure, run


@pytest.mark.parametrize(
    ("sheet", "rows"),
    [
        ([["Name", "Age"], [" Ada ", 36]], [{"Name": "Ada", "Age": 36}]),
        ([["A", "B"], ["", None], ["  ", ""], ["x", ""]], [{"A": "x", "B": ""}]),
        ([["A", "B", "C"], ["x"]], [{"A": "x", "B": None, "C": None}]),
        ([["A", "A", "A"], [1, 2, 3]], [{"A": 1, "A_2": 2, "A_3": 3}]),
        ([["A", "A", "A_2"], [1, 2, 3]], [{"A": 1, "A_3": 2, "A_2": 3}]),
        ([["A", ""], [1, 2]], [{"A": 1, "column_2": 2}]),
        ([["A", "", "C"], [1, "", 3]], [{"A": 1, "C": 3}]),
        ([["A"], [1, 2]], [{"A": 1, "column_2": 2}]),
        ([[2025, True], [1, 2]], [{"2025": 1, "True": 2}]),
        ([["A"]], []),
        ([["", None], []], []),
    ],
)
def test_a_sheet_becomes_objects(sheet, rows):
    assert run(sheet, ("rows_to_objects", {})) == rows


def test_the_header_may_stand_further_down():
    sheet = [["Report"], [], ["A", "B"], [1, 2]]
    assert run(sheet, ("rows_to_objects", {"header_row": 2})) == [{"A": 1, "B": 2}]


@pytest.mark.parametrize("header_row", [1, 9])
def test_a_blank_header_is_an_error(header_row):
    message = failure([["A"], [""], [1]], ("rows_to_objects", {"header_row": header_row}))
    assert f"row {header_row + 1} is to be the header" in message


@pytest.mark.parametrize("sheet", [[["A"], "x"], [["A"], 4]])
def test_what_is_no_row_is_refused(sheet):
    assert "a list of rows is needed; element 2 is a" in failure(sheet, ("rows_to_objects", {}))


def test_white_space_stays_without_trim():
    assert run([["A"], [" x "]], ("rows_to_objects", {"trim": False})) == [{"A": " x "}]


def test_columns_can_be_typed_at_once():
    config = {"types": {"Due": "date:DD/MM/YYYY", "Sum": "number"}, "number_format": "1.234,56"}
    sheet = [["Due", "Sum"], ["01/02/2026", "1.000,50"], ["", ""], ["03/02/2026", ""]]
    assert run(sheet, ("rows_to_objects", config)) == [
        {"Due": "2026-02-01", "Sum": 1000.5},
        {"Due": "2026-02-03", "Sum": None},
    ]


def test_a_cell_that_does_not_fit_is_named_by_its_row_of_the_sheet():
    sheet = [["Sum"], [1], [""], ["many"]]
    message = failure(sheet, ("rows_to_objects", {"types": {"Sum": "number"}}))
    assert "row 4: Sum 'many' is no number" in message


def test_a_typed_column_must_be_in_the_header():
    config = {"types": {"Sums": "number"}}
    message = failure([["Sum"], [1]], ("rows_to_objects", config), error_class=ErrorClass.REFERENCE)
    assert "the header does not have the field 'Sums'. Nearest: Sum." in message


def test_objects_become_rows_with_their_header():
    rows = [{"a": 1, "b": None}, {"b": 2, "c": 3}]
    assert run(rows, ("objects_to_rows", {})) == [["a", "b", "c"], [1, None, None], [None, 2, 3]]
    assert run(rows, ("objects_to_rows", {"columns": ["c", "a"]})) == [
        ["c", "a"],
        [None, 1],
        [3, None],
    ]
