"""JSON out of what models write around it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot import strictjson
from pilot.errors import BadJsonError
from pilot.llm.reading import json_value
from tests.peer.answers import Asked, answer

# Texts whose Python spelling has no escapes that JSON does not know.
TEXTS = st.text("abc \"'\\{}[],:\n\u00e4\U0001f600")
JSON = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1]}',
        ' \n{"a": [1]}\n',
        '```json\n{"a": [1]}\n```',
        'Here you are:\n```\n{"a": [1]}\n```\nAnything else?',
        'I think {"a": [1]} is right.',
        "{'a': [1]}",
        '{"a": [1,],}',
        "It's this:\n```python\n{'a': [1,]}\n```",
        "It's {'a': [1]}, isn't it?",
    ],
)
def test_the_one_value_is_found(text):
    assert json_value(text) == {"a": [1]}


def test_brackets_in_texts_do_not_count():
    assert json_value('So: {"a": "}{ ]"} there.') == {"a": "}{ ]"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("I cannot.", "not JSON"),
        ("{'a': 1, 'a': 2}", "twice"),
        ("{'a': NaN}", "NaN"),
        ("{'a': 1 'b': 2}", "not JSON"),
        ("{'a': 'b", "not JSON"),
        ("{'a': open('/etc/passwd')}", "not JSON"),
        ("[,,]", "not JSON"),
        ('{"a": 1', "not JSON"),
        ('"b": 2, "steps": [{"a": 1}]}', "not JSON"),
        ('{"a": 1} or {"a":', "not JSON"),
        ('{"a": 1} {"a": 2}', "several"),
        ('```\n{"a": 1}\n```\n```\n{"a": 2}\n```', "several"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": NaN}', "NaN"),
        ("[" * 100_000, "nested"),
        ('"' + "x" * 2_000_000 + '"', "bytes"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text, said):
    with pytest.raises(BadJsonError, match=said):
        json_value(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"""{'a': 'it\'s "so"', "b": "None, 'c'"}""", {"a": 'it\'s "so"', "b": "None, 'c'"}),
        ("{'a': None, 'b': [True, False]}", {"a": None, "b": [True, False]}),
        ("{'a': '}{', 'b': 'x,]'}", {"a": "}{", "b": "x,]"}),
        (r"['\n\u00e4\\']", ["\n\xe4\\"]),
        ("{'a': 'two\nlines', \"b\": \"a\ttab\"}", {"a": "two\nlines", "b": "a\ttab"}),
        ('{"a": "http://x", // a plan\n /* {[ */ "b": "/*"}', {"a": "http://x", "b": "/*"}),
        ("['']", [""]),
    ],
)
def test_literals_are_read_as_what_they_mean(text, value):
    assert json_value(text) == value
    assert json_value(f"Here it's: {text}!") == value


@pytest.mark.parametrize("piece", ['"\\', "'\\", "{'", "[,", "```\n", '{"', ", ", "/*", "{/"])
def test_a_hostile_answer_costs_one_pass(piece):
    text = piece * (900_000 // len(piece))
    started = time.thread_time()
    with pytest.raises(BadJsonError):
        json_value(text)
    assert time.thread_time() - started < 15


@pytest.mark.parametrize("kind", ["fences", "prose", "single_quotes", "trailing_comma"])
def test_what_the_peer_writes_around_it_is_read(kind):
    asked = Asked("openai", "cheap", 1, "", {})
    rule = {"reply": {"a": ["it", None, True]}, "fault": kind}
    assert json_value(answer(rule, asked).text) == {"a": ["it", None, True]}


@given(st.recursive(JSON, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_what_python_prints_is_read_back(value):
    plain = strictjson.loads(strictjson.dumps([value]))
    assert json_value(repr(plain)) == plain
