"""The one decoder: what it refuses, and that it keeps everything else."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot import strictjson
from pilot.errors import BadJsonError

DEEP = 65


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (b"\xff{}", "UTF-8"),
        ('{"a":1,"a":2}', "twice"),
        ("NaN", "NaN"),
        ("[-Infinity]", "Infinity"),
        ("1e400", "too large"),
        ("9007199254740993", "2^53"),
        ("[" * DEEP + "]" * DEEP, "nested"),
        ('"\\u0000"', "NUL"),
        ('{"\\ud800": 1}', "surrogate"),
        ("{'a': 1}", "not JSON"),
        ("", "not JSON"),
        ("[1,]", "not JSON"),
        ("{} {}", "not JSON"),
        ("[" + "0," * 100_000 + "0]", "members"),
    ],
)
def test_hostile_text_is_refused_and_named(text, word):
    with pytest.raises(BadJsonError, match=word.replace("^", r"\^")):
        strictjson.loads(text)


def test_a_text_over_its_limit_is_refused_before_it_is_read():
    with pytest.raises(BadJsonError, match="at most 10"):
        strictjson.loads(b'"' + b"x" * 20, max_bytes=10)


def test_brackets_inside_texts_are_not_depth():
    assert strictjson.loads('"' + "[" * 200 + '"') == "[" * 200


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_what_is_written_is_read_back(value):
    assert strictjson.loads(strictjson.dumps(value)) == value


@given(JSON)
def test_equal_values_have_one_canonical_text(value):
    text = strictjson.canonical(value)
    assert strictjson.canonical(json.loads(text)) == text


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_value_or_a_named_error(data):
    with contextlib.suppress(BadJsonError):
        strictjson.loads(data)


def test_the_order_of_keys_is_kept_when_dumped_and_sorted_when_canonical():
    value = {"b": 1.0, "a": [2.5]}
    assert strictjson.dumps(value) == '{"b":1.0,"a":[2.5]}'
    assert strictjson.canonical(value) == '{"a":[2.5],"b":1}'
