"""What holds for every operation: null, empty, missing fields, wrong kinds, bounds."""

import copy

import pytest

from pilot.engine.transforms import OPERATIONS, Transformed
from pilot.errors import ErrorClass
from tests.engine.transforms.work import failure, pipeline, run, scope, transform

ROWS = [
    {"id": 1, "name": "Ada", "amount": "10", "parts": [{"n": 1}, {"n": 2}], "inner": {"x": 1}},
    {"id": 2, "name": "Bob", "amount": "2.5", "parts": [], "inner": None},
    {"id": 3, "name": "Ada", "amount": None, "parts": [{"n": 3}], "inner": {"x": 2}},
]
RIGHT = "steps.other.output"

# A configuration of each operation that fits ROWS, and what it makes of no rows at all.
CASES = {
    "map": ({"fields": {"Name": "item.name"}}, []),
    "with_fields": ({"fields": {"Name": "item.name"}}, []),
    "select": ({"fields": ["name"]}, []),
    "filter": ({"condition": "item.name == 'Ada'"}, []),
    "find": ({"condition": "item.name == 'Ada'"}, None),
    "partition": ({"condition": "item.name == 'Ada'"}, {"matched": [], "rest": []}),
    "sort": ({"by": [{"field": "name"}]}, []),
    "group": ({"by": ["name"]}, []),
    "aggregate": ({"by": "name", "measures": {"n": {"op": "sum", "field": "amount"}}}, []),
    "reduce": ({"op": "sum", "field": "amount"}, 0),
    "count": ({"field": "amount"}, 0),
    "sum": ({"field": "amount"}, 0),
    "deduplicate": ({"by": "name"}, []),
    "flatten": ({"field": "parts", "keep": ["id"]}, []),
    "expand": ({"field": "inner"}, []),
    "join": ({"right": RIGHT, "left_key": "id"}, []),
    "set_difference": ({"right": RIGHT, "by": "id"}, []),
    "set_intersection": ({"right": RIGHT, "by": "id"}, []),
    "set_union": ({"right": RIGHT, "by": "id"}, []),
    "pivot": ({"rows": ["id"], "column": "name", "value": "amount"}, []),
    "unpivot": ({"fields": ["amount"], "name": "field"}, []),
    "project_column": ({"field": "name"}, []),
    "objects_to_rows": ({"columns": ["name"]}, []),
    "parse": ({"types": {"amount": "number"}}, []),
    "render_table": ({"columns": ["name"], "empty": "None."}, {"text": "<p>None.</p>", "rows": 0}),
}
# These take any list, or a list of lists.
LISTS = {
    "limit": ({"count": 2}, []),
    "split": ({"size": 2}, []),
    "render_text": ({"template": "x", "empty": "None."}, {"text": "None.", "rows": 0}),
    "rows_to_objects": ({}, []),
}


def test_every_operation_has_its_cases():
    assert {*CASES, *LISTS, "set"} == set(OPERATIONS)


@pytest.mark.parametrize("name", [*CASES, *LISTS])
def test_nothing_gives_the_empty_result(name):
    config, empty = (CASES | LISTS)[name]
    assert transform([], (name, config)) == Transformed(empty, [])


@pytest.mark.parametrize("name", [*CASES, *LISTS])
def test_null_is_an_error_that_says_what_to_do(name):
    message = failure(None, (name, (CASES | LISTS)[name][0]))
    assert message.startswith(f"{name}: the input is null.")
    assert "default(" in message


@pytest.mark.parametrize("name", [*CASES, *LISTS])
def test_one_object_in_place_of_a_list_is_named_with_its_lists(name):
    message = failure({"values": [], "rows": 0}, (name, (CASES | LISTS)[name][0]))
    assert "a list is needed, the input is an object. It has lists under: values." in message


@pytest.mark.parametrize(
    ("value", "kind"), [("x", "a text"), (4, "a number"), (False, "true or false")]
)
def test_one_plain_value_in_place_of_a_list_is_named(value, kind):
    assert failure(value, ("count", {})) == f"count: a list is needed, the input is {kind}."


@pytest.mark.parametrize("name", list(CASES))
def test_rows_of_a_sheet_are_not_taken_for_objects(name):
    message = failure([["name"], ["Ada"]], (name, CASES[name][0]))
    assert message.startswith(f"{name}: a list of objects is needed; element 1 is a list.")
    assert "rows_to_objects" in message


def test_objects_are_not_taken_for_rows_of_a_sheet():
    assert "element 1 is an object. They are objects already" in failure(
        ROWS, ("rows_to_objects", {})
    )


@pytest.mark.parametrize(
    "name", [n for n in CASES if n not in {"map", "with_fields", "filter", "find", "partition"}]
)
def test_a_field_that_no_row_has_is_named_with_the_nearest(name):
    rows = [{key + "s": value for key, value in row.items()} for row in ROWS]
    message = failure(rows, (name, CASES[name][0]), error_class=ErrorClass.REFERENCE)
    assert message.startswith(f"{name}: no row has the field ")
    assert "Nearest: " in message


@pytest.mark.parametrize("name", ["map", "with_fields", "filter", "find", "partition"])
def test_a_field_that_an_expression_reads_and_no_row_has_is_an_error(name):
    failure([{"nam": 1}], (name, CASES[name][0]), error_class=ErrorClass.REFERENCE)


@pytest.mark.parametrize("name", list(CASES))
def test_a_field_that_some_rows_lack_is_null_there(name):
    row = {"id": 4, "name": "Eve", "amount": "1", "parts": [], "inner": {"x": 1}}
    for field in row:
        partial = [row, {key: value for key, value in row.items() if key != field}]
        padded = [row, {**row, field: None}]
        operation = (name, CASES[name][0])
        assert run(partial, operation) == run(padded, operation)


@pytest.mark.parametrize("name", [*CASES, "limit", "split", "render_text"])
def test_the_input_stays_as_it_was(name):
    before = copy.deepcopy(ROWS)
    run(ROWS, (name, (CASES | LISTS)[name][0]), other=[{"id": 1, "z": 1}])
    assert before == ROWS


def test_more_rows_than_the_bound_are_refused():
    message = failure([{}] * 100_001, ("limit", {"count": 1}), error_class=ErrorClass.LIMIT)
    assert "100,001 rows are more than 100,000" in message


def test_what_rows_read_of_themselves_is_no_reference():
    compiled = pipeline(
        ("filter", {"condition": "item.days < inputs.days and index < 5"}),
        ("set_difference", {"right": "steps.logged.output", "by": "id"}),
        ("render_table", {"empty": "None in {{inputs.text}}"}),
    )
    assert compiled.reads == {
        ("inputs", "days"),
        ("steps", "logged", "output"),
        ("inputs", "text"),
    }


def test_an_item_around_the_step_is_a_reference_of_values_computed_once():
    assert pipeline(("limit", {"count": "{{item.count}}"})).reads == {("item", "count")}


def test_a_pipeline_is_reusable():
    compiled = pipeline(("count", {}))
    assert [compiled.run(rows, scope()).value for rows in ([], [{}], [1, 2])] == [0, 1, 2]


@pytest.mark.parametrize(
    ("config", "html"),
    [({}, True), ({"format": "html"}, True), ({"format": "csv"}, False)],
)
def test_a_pipeline_says_whether_its_text_is_safe_html(config, html):
    assert pipeline(("count", {}), ("render_table", config)).writes_html is html
    assert not pipeline(("render_table", config), ("set", {"value": 1})).writes_html


@pytest.mark.parametrize(
    ("rows", "operation"),
    [
        ([{f"f{n}": n} for n in range(2_000)], ("count", {})),
        ([{"o": {f"f{n}": n}} for n in range(2_000)], ("expand", {"field": "o"})),
        ([["A"], *([["x"]] * 2_000), ["x"] * 2_000], ("rows_to_objects", {})),
        (
            [{"r": n, "c": n % 1000} for n in range(3_000)],
            ("pivot", {"rows": "r", "column": "c", "op": "count"}),
        ),
    ],
)
def test_rows_of_very_different_fields_do_not_fill_the_memory(rows, operation):
    message = failure(rows, operation, error_class=ErrorClass.LIMIT)
    assert "too many different fields" in message
