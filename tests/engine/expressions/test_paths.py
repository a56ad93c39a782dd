"""Paths read keys of objects and indices of lists; a missing part is an error with a hint."""

import pytest

from pilot.engine.expressions import compile_expression
from pilot.engine.expressions.paths import printed
from pilot.errors import ErrorClass
from tests.engine.expressions.evaluating import fault, scope, value

ROWS = {"rows": [{"End date": "x"}, {"n": None}], "text": "abc"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("inputs.rows[0]['End date']", "x"),
        ("inputs['rows'][-1].n", None),
        ("inputs.rows[-2]['End date']", "x"),
        ("inputs . rows [ 1 ] . n", None),
        ("inputs", ROWS),
    ],
)
def test_a_path_reads_keys_and_indices(text, wanted):
    assert value(text, **ROWS) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inputs.row", "inputs has no 'row'. Did you mean 'rows'? Present: rows, text."),
        ("inputs.rows[2]", "inputs.rows is a list of 2: there is no [2]."),
        ("inputs.rows[-3]", "inputs.rows is a list of 2: there is no [-3]."),
        ("inputs.rows.n", "inputs.rows is a list of 2: there is no [n]."),
        ("inputs.rows[1].n.deep", "inputs.rows[1].n has no 'deep': it is null."),
        ("inputs.rows[0]['end date'].x", "Did you mean 'End date'?"),
        ("inputs.text[0]", "inputs.text has no 0: it is a plain value."),
        ("inputs.text.upper", "inputs.text has no 'upper': it is a plain value."),
        ("inputs[0]", "inputs has no 0."),
        ("item.x", "There is no item here."),
        ("steps.a.output", "steps has no 'a'. Present: nothing."),
    ],
)
def test_a_missing_part_is_named_with_what_is_there(text, message):
    assert message in fault(text, error_class=ErrorClass.REFERENCE, **ROWS)


def test_at_most_ten_present_names_are_shown():
    found = fault("inputs.x", error_class=ErrorClass.REFERENCE, **{f"a{n}": n for n in range(50)})
    assert found.endswith("Present: a0, a1, a2, a3, a4, a5, a6, a7, a8, a9.")


def test_the_nearest_of_a_hundred_thousand_names_is_not_looked_for():
    many = {f"column {n}": n for n in range(100_000)}
    assert "column 0" in fault("inputs.missing", error_class=ErrorClass.REFERENCE, **many)


@pytest.mark.parametrize("name", ["__class__", "keys", "items", "get", "__proto__", "append"])
def test_attributes_are_never_read(name):
    for given in ({"a": {}}, {"a": []}, {"a": "text"}, {"a": 1}, {"a": None}):
        found = fault(f"inputs.a.{name}", error_class=ErrorClass.REFERENCE, **given)
        assert found.startswith("inputs.a ")


def test_a_key_that_looks_like_an_attribute_is_a_key():
    assert value("inputs.__class__.items", __class__={"items": 3}) == 3


def test_inner_roots_hide_outer_ones():
    outer = scope(item={"n": 1})
    inner = outer.child(item={"n": 2}, row=5)
    assert compile_expression("item.n").evaluate(inner) == 2
    assert compile_expression("item.n").evaluate(outer) == 1


def test_a_printed_path_reads_the_same():
    path = ("inputs", "a", "it's \\ so", 3, -1, "ünicode")
    assert compile_expression(printed(path)).reads == {path}
