"""Loops, scatters and groups at save: whose names there are where, and what is bounded."""

import pytest

from pilot.engine.validation import validate
from tests.engine.documents import workflow
from tests.engine.worker_process import put

INPUTS = {"type": "object", "properties": {"rows": {"type": "array"}}}


def loop(*body, **fields):
    given = {"id": "each", "type": "loop", "items": "inputs.rows", "item_name": "row"}
    return given | {"steps": list(body)} | fields


@pytest.fixture
def errors(check):
    def found(*steps, **document):
        given = check(workflow(*steps, inputs=INPUTS, **document))
        return [one for one in given if one[0].startswith("E_")]

    return found


TABLE = {"id": "h", "type": "transform", "input": "inputs.rows", "operation": "render_table",
         "config": {"columns": ["a"], "format": "html"}}  # fmt: skip
CALL = {"id": "c", "type": "action", "plugin": "http", "action": "request",
        "params": {"method": "GET", "url": "https://example.com/"}}  # fmt: skip
KINDS = {"l": {"type": "array"}, "s": {"type": "string"}, "n": {"type": "integer"}, "any": {},
         "maybe": {"type": ["array", "null"]}, "rows": {"type": "array"}}  # fmt: skip


@pytest.mark.parametrize("kind", ["loop", "scatter_gather"])
@pytest.mark.parametrize(
    ("items", "got"),
    [
        (5, "a whole number"),
        ("5", "a number"),
        ("'a'", "text"),
        ({"a": "inputs.l"}, "an object"),
        (True, "true or false"),
        ("len(inputs.l)", "a number"),
        ("inputs.l == 1", "true or false"),
        ("inputs.s", "text"),
        ("{{inputs.n}}", "a whole number"),
        ("all {{inputs.l}}", "text"),
        ("steps.h.output.text", "text"),
        ("steps.c.output.status", "a whole number"),
        ("inputs.l", None),
        ("{{inputs.any}}", None),
        ("inputs.maybe", None),
        ("default(inputs.any, [])", None),
        (["inputs.s", "inputs.n"], None),
        ("[1, 2]", None),
        ("null", None),
        ("split(inputs.s, ',')", None),
    ],
)
def test_what_cannot_be_a_list_is_not_run_over(known, kind, items, got):
    each = loop(put("a", 1), type=kind, items=items)
    found = validate(
        workflow(TABLE, CALL, each, inputs={"type": "object", "properties": KINDS}), known
    )
    told = [(one.path, one.expected, one.got) for one in found if one.code == "E_TYPE"]
    assert told == ([("/steps/2/items", "a list", got)] if got else [])


@pytest.mark.parametrize("root", ["item.id", "row.id", "index", "loop.first", "loop.previous"])
def test_a_round_has_names_of_its_own(errors, root):
    assert errors(loop(put("a", f"{{{{{root}}}}}"))) == []
    outside = put("b", f"{{{{{root}}}}}", dependencies=["each"])
    assert errors(loop(put("a", 1)), outside) == [("E_REF_ROOT", "/steps/1/config/value")]


def test_a_scatter_has_no_loop(errors):
    scatter = loop(put("a", "{{loop.first}}"), type="scatter_gather")
    assert errors(scatter) == [("E_REF_ROOT", "/steps/0/steps/0/config/value")]


def test_steps_of_a_round_are_read_only_in_it(issue, errors):
    steps = [loop(put("a", 1)), put("b", "{{steps.a.output}}")]
    found = issue(workflow(*steps, inputs=INPUTS), "E_REF_SCOPE")
    assert found.path == "/steps/1/config/value"
    assert found.expected == "steps.each.output.items"
    assert errors(loop(put("a", 1), put("c", "{{steps.a.output}}"))) == []
    nested = loop(loop(put("a", 1), id="inner"), put("c", "{{steps.a.output}}"))
    assert errors(nested) == [("E_REF_SCOPE", "/steps/0/steps/1/config/value")]


@pytest.mark.parametrize(
    "field", [{"output": "{{steps.a.output}}"}, {"break_if": "steps.a.output"}]
)
def test_some_fields_of_a_loop_see_the_steps_inside(check, errors, field):
    assert errors(loop(put("a", True), **field)) == []
    document = workflow(loop(put("a", True), **field), inputs=INPUTS)
    assert "W_REF_MAYBE_SKIPPED" not in dict(check(document))
    assert errors(loop(put("a", 1), items="steps.a.output"))[0][0] == "E_REF_FORWARD"


def test_a_loop_by_condition_is_bounded(errors):
    again = {k: v for k, v in loop(put("a", 1)).items() if k != "items"} | {"while": "index < 3"}
    assert errors(again) == [("E_UNBOUNDED_LOOP", "/steps/0/max_iterations")]
    assert errors(again | {"max_iterations": 5}) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"items": None},
        {"while": "true"},
        {"steps": []},
        {"max_iterations": 10_001},
    ],
)
def test_a_loop_that_means_nothing_is_refused(errors, fields):
    given = loop(put("a", 1)) | fields
    given = {key: value for key, value in given.items() if value is not None}
    assert errors(given)


@pytest.mark.parametrize("tolerated", ["five", -1, "101%", 1.5, True, None])
@pytest.mark.parametrize("kind", ["loop", "scatter_gather"])
def test_what_cannot_be_tolerated_is_named_at_its_place(errors, kind, tolerated):
    given = loop(put("a", 1)) | {"type": kind, "failure": {"tolerate": tolerated}}
    assert errors(given) == [("E_SCHEMA", "/steps/0/failure/tolerate")]


def test_a_name_that_is_taken_is_named_at_its_place(errors):
    assert errors(loop(put("a", 1)) | {"item_name": "steps"}) == [
        ("E_SCHEMA", "/steps/0/item_name")
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"branches": {}},
        {"branches": {"a": []}},
        {"branches": {"9": [put("a", 1)]}},
        {"join": 2},
        {"join": 0},
        {"join": "some"},
    ],
)
def test_a_group_that_cannot_be_joined_is_refused(errors, fields):
    group = {"id": "g", "type": "parallel_group", "branches": {"a": [put("a", 1)]}}
    assert errors(group) == []
    assert errors(group | fields)


def test_branches_of_a_group_do_not_exclude_each_other(check):
    branches = {"a": [put("a", 1)], "b": [put("b", 2)]}
    group = {"id": "g", "type": "parallel_group", "branches": branches}
    both = put("c", "{{steps.a.output + steps.b.output}}")
    assert check(workflow(group, both, output="{{steps.c.output}}")) == []
    found = check(workflow(group | {"join": "any"}, both, output="{{steps.c.output}}"))
    assert {code for code, _ in found} == {"W_REF_MAYBE_SKIPPED"}


def test_an_approval_outside_cannot_show_what_runs_for_each_item(errors):
    send = {"plugin": "mail", "action": "send", "params": {"to": ["a@b.test"], "subject": "x"}}
    send |= {"id": "send", "type": "action"}
    send["params"]["text"] = "{{item.n}}"
    ask = {"id": "ask", "type": "human_approval", "title": "?", "approvers": ["owner"]}
    ask |= {"guards": ["send"]}
    assert errors(ask, loop(send)) == [("E_REF_SCOPE", "/steps/0/guards/0")]
    assert errors(loop(ask, send)) == []


def test_a_model_that_is_asked_item_by_item_warns(check):
    ask = {"id": "ask", "type": "ai_processing", "prompt": "Sort this.", "input": "item"}
    document = workflow(loop(ask), inputs=INPUTS, output="{{steps.each.output.items}}")
    assert ("W_LLM_IN_LOOP", "/steps/0/steps/0") in check(document)


def test_an_effect_that_cannot_be_repeated_warns_in_a_loop(check):
    post = {"plugin": "http", "action": "request", "id": "post", "type": "action"}
    post["params"] = {"method": "POST", "url": "https://api.test/x", "json": {"n": "{{item.n}}"}}
    assert ("W_RETRY_ONCE", "/steps/0/steps/0/action") in check(workflow(loop(post), inputs=INPUTS))


def sub(*steps, **fields):
    return {"id": "sub", "type": "sub_workflow", "steps": list(steps)} | fields


def test_steps_of_a_workflow_within_are_checked_where_they_stand(errors):
    assert errors(sub(put("a", "{{inputs.n}}"))) == [
        ("E_REF_FIELD", "/steps/0/steps/0/config/value")
    ]
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert errors(sub(put("a", "{{inputs.n}}"), inputs_schema=schema)) == []
    twice = [put("a", 1), sub(put("a", 2))]
    assert errors(*twice) == []  # ids of its own


def test_without_a_schema_steps_may_read_what_they_are_given(errors):
    reads = [put("a", "{{inputs.n}}"), put("b", "{{inputs.list.x}}")]
    assert errors(sub(*reads, inputs={"n": 1, "list": "{{execution.id}}"})) == []
    assert errors(sub(*reads, inputs="{{execution}}")) == []
    missing = ("E_REF_FIELD", "/steps/0/steps/1/config/value")
    assert errors(sub(*reads, inputs={"n": 1})) == [missing]


def test_workflows_within_workflows_are_not_too_deep(errors):
    step = sub(put("a", 1))
    for _ in range(10):
        step = sub(step)
    assert [code for code, _ in errors(step)] == ["E_RECURSION"]


@pytest.mark.parametrize(
    "fields",
    [
        {"agent": "x"},
        {"steps": None},
        {"version": 1},
        {"detach": True},
        {"steps": []},
    ],
)
def test_a_sub_workflow_runs_one_thing(errors, fields):
    given = {k: v for k, v in (sub(put("a", 1)) | fields).items() if v is not None}
    assert errors(given)
