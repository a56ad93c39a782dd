"""The flat shape of models' answers: it becomes our document, and nothing of it is lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilot import strictjson
from pilot.engine import validation
from pilot.engine.generation import flat
from pilot.engine.language import catalogue

NONE = {"action": None, "parent": None, "needs": [], "when": None, "intent": None, "prompt": None}


def step(name, kind, *, params=(), **fields):
    pairs = [{"name": key, "value": value} for key, value in dict(params).items()]
    return {"id": name, "type": kind} | NONE | {"params": pairs} | fields


def answer(*steps, **fields):
    plain = {"reasoning": "", "name": "Test", "description": "", "inputs": [], "output": None}
    return plain | {"steps": list(steps), "questions": [], "confidence": 80} | fields


READ = step("read", "action", action="tables.read_range", params={"table": '"tasks"'})
MAIL = {"to": '["a@example.com"]', "subject": "Hello, {{execution.date}}", "text": '"Hi"'}
SEND = step("send", "action", action="mail.send", params=MAIL)


def test_an_answer_becomes_a_valid_document():
    document, issues = flat.to_document(answer(READ, SEND | {"needs": ["read"]}))
    assert issues == []
    errors = validation.validate(document, catalogue.load())
    assert [one for one in errors if one.severity == "error"] == []
    assert document["steps"][1] == {
        "id": "send",
        "type": "action",
        "dependencies": ["read"],
        "plugin": "mail",
        "action": "send",
        "params": {
            "to": ["a@example.com"],
            "subject": "Hello, {{execution.date}}",
            "text": "Hi",
        },
    }


def test_steps_stand_in_what_runs_them_again_or_at_once():
    document, issues = flat.to_document(
        answer(
            step("each", "scatter_gather", params={"items": "inputs.rows"}),
            SEND | {"parent": "each/steps"},
            step("both", "parallel_group"),
            READ | {"parent": "both/left"},
            READ | {"id": "other", "parent": "both/right"},
            step("text", "loop", params={"items": "[1]", "steps": "no list"}),
            SEND | {"id": "lost", "parent": "text/steps"},
        )
    )
    each, both = document["steps"][:2]
    assert [one["id"] for one in each["steps"]] == ["send"]
    inside = {name: [one["id"] for one in body] for name, body in both["branches"].items()}
    assert inside == {"left": ["read"], "right": ["other"]}
    assert [one.code for one in issues] == ["E_BRANCH_TARGET"]
    assert document["steps"][3]["id"] == "lost"


def test_steps_stand_in_the_branches_that_their_parents_name():
    document, issues = flat.to_document(
        answer(
            step("check", "conditional", params={"condition": "1 > 0"}),
            SEND | {"parent": "check/else"},
            step("kind", "switch", params={"value": "inputs.kind"}),
            SEND | {"id": "vip", "parent": 'kind/"VIP"'},
            SEND | {"id": "two", "parent": "kind/2"},
            SEND | {"id": "rest", "parent": "kind/default"},
        )
    )
    check, kind = document["steps"]
    assert (check["then"], [one["id"] for one in check["else"]]) == ([], ["send"])
    assert [(one["when"], one["steps"][0]["id"]) for one in kind["cases"]] == [
        ("VIP", "vip"),
        (2, "two"),
    ]
    assert [one["id"] for one in kind["default"]] == ["rest"]
    assert issues == []


@pytest.mark.parametrize("parent", ["nowhere/then", "send/then", "read", "check/maybe"])
def test_a_step_with_an_unknown_parent_stands_at_the_top_with_an_issue(parent):
    check = step("check", "conditional", params={"condition": "1 > 0"})
    document, issues = flat.to_document(answer(READ, check, SEND | {"parent": parent}))
    assert [one["id"] for one in document["steps"]] == ["read", "check", "send"]
    assert [(one.code, one.path) for one in issues] == [("E_BRANCH_TARGET", "/steps/2")]


def test_parents_in_a_circle_lose_no_step():
    a = step("a", "conditional", parent="b/then")
    b = step("b", "conditional", parent="a/then")
    document, issues = flat.to_document(answer(a, b))
    assert [one["id"] for one in document["steps"]] == ["a", "b"]
    assert len(issues) == 2


def test_inputs_become_a_schema():
    fields = [
        {"name": "to", "type": "email", "required": True, "description": "Who"},
        {"name": "days", "type": "integer", "required": False, "description": None},
    ]
    document, _ = flat.to_document(answer(READ, inputs=fields))
    assert document["inputs"] == {
        "type": "object",
        "properties": {
            "to": {"type": "string", "format": "email", "description": "Who"},
            "days": {"type": "integer"},
        },
        "required": ["to"],
    }


def test_the_schema_is_one_that_strict_modes_take():
    def parts(schema):
        yield schema
        for inner in [*schema.get("properties", {}).values(), schema.get("items")]:
            if inner:
                yield from parts(inner)

    found = list(parts(flat.SCHEMA))
    objects = [one for one in found if one["type"] == "object"]
    assert all(one["additionalProperties"] is False for one in objects)
    assert all(one["required"] == list(one["properties"]) for one in objects)
    words = strictjson.dumps(flat.SCHEMA)
    assert not any(f'"{key}"' in words for key in ("anyOf", "$ref", "oneOf", "minimum", "pattern"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
STEPS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.sampled_from(["a", "b", "c", None, 3]),
            "type": st.sampled_from(["switch", "conditional", "action", None, 1]),
            "parent": st.sampled_from(["a/then", "b/else", "c/x", "a/default", "d", "", None, 1]),
            "action": st.sampled_from(["mail.send", "x", None, 7]),
            "needs": VALUES,
            "params": VALUES,
            "inputs": VALUES,
        },
    )
    | VALUES,
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, inputs=VALUES)
def test_whatever_is_answered_a_document_comes_out(steps, inputs):
    document, _ = flat.to_document({"steps": steps, "inputs": inputs})
    validation.validate(document, catalogue.load())
    kept = strictjson.dumps(document).count('"type":')
    assert kept >= sum(isinstance(one, dict) for one in steps)
