"""Whatever is given, issues come back; whatever is broken, the step is named."""

from copy import deepcopy
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilot import older
from pilot.engine.editor import display
from pilot.engine.language import catalogue
from pilot.engine.validation import repair, validate
from pilot.engine.workflow import shape
from pilot.engine.workflow.outline import outline
from pilot.errors import Issue
from tests.engine.documents import GOOD, waiting, workflow

KEYS = st.sampled_from(
    [
        *("id", "type", "steps", "then", "else", "cases", "when", "value", "condition", "input"),
        *("params", "plugin", "action", "operation", "operations", "config", "on_error", "branch"),
        *("execute_if", "dependencies", "guards", "field", "operator", "output", "inputs"),
        *("rules", "schema", "retry", "output_schema", "properties", "default", "approvers"),
    ]
)
TEXTS = st.sampled_from(
    [
        *("action", "transform", "switch", "conditional", "validation", "human_approval", "delay"),
        *("ai_processing", "llm_decision", "a", "b", "mail", "send", "filter", "steps.a.output"),
        *("{{steps.b.output.x}}", "item.x > 1", "{{", "owner", "", "not (", "tables", "read_range"),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 9) | TEXTS
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | TEXTS, inner, max_size=6),
    max_leaves=30,
)
STEPS = st.lists(st.dictionaries(KEYS, JSON, max_size=6) | JSON, max_size=4)
relaxed = settings(max_examples=150, deadline=None)


@cache
def everything():
    return catalogue.load()


@relaxed
@given(document=JSON | st.builds(lambda body: {"steps": body}, STEPS))
def test_no_document_stops_the_validator(document):
    known = everything()
    assert all(isinstance(issue, Issue) for issue in validate(document, known))
    display.lines(document, known)
    if older.is_older(document):
        validate(older.convert(document).document, known)


@relaxed
@given(name=st.sampled_from(sorted(GOOD)), number=st.integers(0, 500), value=JSON)
def test_no_value_in_the_wrong_place_stops_the_validator(name, number, value):
    document = deepcopy(GOOD[name])
    found = list(places(document))
    put(document, found[number % len(found)], value)
    assert all(isinstance(issue, Issue) for issue in validate(document, everything()))
    repair(document, everything())


def places(value, path=()):
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))
        else:
            yield (*path, key)


def put(document, place, value):
    for key in place[:-1]:
        document = document[key]
    document[place[-1]] = value


def mutants():
    """Drop each field that a step needs, rename each id that is read, swap types."""
    for name, document in GOOD.items():
        for node in outline(document):
            for key in ("id", "type", "plugin", "action", "prompt", "condition", "title"):
                if key in node.step:
                    yield name, node.path, "drop", key
            if f"steps.{node.id}." in str(document):
                yield name, node.path, "rename", "id"
            for key in ("type", "params", "input", "operations", "config", "approvers"):
                if key in node.step and (key != "input" or node.type == "transform"):
                    yield name, node.path, "swap", key


@pytest.mark.capability(250)
@pytest.mark.parametrize(("name", "path", "change", "key"), list(mutants()))
def test_each_mutant_is_found_at_its_step(known, name, path, change, key):
    document = deepcopy(GOOD[name])
    step = next(node.step for node in outline(document) if node.path == path)
    if change == "drop":
        del step[key]
    elif change == "rename":
        old, step["id"] = step["id"], "another"
        readers = [n.path for n in outline(document) if f"steps.{old}." in str(n.step)]
    else:
        step[key] = 7
    found = {issue.path for issue in validate(document, known) if issue.severity == "error"}
    if change == "rename":
        assert any(one.startswith((*readers, "/output")) for one in found)
    else:
        assert any(one.startswith(path) for one in found)


def test_a_string_that_is_not_a_step_list_is_named(check):
    assert ("E_SCHEMA", "/steps") in check({"format": 1, "steps": "none"})
    assert ("E_SCHEMA", "") in check([workflow()])
    assert check({"format": 2, "steps": 5}) == [("E_FORMAT", "/format")]


def test_a_document_nested_deeper_than_any_text_is_refused(check):
    deep = "{{inputs.a}}"
    for _ in range(100):
        deep = [deep]
    step = {"id": "t", "type": "transform", "operation": "set", "config": {"value": deep}}
    assert check(workflow(step)) == [("E_JSON", "")]


def test_more_steps_may_be_allowed(known):
    steps = [{"id": f"s{n}", "type": "delay", "for_s": 1} for n in range(60)]
    assert validate(workflow(*steps), known, max_steps=60) == []


@pytest.mark.parametrize("value", [[], {}, [[]], [{}], None, -(2**53), 1e308, "a" * 9_000])
def test_a_value_of_another_kind_is_an_issue_at_its_place(check, value):
    for kind, name in (
        *(("sub_workflow", "wait"), ("sub_workflow", "detach")),
        *(("human_approval", "self_approval"), ("human_approval", "allow_delegate")),
    ):
        found = check(workflow({"id": "s", "type": kind, name: value}))
        assert any(path == f"/steps/0/{name}" for _, path in found), (kind, name)


def test_more_steps_than_any_limit_allows_are_only_counted(check):
    assert check(workflow(*[[{}]] * 40_000)) == [("E_STEP_COUNT", "/steps")]


def test_a_value_is_not_read_beyond_the_limit_of_texts(check):
    step = {"id": "t", "type": "transform", "operation": "set", "config": {"value": "x" * 262_144}}
    assert check(workflow(step)) == [("E_LIMIT", "")]


@pytest.mark.parametrize("root", ["inputs.", "steps.", ""])
def test_after_so_many_errors_no_others_are_looked_for(known, root):
    value = {f"k{n}": f"{{{{{root}q{n}}}}}" for n in range(2_000)}
    step = {"id": "t", "type": "transform", "operation": "set", "config": {"value": value}}
    found = validate(workflow(step), known)
    assert (len(found), found[-1]) == (shape.MAX_ERRORS + 1, shape.MORE)
    unknown = {"id": "t", "type": "delay", "for_s": 1} | {f"fo{n}": 1 for n in range(2_000)}
    assert validate(workflow(unknown), known)[-1] == shape.MORE


def test_what_takes_long_to_check_is_refused_unchecked(known):
    many = {"type": "object", "properties": {"x": {"anyOf": [{"const": n} for n in range(2_100)]}}}
    (issue,) = validate(workflow(waiting("a"), inputs=many), known)
    assert (issue.code, issue.path) == ("E_SCHEMA", "/inputs")
    assert "2,000 parts" in issue.message
    wide = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(900)}}
    assert validate(workflow(waiting("a"), inputs=wide), known) == []
    names = [{"operation": f"op{n}"} for n in range(2_000)]
    step = {"id": "t", "type": "transform", "input": "1", "operations": names}
    assert validate(workflow(step), known)[-1] == shape.MORE
    cases = [{"when": True, "steps": [], f"k{n}": n} for n in range(2_000)]
    assert (
        validate(workflow({"id": "s", "type": "switch", "cases": cases}), known)[-1] == shape.MORE
    )
