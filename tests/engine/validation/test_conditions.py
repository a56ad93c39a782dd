"""What is wrong within conditions, wherever they stand."""

import pytest

from pilot.engine.validation import repair, validate
from tests.engine.documents import waiting, workflow

SEARCH = {"id": "search", "type": "action", "plugin": "mail", "action": "search", "params": {}}
INPUTS = {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}}


def single(field="inputs.n", operator="equals", value=1, **more):
    return {"field": field, "operator": operator, "value": value, **more}


def where(condition):
    return workflow(SEARCH, waiting("a", execute_if=condition), inputs=INPUTS)


def filtering(condition):
    step = {"id": "t", "type": "transform", "input": "steps.search.output.messages"}
    return workflow(SEARCH, {**step, "operation": "filter", "config": {"condition": condition}})


def test_every_wrong_part_of_a_group_is_named(check):
    group = {
        "and": [
            single(operator="equal"),
            {"or": [single(operator="bigger"), "inputs.n >"]},
            {"not": single(field="search.more")},
        ]
    }
    assert check(where(group)) == [
        ("E_REF_ROOT", "/steps/1/execute_if/and/2/not/field"),
        ("E_OPERATOR", "/steps/1/execute_if/and/0/operator"),
        ("E_OPERATOR", "/steps/1/execute_if/and/1/or/0/operator"),
        ("E_EXPRESSION", "/steps/1/execute_if/and/1/or/1"),
    ]


@pytest.mark.parametrize(
    "condition",
    [
        {"and": []},
        {"and": "inputs.n > 1"},
        {"and": [single()], "field": "inputs.n"},
        {"field": "inputs.n", "operator": "equals"},
        {"operator": "equals", "value": 1},
        single(field="inputs.n >"),
        single(value={"a": 1}),
        single(extra=True),
        "",
        {},
    ],
)
def test_a_condition_that_is_built_wrong_is_one_issue(check, condition):
    found = check(where(condition))
    assert len(found) == 1
    assert found[0][0] == "E_EXPRESSION"


def test_a_condition_nested_too_deep_is_refused(check):
    condition = single()
    for _ in range(40):
        condition = {"not": condition}
    assert check(where(condition)) == [("E_EXPRESSION", "/steps/1/execute_if")]


@pytest.mark.parametrize(
    ("condition", "path", "fixed"),
    [
        (single(field="search.more"), "/steps/1/execute_if/field", "steps.search.output.more"),
        (
            single(field="inputs.s", value="{{search.more}}"),
            "/steps/1/execute_if/value",
            "{{steps.search.output.more}}",
        ),
    ],
)
def test_a_wrong_root_in_a_structured_condition_is_put_right(known, condition, path, fixed):
    (found,) = validate(where(condition), known)
    assert (found.code, found.path) == ("E_REF_ROOT", path)
    assert found.fix == [{"op": "replace", "path": path, "value": fixed}]


def test_a_wrong_root_in_a_transform_is_put_right(known):
    repaired = repair(filtering("item.subject == search.more"), known)
    config = repaired.document["steps"][1]["config"]
    assert config == {"condition": "item.subject == steps.search.output.more"}
    assert [one.code for one in repaired.applied] == ["E_REF_ROOT"]


def test_an_operator_in_a_transform_is_put_right(known):
    repaired = repair(filtering(single(field="subject", operator="is_not_null")), known)
    assert repaired.document["steps"][1]["config"]["condition"]["operator"] == "exists"
    assert repaired.issues == []


def test_a_literal_in_a_condition_is_no_reference(check):
    assert check(filtering(single(field="subject", operator="contains", value="search"))) == []


def test_rules_of_a_validation_see_the_item(check):
    rules = [
        {"condition": "item.n > 0", "message": "Too small."},
        {"condition": "index > 0", "message": "Not here."},
        {"condition": single(field="n", operator="bigger"), "message": "Wrong."},
    ]
    document = workflow({"id": "v", "type": "validation", "input": "inputs", "rules": rules})
    assert check(document) == [
        ("E_REF_ROOT", "/steps/0/rules/1/condition"),
        ("E_OPERATOR", "/steps/0/rules/2/condition/operator"),
    ]
