"""Tokens: numbers, texts with escapes, names and marks, each with its column."""

import pytest

from pilot.engine.expressions.tokens import Token, tokens
from pilot.errors import ExpressionError
from tests.engine.expressions.evaluating import refused, value


def read(source):
    return [(one.kind, one.value) for one in tokens(source)[:-1]]


def test_every_kind_of_token_has_its_column():
    assert tokens("a_1 >= 12.5\n|| 'x'") == [
        Token("name", "a_1", 1),
        Token("mark", ">=", 5),
        Token("number", "12.5", 8),
        Token("mark", "or", 13),
        Token("text", "x", 16),
        Token("end", "", 19),
    ]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"'a\nb\tc'", "a\nb\tc"),
        (r"'it\'s'", "it's"),
        (r'"say \"hi\""', 'say "hi"'),
        (r"'C:\\temp'", "C:\\temp"),
        (r"'caf\u00e9'", "café"),
        ('"it\'s"', "it's"),
        ("'two\nlines'", "two\nlines"),
        ("'日本'", "日本"),
        ("''", ""),
    ],
)
def test_texts_have_six_escapes(source, text):
    assert read(source) == [("text", text)]


@pytest.mark.parametrize(
    ("source", "message", "column"),
    [
        ("a + 'open", "no closing quote", 5),
        (r"'\x41'", "is no escape", 1),
        (r"'\ud800'", "surrogate", 1),
        (r"'\u0000'", "NUL", 1),
        ("1 = 2", "==", 3),
        ("1.2.3", "no number", 1),
        ("12abc", "no number", 1),
        ("a ; b", "';'", 3),
        ("a\u00a0+ 1", "does not belong", 2),
        ("inputs.a == \u2019x\u2019", "curved quotes", 13),
        ("\uff33\uff34\uff25\uff30\uff33.a", "does not belong", 1),
        ("a & b", "'&'", 3),
        ("a ** `b`", "'`'", 6),
    ],
)
def test_what_does_not_belong_is_refused_with_its_column(source, message, column):
    with pytest.raises(ExpressionError, match=message) as caught:
        tokens(source)
    assert caught.value.column == column


def test_an_expression_has_at_most_500_characters():
    assert value("1" + " " * 498 + " ") == 1
    assert refused("1" + " " * 500) == (
        "The expression has 501 characters; 500 is the limit.",
        501,
    )


def test_marks_are_never_taken_for_names():
    assert refused("inputs.!")[0] == "A name is missing after the point."
    assert refused("1 not 'in' [1]")[1] == 3
