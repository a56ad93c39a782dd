import pytest

from pilot.engine.language.catalogue import Column, TableSample
from pilot.engine.validation import repair, validate
from tests.engine.documents import workflow
from tests.engine.goal_documents import TASKS

READ = {"id": "read", "type": "action", "plugin": "tables", "action": "read_range",
        "params": {"table": "gantt.csv"}}  # fmt: skip
SEARCH = {"id": "search", "type": "action", "plugin": "mail", "action": "search", "params": {}}


def over(source, *operations):
    return {"id": "t", "type": "transform", "input": source, "operations": list(operations)}


def op(name, **config):
    return {"operation": name, "config": config}


VALUES = "steps.read.output.values"


@pytest.mark.parametrize(
    ("operations", "code", "path"),
    [
        ([op("filter", condition="item.Task == 'x'")], "E_TYPE", "/0"),
        ([op("rows_to_objects"), op("sort", by=[{"field": "Prio"}])], "E_REF_FIELD",
         "/1/config/by/0/field"),
        ([op("rows_to_objects"), op("filter", condition="item.End_date == 'x'")], "E_REF_FIELD",
         "/1/config/condition"),
        ([op("rows_to_objects"), op("select", fields=["Task"]), op("select", fields=["Owner"])],
         "E_REF_FIELD", "/2/config/fields/0"),
        ([op("rows_to_objects"), op("filter", condition="item.Task ==")], "E_EXPRESSION",
         "/1/config/condition"),
        ([op("shake")], "E_SCHEMA", "/0/operation"),
        ([op("limit")], "E_SCHEMA", "/0/config/count"),
    ],
)  # fmt: skip
def test_a_wrong_operation_is_named_by_its_place(check, operations, code, path):
    assert (code, f"/steps/1/operations{path}") in check(workflow(READ, over(VALUES, *operations)))


def test_a_column_that_surely_is_meant_is_put_in(known):
    document = workflow(
        READ, over(VALUES, op("rows_to_objects"), op("sort", by=[{"field": "priority"}]))
    )
    repaired = repair(document, known)
    assert repaired.issues == []
    assert repaired.document["steps"][1]["operations"][1] == op("sort", by=[{"field": "Priority"}])


def test_rows_are_made_of_a_sheet_first(known):
    document = workflow(READ, over(VALUES, op("filter", condition="item.Task == 'x'")))
    repaired = repair(document, known)
    assert repaired.issues == []
    assert [one["operation"] for one in repaired.document["steps"][1]["operations"]] == [
        "rows_to_objects",
        "filter",
    ]


def test_the_only_operation_of_a_step_is_checked_at_its_place(check):
    step = {"id": "t", "type": "transform", "input": VALUES}
    document = workflow(READ, {**step, "operation": "filter", "config": {"condition": "item.a"}})
    assert check(document) == [("E_TYPE", "/steps/1")]


def test_an_object_is_no_list(check):
    document = workflow(SEARCH, over("steps.search.output", op("limit", count=5)))
    assert check(document) == [("E_TYPE", "/steps/1/operations/0")]


def test_columns_are_known_through_several_transforms(check):
    steps = [*TASKS["steps"]]
    steps[2] = {**steps[2], "config": {"columns": ["Task", "Prio"], "empty": "None."}}
    assert check(workflow(*steps)) == [("E_REF_FIELD", "/steps/2/config/columns/1")]


def test_without_a_sample_nothing_is_said_about_columns(known):
    document = workflow(*TASKS["steps"])
    assert validate(document, known.with_samples([])) == []


def test_doubled_headers_are_numbered_as_they_will_be(known):
    doubled = known.with_samples(
        [TableSample("d.csv", "d", (Column("a", "text"), Column("a", "text")), 1)]
    )
    read = {**READ, "params": {"table": "d.csv", "tab": "d"}}
    good = workflow(read, over(VALUES, op("rows_to_objects"), op("select", fields=["a", "a_2"])))
    bad = workflow(read, over(VALUES, op("rows_to_objects"), op("select", fields=["a_3"])))
    assert validate(good, doubled) == []
    assert [one.code for one in validate(bad, doubled)] == ["E_REF_FIELD"]


def test_a_range_hides_the_header(check):
    read = {**READ, "params": {"table": "gantt.csv", "range": "B2:C9"}}
    fields = over(VALUES, op("rows_to_objects"), op("select", fields=["unheard"]))
    assert check(workflow(read, fields)) == []


@pytest.mark.parametrize(
    ("operations", "then", "codes"),
    [
        ([op("objects_to_rows")], op("rows_to_objects"), []),
        ([op("objects_to_rows")], op("select", fields=["id"]), ["E_TYPE"]),
        ([op("project_column", field="subject")], op("limit", count=1), []),
        ([op("reduce", op="count")], op("limit", count=1), []),
        ([op("find", condition="item.subject == 'a'")], op("limit", count=1), ["E_TYPE"]),
        ([op("select", fields=["id"])], op("select", fields=["subject"]), ["E_REF_FIELD"]),
    ],
)
def test_what_a_transform_gives_the_next_one_takes(check, operations, then, codes):
    first = over("steps.search.output.messages", *operations)
    second = {**over("steps.t.output", then), "id": "u"}
    assert [code for code, _ in check(workflow(SEARCH, first, second))] == codes


def test_a_transform_without_input_is_named(check):
    step = {"id": "t", "type": "transform", "operations": [op("limit", count=1)]}
    assert check(workflow(step)) == [("E_TYPE", "/steps/0/operations/0")]
