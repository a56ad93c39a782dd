"""JSON out of what models write around it."""

import pytest

from pilot.errors import BadJsonError
from pilot.llm.reading import json_value


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1]}',
        ' \n{"a": [1]}\n',
        '```json\n{"a": [1]}\n```',
        'Here you are:\n```\n{"a": [1]}\n```\nAnything else?',
        'I think {"a": [1]} is right.',
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
        ("{'a': 1}", "not JSON"),
        ('{"a": 1,}', "not JSON"),
        ('{"a": 1', "not JSON"),
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
