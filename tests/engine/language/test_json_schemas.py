import time

import pytest

from pilot.engine.language import json_schemas


def patterned(pattern, **more):
    return {"type": "object", "properties": {"v": {"pattern": pattern, **more}}}


@pytest.mark.parametrize(
    "pattern", [r"^\p{L}+$", r"^\pN\z", "(?U)a+", r"\x{1F600}", r"^(?<y>\d+)$"]
)
def test_a_pattern_may_say_all_that_re2_knows(pattern):
    assert json_schemas.check_schema(patterned(pattern), "") == []


@pytest.mark.capability(277)
@pytest.mark.parametrize("more", [{}, {"default": "a"}])
@pytest.mark.parametrize("pattern", ["(" * 1_000, "(" * 150, "(a|b)*" * 20_000])
def test_a_hostile_pattern_is_refused_at_once(pattern, more):
    began = time.thread_time()
    (issue,) = json_schemas.check_schema(patterned(pattern, **more), "")
    assert (issue.code, issue.path) == ("E_SCHEMA", "/properties/v/pattern")
    assert time.thread_time() - began < 1


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"type": "array"}, "/type"),
        ({"properties": {"a": {"$ref": "#/$defs/x"}}}, "/properties/a/$ref"),
        ({"patternProperties": {"^a": {}}}, "/patternProperties"),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, "/properties/a/pattern"),
        ({"properties": {"a": {"type": "strin"}}}, "/properties/a/type"),
        ({"properties": {"a": {"type": "integer", "default": "x"}}}, "/properties/a/default"),
        ({"properties": {"a": {"x-widget": "slider"}}}, "/properties/a/x-widget"),
        ({"properties": {"a": {"pattern": "a" * 201}}}, "/properties/a/pattern"),
        ({"anyOf": [{"$ref": "#"}]}, "/anyOf/0/$ref"),
        ({"not": {"$ref": "http://127.0.0.1/", "default": 1}}, "/not/$ref"),
        ({"items": {"$schema": "http://json-schema.org/draft-07/schema"}}, "/items/$schema"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema, place):
    assert [issue.path for issue in json_schemas.check_schema(schema, "/inputs")] == [
        f"/inputs{place}"
    ]


def test_a_property_may_be_called_like_a_keyword():
    schema = {"type": "object", "properties": {"pattern": {"type": "string"}, "$ref": {}}}
    assert json_schemas.check_schema(schema, "") == []


@pytest.mark.parametrize(
    ("value", "is_table"),
    [
        ([], True),
        ([{"a": 1}, {"a": 2}], True),
        ([{"a": 1}, {"b": 2}], False),
        ([1], False),
        ({}, False),
    ],
)
def test_a_table_is_a_list_of_objects_with_equal_keys(value, is_table):
    errors = json_schemas.check_value({"format": "table"}, value)
    assert (errors == []) is is_table


def test_a_schema_nested_too_deeply_is_refused():
    schema = {}
    for _ in range(100):
        schema = {"not": schema}
    (issue,) = json_schemas.check_schema(schema, "/inputs", root="")
    assert (issue.code, issue.path) == ("E_SCHEMA", "/inputs")


def test_many_errors_are_cut_at_fifty():
    schema = {"type": "array", "items": {"type": "string"}}
    assert len(json_schemas.check_value(schema, [1] * 500)) == 50


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("ann@example.com", True),
        ("ann.lee+x@mail.example.com", True),
        ("o'neil@localhost", True),
        ("jörg@müller.example", True),
        ("@", False),
        ("ann", False),
        ("a b@c", False),
        ("a@b,c@d", False),
        ("a,b@c", False),
        ("a@b;c", False),
        ("a@b\nBcc: c@d", False),
        ("Ann <a@b>", False),
        ("a..b@c", False),
        ("a@b.", False),
        ("a@" + "b" * 254, False),
    ],
)
def test_an_email_is_one_bare_address(text, is_one):
    assert (json_schemas.check_value({"format": "email"}, text) == []) is is_one


def test_only_texts_are_emails():
    assert json_schemas.check_value({"format": "email"}, 5) == []


def unevaluated(depth):
    schema = {"unevaluatedProperties": False}
    for _ in range(depth):
        schema = {"unevaluatedProperties": False, "anyOf": [schema] * 12}
    return schema


@pytest.mark.capability(277)
@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (unevaluated(2), dict.fromkeys(map(str, range(2_500)), 1)),
        ({"anyOf": [{"items": {"anyOf": [{"const": 0}] * 10}}] * 20}, [1] * 1_000),
        ({"anyOf": [{"type": "string"}] * 1_900}, [1] * 100_000),
    ],
)
def test_a_value_that_takes_too_long_to_check_is_told(schema, value):
    began = time.thread_time()
    (error,) = json_schemas.check_value(schema, value)
    assert "takes too long" in error.message
    assert time.thread_time() - began < 15  # without a bound, minutes


def test_a_large_plain_table_is_checked_to_its_end():
    row = {"type": "object", "properties": {c: {"type": "string", "maxLength": 9} for c in "abcd"}}
    value = [dict.fromkeys("abcd", "x")] * 9_999 + [{"a": 1}]
    (error,) = json_schemas.check_value({"type": "array", "items": row}, value)
    assert list(error.absolute_path) == [9_999, "a"]


@pytest.mark.capability(277)
def test_many_large_patterns_are_refused_before_they_are_compiled():
    patterns = [f"(x{n}[a-z]{{0,1000}})" * 8 for n in range(900)]
    schema = {"properties": {str(n): {"pattern": one} for n, one in enumerate(patterns)}}
    began = time.thread_time()
    (issue,) = json_schemas.check_schema(schema, "")
    assert (issue.code, issue.path) == ("E_SCHEMA", "")
    assert time.thread_time() - began < 9  # without a bound, half a minute
