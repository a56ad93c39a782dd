"""The functions as a whole: their names, what they do with null, and those on any value."""

import contextlib

import pytest

from pilot import strictjson
from pilot.engine.expressions import FUNCTIONS, NullOperandError
from pilot.errors import ErrorClass, ExpressionError
from tests.engine.expressions.evaluating import fault, scope, value

GENERAL = {"exists", "default", "coalesce", "is_empty", "type", "if_else", "json", "len"}
TEXT = {"text", "lower", "upper", "trim", "contains", "contains_any", "contains_all"} | {
    *("starts_with", "ends_with", "replace", "split", "join", "substring", "matches"),
    "html_escape",
}
NUMBER = {"number", "round", "abs", "floor", "ceil", "min", "max", "sum", "avg"}
LIST = {"first", "last", "slice", "pluck", "unique", "any", "all"}
DATE = {"today", "now", "date", "date_add", "date_diff", "day_of_week", "format_date"} | {
    *("within_last", "within_next"),
}
NULL_STAYS = sorted((TEXT | NUMBER | LIST | DATE | {"len"}) - {"today", "now"})


def test_there_are_exactly_the_documented_functions():
    assert set(FUNCTIONS) == GENERAL | TEXT | NUMBER | LIST | DATE
    assert all(one.doc.endswith(".") for one in FUNCTIONS.values())


@pytest.mark.parametrize("name", NULL_STAYS)
def test_null_as_first_argument_gives_null(name):
    more = ["'1'"] * (FUNCTIONS[name].least - 1)
    assert value(f"{name}({', '.join(['inputs.n', *more])})", n=None) is None


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@pytest.mark.parametrize("given", [None, True, 1, -2.5, "", "text", [], [1, None], {}, {"a": [1]}])
def test_a_function_gives_a_value_or_an_expression_error(name, given):
    function = FUNCTIONS[name]
    for count in range(function.least, min(function.most, 4) + 1):
        values = [given] * count
        arguments = [lambda _scope, one=one: one for one in values] if function.lazy else values
        before = [scope()] if function.lazy or function.takes_scope else []
        with contextlib.suppress(ExpressionError):
            strictjson.dumps(function.run(*before, *arguments))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("exists(inputs.a)", True),
        ("exists(inputs.none)", False),
        ("exists(inputs.missing.deep[3].er)", False),
        ("exists(steps.skipped.output)", False),
        ("default(inputs.a, 2)", 1),
        ("default(inputs.none, 2)", 2),
        ("default(inputs.missing.deep, inputs.a)", 1),
        ("default(default(inputs.x, inputs.none), 3)", 3),
        ("default(inputs.zero, 2)", 0),
        ("coalesce(inputs.none, null, 3, inputs.missing)", 3),
        ("coalesce(inputs.none)", None),
        ("is_empty(inputs.missing.x)", True),
        ("is_empty(null)", True),
        ("is_empty('')", True),
        ("is_empty([])", True),
        ("is_empty(inputs.object)", True),
        ("is_empty(0)", False),
        ("is_empty(false)", False),
        ("is_empty(' ')", False),
        ("if_else(inputs.a == 1, 'yes', 'no')", "yes"),
        ("if_else(exists(inputs.x), inputs.x, 'no')", "no"),
        ("type(null)", "null"),
        ("type(true)", "boolean"),
        ("type(1.5)", "number"),
        ("type('')", "text"),
        ("type([])", "list"),
        ("type(inputs)", "object"),
        ("len('äöü')", 3),
        ("len([1, 2])", 2),
        ("len(inputs.object)", 0),
        ("json(inputs.rows)", '[{"b":1,"a":"é"}]'),
        ("json('a')", '"a"'),
        ("json(null)", "null"),
    ],
)
def test_general_functions(text, wanted):
    given = {"a": 1, "none": None, "zero": 0, "object": {}, "rows": [{"b": 1, "a": "é"}]}
    found = value(text, **given)
    assert found == wanted
    assert type(found) is type(wanted)


def test_only_a_missing_path_is_forgiven():
    assert "by zero" in fault("default(1 / 0, 1)")
    assert "have no order" in fault("exists(1 < 'a')")
    message = fault("coalesce(inputs.missing, 1)", error_class=ErrorClass.REFERENCE)
    assert "no 'missing'" in message


def test_a_condition_in_a_function_is_true_or_false():
    assert "compare it" in fault("if_else(1, 2, 3)")
    assert "exists()" in fault("if_else(null, 2, 3)", kind=NullOperandError)


def test_len_needs_something_with_a_length():
    assert "not a number" in fault("len(5)")
    assert "not a boolean" in fault("len(true)")
