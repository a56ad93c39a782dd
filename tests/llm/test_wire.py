"""Which schemas a provider is asked to enforce, and what is read of odd replies."""

import pytest

from pilot.llm import wire

CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


def holding(part):
    return {**CLOSED, "properties": {"a": part}}


@pytest.mark.parametrize(
    "part",
    [
        CLOSED,
        {"type": ["integer", "null"]},
        {"type": "array", "items": CLOSED},
        {"enum": ["x", None]},
        {"anyOf": [CLOSED, {"type": "null"}], "description": "d", "title": "t"},
    ],
)
def test_closed_schemas_are_strict(part):
    assert wire.is_strict(holding(part))


@pytest.mark.parametrize(
    "part",
    [
        {"type": "object"},
        {**CLOSED, "additionalProperties": True},
        {**CLOSED, "required": []},
        {"type": "array"},
        {"type": "array", "items": {"type": "object"}},
        {"anyOf": [CLOSED, {"type": "object"}]},
        {"type": "integer", "minimum": 1},
        {"type": "string", "format": "email"},
        {"$ref": "#"},
        {},
        True,
    ],
)
def test_what_a_strict_mode_may_refuse_is_not_strict(part):
    assert not wire.is_strict(holding(part))


def test_a_strict_answer_is_an_object():
    assert not wire.is_strict({"type": "array", "items": CLOSED})


@pytest.mark.parametrize("odd", [None, [], "x", 1])
def test_members_of_another_kind_are_not_there(odd):
    assert wire.part({"a": odd}, "a") == {}
    assert wire.parts({"a": odd}, "a") == []


@pytest.mark.parametrize("odd", [None, True, -1, 1.0, "1"])
def test_only_whole_numbers_are_counts(odd):
    assert wire.count({"a": odd}, "a") is None
