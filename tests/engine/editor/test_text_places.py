"""The place of a value in a text is where that value begins."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pilot.engine.editor import text_places
from pilot.engine.language import yaml_text
from pilot.engine.language.pointers import pointer
from pilot.engine.workflow.document import text
from tests.engine.documents import GOOD

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def walk(value, path=""):
    yield path, value
    if isinstance(value, list | dict):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from walk(inner, path + pointer(key))


def rest(source, place):
    """Return what stands from a place on; only \\n ends a line, as in editors."""
    lines = source.split("\n")
    return "\n".join([lines[place.line - 1][place.column - 1 :], *lines[place.line :]])


@given(
    st.lists(VALUES, min_size=1) | st.dictionaries(TEXTS, VALUES), st.sampled_from([None, 1, "\t"])
)
@example([{"a/b~c": ['"', "}", "\\", ":"]}, [], {}], None)
def test_in_json_every_value_is_found(value, indent):
    source = " \n" + json.dumps(value, indent=indent)
    found = text_places.places(source)
    assert found.keys() == dict(walk(value)).keys()
    for path, inner in walk(value):
        decoded, _ = json.JSONDecoder().raw_decode(rest(source, found[path]))
        assert decoded == inner


@pytest.mark.parametrize("name", GOOD)
def test_in_yaml_the_same_values_are_found(name):
    found = text_places.places(yaml_text.dumps(GOOD[name]))
    assert found.keys() == text_places.places(text(GOOD[name])).keys()


def test_in_yaml_a_value_is_found_where_it_begins():
    found = text_places.places("format: 1\nsteps:\n  - id: one\n    params: {to: [a, 'b']}\n")
    assert found["/format"] == (1, 9)
    assert found["/steps/0"] == (3, 5)
    assert found["/steps/0/params/to/1"] == (4, 22)


def test_what_is_missing_is_shown_at_what_it_is_missing_in():
    found = text_places.places('{"steps": [\n  {"id": "a"}]}')
    assert text_places.nearest(found, "/steps/0/params/to") == (2, 3)
    assert text_places.nearest(found, "/output") == (1, 1)
