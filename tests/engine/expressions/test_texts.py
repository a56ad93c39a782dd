"""Functions on text; on a list they mean its elements."""

import pytest

from pilot.engine.expressions import NullOperandError
from pilot.errors import ErrorClass
from tests.engine.expressions.evaluating import fault, refused, value

TAGS = ["urgent", "vip", 4, None]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("text(12.50)", "12.5"),
        ("text(0.0126 / 1000)", "0.0000126"),
        ("text(0.0126 / 1000) == 0.0126 / 1000", True),
        ("join([0.0126 / 1000, 1])", "0.0000126, 1"),
        ("text(true)", "true"),
        ("text([1, 'a'])", '[1,"a"]'),
        ("text('a')", "a"),
        ("lower('ÄB')", "äb"),
        ("upper('straße')", "STRASSE"),
        ("trim('  a b\t\n')", "a b"),
        ("contains('hello', 'ell')", True),
        ("contains('hello', 'Ell')", False),
        ("contains_any('hello', ['x', 'lo'])", True),
        ("contains_any('hello', [])", False),
        ("contains_all('hello', ['he', 'lo'])", True),
        ("contains_all('hello', ['he', 'x'])", False),
        ("contains_all('hello', [])", True),
        ("starts_with('hello', 'he')", True),
        ("ends_with('hello', 'lo')", True),
        ("ends_with('hello', 'he')", False),
        ("replace('a.b.c', '.', '-')", "a-b-c"),
        ("split('a, b', ', ')", ["a", "b"]),
        ("split('', ',')", [""]),
        ("join(['a', 1, null, true])", "a, 1, , true"),
        ("join(['a', 'b'], '')", "ab"),
        ("join([])", ""),
        ("substring('hello', 1)", "ello"),
        ("substring('hello', 1, 2)", "el"),
        ("substring('hello', -3, 2)", "ll"),
        ("substring('hello', 9)", ""),
        ("substring('hello', -9, 2)", "he"),
        ("substring('hello', 1, -1)", ""),
        ("matches('Invoice 2026-1', '[0-9]{4}')", True),
        ("matches('abc', '^b')", False),
        ("matches('ABC', '(?i)b')", True),
        ("html_escape('<a b=\"c\">&\\'')", "&lt;a b=&quot;c&quot;&gt;&amp;&#x27;"),
    ],
)
def test_functions_on_text(text, wanted):
    assert value(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("contains(inputs.tags, 'vip')", True),
        ("contains(inputs.tags, 'vi')", False),
        ("contains(inputs.tags, '4')", True),
        ("contains_any(inputs.tags, ['x', 'vip'])", True),
        ("contains_all(inputs.tags, ['urgent', 'vip'])", True),
        ("contains_all(inputs.tags, ['urgent', 'x'])", False),
        ("starts_with(inputs.tags, 'vi')", True),
        ("ends_with(inputs.tags, 'zz')", False),
        ("matches(inputs.tags, '^v.p$')", True),
        ("upper(inputs.tags)", ["URGENT", "VIP", 4, None]),
        ("lower(['A'])", ["a"]),
    ],
)
def test_on_a_list_they_mean_its_elements(text, wanted):
    assert value(text, tags=TAGS) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lower(5)", "use text()"),
        ("trim(['a'])", "use text()"),
        ("contains('a', 5)", "use text()"),
        ("contains(5, 'a')", "use text()"),
        ("contains_any('a', 'b')", "list is needed"),
        ("starts_with('a', 1)", "use text()"),
        ("replace('a', '', 'b')", "at least one character"),
        ("split('a', '')", "at least one character"),
        ("join('a')", "list is needed"),
        ("join(['a'], 1)", "use text()"),
        ("substring('a', 'b')", "whole number"),
        ("substring('a', 1.5)", "whole number"),
        ("substring('a', true)", "whole number"),
        ("matches(5, 'a')", "use text()"),
        ("html_escape([])", "use text()"),
    ],
)
def test_another_kind_is_an_error_that_says_what_to_use(text, message):
    assert message in fault(text)


def test_null_in_a_later_place_is_named():
    assert "default()" in fault("starts_with('a', null)", kind=NullOperandError)
    assert "default()" in fault("replace('a', 'b', null)", kind=NullOperandError)
    assert "default(" in fault("contains('a', null)", kind=NullOperandError)


@pytest.mark.capability(278)
@pytest.mark.parametrize(
    "text",
    [
        "inputs.long + inputs.long",
        "replace(inputs.long, 'x', 'yy')",
        "join(split(inputs.long, 'x'), 'ab')",
        "json([inputs.long, inputs.long])",
        "text([inputs.long, inputs.long])",
        "html_escape(inputs.tags)",
        "join(inputs.objects)",
        "split(inputs.huge, 'x')",
        "upper(inputs.list)",
    ],
)
def test_a_computed_text_has_at_most_10_000_characters(text):
    given = {
        "long": "x" * 9_000,
        "tags": "<" * 5_000,
        "objects": [{"a": "x" * 100}] * 100,
        "huge": "x" * 1_000_000,
        "list": ["x"] * 10_001,
    }
    assert "more than 10,000" in fault(text, error_class=ErrorClass.LIMIT, **given)


def test_what_is_only_a_part_or_recased_may_be_longer():
    mail = "Word " * 10_000
    assert value("contains(lower(inputs.mail), 'word word')", mail=mail) is True
    assert len(value("trim(inputs.mail)", mail=mail)) == 49_999
    assert len(value("substring(inputs.mail, 0, 20000)", mail=mail)) == 20_000
    assert value("default(inputs.mail, '')", mail=mail) is mail


def test_a_pattern_has_at_most_200_characters():
    assert value(f"matches('a', '{'a?' * 100}')") is True
    assert "200 characters" in refused(f"matches('a', '{'a?' * 100}a')")[0]


@pytest.mark.capability(278)
def test_a_search_costs_what_pattern_and_text_make_of_it():
    assert value("matches(inputs.t, '^(([a-z])+.)+[A-Z]([a-z])+$')", t="a" * 50_000) is False
    message = fault(
        "matches(inputs.t, '(x{1,50}y?){1,20}$')", error_class=ErrorClass.LIMIT, t="x" * 100_000
    )
    assert "too much work" in message
