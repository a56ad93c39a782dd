"""Texts become values."""

from decimal import Decimal

import pytest

from pilot.engine.expressions.numbers import FORMATS, to_number
from pilot.engine.transforms.styles import number_style
from tests.engine.transforms.work import failure, run, transform


def parsed(value, kind, **config):
    return run([{"v": value}], ("parse", {"types": {"v": kind}, **config}))[0]["v"]


@pytest.mark.parametrize(
    ("value", "kind", "result"),
    [
        (" 4.50 ", "number", 4.5),
        ("-7", "number", -7),
        ("4.0", "number", 4),
        (3, "number", 3),
        ("12", "integer", 12),
        (12.0, "integer", 12),
        ("Yes", "boolean", True),
        ("FALSE", "boolean", False),
        (0, "boolean", False),
        (True, "boolean", True),
        ("2026-03-11", "date", "2026-03-11"),
        ("11/03/2026", "date:DD/MM/YYYY", "2026-03-11"),
        ("03/11/2026", "date:MM/DD/YYYY", "2026-03-11"),
        ("11.03.2026", "date:DD.MM.YYYY", "2026-03-11"),
        ("2026-03-11", "date:DD.MM.YYYY", "2026-03-11"),
        ("a; b ;; c", "list:;", ["a", "b", "c"]),
        ("a, b", "list", ["a", "b"]),
        (["a"], "list", ["a"]),
    ],
)
def test_a_text_becomes_its_value(value, kind, result):
    found = parsed(value, kind)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize("kind", ["number", "integer", "boolean", "date:DD/MM/YYYY", "list:;"])
@pytest.mark.parametrize("blank", ["", "  ", None])
def test_blank_is_null(kind, blank):
    assert parsed(blank, kind) is None


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        ("1,50", "number", "'1,50' is no number; give a number_format"),
        ("1e5", "number", "is no number"),
        ("1_000", "number", "is no number"),
        (True, "number", "true or false is no number"),
        ("4.5", "integer", "'4.5' is no whole number"),
        ("maybe", "boolean", "'maybe' is not one of true, false, yes, no, 1, 0"),
        (2, "boolean", "a number is not one of"),
        ("01/02/2026", "date", "'01/02/2026' is no ISO date; say how it is written"),
        ("13/14/2026", "date:DD/MM/YYYY", "is no date written DD/MM/YYYY"),
        ("2026-05-14", "date:YYYY-DD-MM", "is no date written YYYY-DD-MM"),
        (45000, "date:DD/MM/YYYY", "a number is no date"),
        (5, "list", "a number is no text to split"),
        ("99999999999999999999", "number", "is beyond 2^53"),
    ],
)
def test_what_does_not_fit_is_never_guessed(value, kind, said):
    message = failure([{"v": value}], ("parse", {"types": {"v": kind}}))
    assert message.startswith("parse: 1 cells cannot be read. row 1: v ")
    assert said in message


@pytest.mark.parametrize(
    ("text", "example", "result"),
    [
        ("1.234,56", "1.234,56", 1234.56),
        ("1234,5", "1.234,56", 1234.5),
        ("-12", "1.234,56", -12),
        ("1.23", "1.234,56", None),
        ("1,234.56", "1.234,56", None),
        ("12.34.567", "1.234,56", None),
        ("1,234,567", "1,234.56", 1234567),
        ("$1,234.50", "$1,234.56", 1234.5),
        ("-$5", "$1,234.56", -5),
        ("$-5", "$1,234.56", -5),
        ("99 €", "1.234,56 €", 99),
        ("99 $", "1.234,56 €", None),
        ("--5", "1,234.56", None),
        ("1 234", "1 234,56", 1234),
        ("0,5", "0,00", 0.5),
    ],
)
def test_a_number_is_read_as_the_example_shows(text, example, result):
    rows = [{"v": text}]
    config = {"types": {"v": "number"}, "number_format": example, "on_error": "null"}
    assert run(rows, ("parse", config)) == [{"v": result}]


MANY = [{"v": str(n) if n % 2 else f"x{n}", "w": "1"} for n in range(20)]


def test_a_failure_names_the_first_five_rows():
    message = failure(MANY, ("parse", {"types": {"v": "number", "w": "number"}}))
    assert message.startswith("parse: 10 cells cannot be read. row 1: v 'x0'")
    assert "row 9: " in message
    assert "row 11: " not in message


@pytest.mark.parametrize(
    ("on_error", "first", "said"), [("null", None, "are null now"), ("keep", "x0", "stay as they")]
)
def test_what_does_not_fit_may_become_null_or_stay(on_error, first, said):
    config = {"types": {"v": "number"}, "on_error": on_error}
    found = transform(MANY, ("parse", config))
    assert [row["v"] for row in found.value[:2]] == [first, 1]
    assert f"10 cells cannot be read and {said}" in found.notes[0]


@pytest.mark.parametrize("example", sorted(FORMATS))
@pytest.mark.parametrize("number", [0, -7, 1234.56, 1234567, -0.5])
def test_numbers_are_read_and_shown_as_the_function_number_reads_them(example, number):
    shown = number_style(example).show(Decimal(str(number)))
    assert parsed(shown, "number", number_format=example) == number
    assert to_number(shown, example) == number
