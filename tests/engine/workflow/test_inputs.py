import time

import pytest

from pilot.engine.language.formats import EXAMPLES
from pilot.engine.workflow import inputs
from pilot.errors import InvalidError

SCHEMA = {
    "type": "object",
    "required": ["to", "table"],
    "properties": {
        "to": {"type": "string", "format": "email"},
        "table": {"type": "string"},
        "days": {"type": "integer", "default": 10, "minimum": 1},
        "urgent": {"type": "boolean"},
        "names": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "level": {"enum": ["low", "high"]},
        "ratio": {"type": ["null", "number"]},
        "price": {"type": "number", "multipleOf": 0.01},
        "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "more": {
            "type": "object",
            "minProperties": 1,
            "properties": {"rate": {"type": "number", "default": 0.5}},
        },
    },
}
GOOD = {"to": "ann@example.com", "table": "tasks.csv"}


def found(values):
    return [(issue.code, issue.path) for issue in inputs.check(SCHEMA, values)]


def test_defaults_are_filled_in_inner_objects_too():
    accepted = inputs.accept(SCHEMA, {**GOOD, "more": {}})
    assert accepted == {**GOOD, "days": 10, "more": {"rate": 0.5}}


def test_every_missing_input_is_named():
    with pytest.raises(InvalidError) as caught:
        inputs.accept(SCHEMA, {})
    assert [(one.code, one.path) for one in caught.value.issues] == [
        ("E_INPUT_MISSING", "/to"),
        ("E_INPUT_MISSING", "/table"),
    ]
    assert "The input table is missing" in caught.value.message


@pytest.mark.parametrize(
    ("values", "code", "path"),
    [
        ({"to": None}, "E_INPUT_MISSING", "/to"),
        ({"to": "ann"}, "E_INPUT_TYPE", "/to"),
        ({"days": "5"}, "E_INPUT_TYPE", "/days"),
        ({"days": 0}, "E_INPUT_TYPE", "/days"),
        ({"names": ["a", 1]}, "E_INPUT_TYPE", "/names/1"),
        ({"code": "abc"}, "E_INPUT_TYPE", "/code"),
        ({"day": 5}, "E_INPUT_UNKNOWN", "/day"),
        ({"level": "top"}, "E_INPUT_TYPE", "/level"),
        ({"names": ["a", "a"]}, "E_INPUT_TYPE", "/names"),
        ({"more": {}}, "E_INPUT_TYPE", "/more"),
        ({"price": 0.075}, "E_INPUT_TYPE", "/price"),
    ],
)
def test_a_wrong_input_is_named(values, code, path):
    assert found({**GOOD, **values}) == [(code, path)]


@pytest.mark.parametrize("price", [0.07, 0.29, 19.99, 4.35, 1.13, 1.1, 7, 1e300])
def test_an_amount_of_whole_cents_is_taken(price):
    assert found({**GOOD, "price": price}) == []


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        ({"format": "date-time"}, "2026-02-28T10:00", "date-time, such as 2026-01-31T12:00:00Z"),
        ({"format": "time"}, "25:00:00Z", "time, such as 12:00:00Z"),
        ({"multipleOf": 0.01}, 0.075, "a multiple of 0.01"),
    ],
)
def test_what_does_not_fit_is_told_what_would(part, value, expected):
    (issue,) = inputs.check({"type": "object", "properties": {"at": part}}, {"at": value})
    assert f"must be {'a valid ' * ('format' in part)}{expected}; it is" in issue.message


@pytest.mark.parametrize("form", EXAMPLES)
def test_the_example_of_a_format_is_one(form):
    schema = {"type": "object", "properties": {"at": {"format": form}}}
    assert inputs.check(schema, {"at": EXAMPLES[form]}) == []
    assert len(inputs.check(schema, {"at": "no such thing\n"})) == 1


@pytest.mark.parametrize(
    ("text", "fits"),
    [("09:00:00+00:00", True), ("10:00:00", True), ("10:00", False), ("T10:00:00Z", False)],
)
def test_a_time_may_name_its_zone(text, fits):
    schema = {"type": "object", "properties": {"at": {"format": "time"}}}
    assert (inputs.check(schema, {"at": text}) == []) is fits


@pytest.mark.parametrize(
    ("part", "required", "values"),
    [
        ({"type": ["integer", "null"]}, True, {"at": None}),
        ({"type": ["integer", "null"]}, False, {}),
        ({"type": ["integer", "null"], "default": 5}, True, {}),
        ({"type": "null"}, True, {"at": None}),
        ({"type": ["string", "null"], "enum": ["a", None]}, True, {}),
        ({"type": "integer"}, True, {}),
    ],
)
def test_what_is_required_and_may_be_null_may_stay_empty_in_a_form(part, required, values):
    schema = {"type": "object", "properties": {"at": part}, "required": ["at"] * required}
    assert inputs.from_form(schema, {"at": ""}) == values


def test_an_unknown_input_names_the_nearest():
    (issue,) = inputs.check(SCHEMA, {**GOOD, "tabel": "x"})
    assert issue.expected == "table"


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ({"ratio": "2.5"}, {"ratio": 2.5}),
        ({"days": "5.0"}, {"days": 5}),
        ({"to": ["x", "y"]}, {"to": "y"}),
        ({"names": ["a", " b "]}, {"names": ["a", "b"]}),
        ({"names": "a\n\n[b]"}, {"names": ["a", "[b]"]}),
        ({"names": '["a", "b"]'}, {"names": ["a", "b"]}),
        ({"more": '{"rate": 1}'}, {"more": {"rate": 1}}),
        ({"more": "[1]"}, {"more": "[1]"}),
        ({"urgent": ""}, {"urgent": False}),
        ({"unheard": "x"}, {"unheard": "x"}),
    ],
)
def test_each_type_has_its_text(texts, values):
    assert inputs.from_form(SCHEMA, texts) == values


def test_without_a_schema_no_input_is_taken():
    assert inputs.check(None, {}) == []
    assert [issue.code for issue in inputs.check(None, {"a": 1})] == ["E_INPUT_UNKNOWN"]
    assert [issue.code for issue in inputs.check(None, [])] == ["E_INPUT_TYPE"]


def test_form_texts_become_the_values_of_their_schema():
    texts = {"to": "ann@example.com", "days": "5", "urgent": "on", "names": "a\n b \n", "code": ""}
    assert inputs.from_form(SCHEMA, texts) == {
        "to": "ann@example.com",
        "days": 5,
        "urgent": True,
        "names": ["a", "b"],
    }


def test_a_form_text_that_does_not_fit_is_kept_and_named():
    values = inputs.from_form(SCHEMA, {**GOOD, "days": "five", "urgent": "perhaps"})
    assert (values["days"], values["urgent"]) == ("five", "perhaps")
    assert found(values) == [("E_INPUT_TYPE", "/days"), ("E_INPUT_TYPE", "/urgent")]


def test_a_pattern_that_makes_others_hang_is_answered_at_once():
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    assert len(inputs.check(schema, {"a": "a" * 50_000 + "!"})) == 1


@pytest.mark.capability(277)
@pytest.mark.parametrize(
    ("schema", "values", "code"),
    [
        (SCHEMA, {**GOOD, **{f"k{n}": 1 for n in range(20_000)}}, "E_INPUT_UNKNOWN"),
        ({"required": [f"k{n}" for n in range(15_000)]}, {}, "E_INPUT_MISSING"),
    ],
)
def test_of_many_wrong_inputs_fifty_are_named(schema, values, code):
    began = time.thread_time()
    assert [issue.code for issue in inputs.check(schema, values)] == [code] * 50
    assert time.thread_time() - began < 2
