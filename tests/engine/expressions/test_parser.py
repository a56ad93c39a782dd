"""The grammar: precedence, constants, calls, bounds; whatever is outside it is refused."""

import pytest

from pilot.engine.expressions import compile_expression
from pilot.engine.expressions.parser import MAX_DEPTH, MAX_NODES
from tests.engine.expressions.evaluating import refused, value


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 - 2 - 1", 4),
        ("12 / 3 / 2", 2),
        ("-2 * -3", 6),
        ("--2", 2),
        ("7 % 3 * 2", 2),
        ("1 + 1 == 2", True),
        ("not 1 == 2", True),
        ("! false", True),
        ("!!true", True),
        ("true or false and false", True),
        ("(true or false) and false", False),
        ("true || false && false", True),
        ("not false and false", False),
        ("1 in [1, 2] and 3 not in [1, 2]", True),
        ("not 3 in [1]", True),
        ("1 + 1 in [2]", True),
        ("[]", []),
        ("[1, 'a', [null]]", [1, "a", [None]]),
        ("[True, False, None]", [True, False, None]),
        ("[true, false, null]", [True, False, None]),
        ("if_else(1 < 2 or false, 'a', 'b')", "a"),
    ],
)
def test_operators_bind_as_documented(text, wanted):
    found = value(text)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("", "empty", 1),
        ("  ", "empty", 1),
        ("1 +", "too early", 4),
        ("1 2", "'2' is not expected", 3),
        ("1 < 2 < 3", "cannot be chained", 7),
        ("1 == 2 == 3", "cannot be chained", 8),
        ("(1", r"')' is missing", 3),
        ("[1", r"']' is missing", 3),
        ("[1,]", "not expected", 4),
        ("and", "not expected", 1),
        ("not", "too early", 4),
        ("1 not 2", "not expected", 3),
        ("amount > 1", "text needs quotes", 1),
        ("input.amount", "did you mean inputs", 1),
        ("steps..a", "name is missing", 7),
        ("steps.a.", "name is missing", 9),
        ("steps[a]", "whole number or a text", 7),
        ("steps[1.5]", "whole number or a text", 7),
        ("steps[-'a']", "whole number or a text", 8),
        ("steps[99999999999999999999]", "whole number or a text", 7),
        ("lenght('a')", "Nearest: len", 1),
        ("len()", "takes 1 arguments, not 0", 1),
        ("date_add('a', 1)", "takes 3 arguments, not 2", 1),
        ("round(1, 2, 3)", "takes 1 to 2", 1),
        ("inputs.a.lower()", "There are no methods", 10),
        ("'a'.upper", "not expected", 4),
        ("len('a')[0]", "not expected", 9),
        ("9007199254740993", "beyond 2^53", 1),
        ("9" * 400 + ".5", "beyond 2^53", 1),
        ("1 if true else 2", "not expected", 3),
        ("lambda x", "text needs quotes", 1),
        ("2 ** 3", "not expected", 4),
        ("[1][0]", "not expected", 4),
        ("{'a': 1}", "'{'", 1),
        ("matches('a', inputs.p)", "must be a literal", 9),
        ("matches('a', 'x' + 'y')", "must be a literal", 9),
        ("matches('a', '(')", "no RE2", 14),
        ("matches('a', '(?=b)')", "no RE2", 14),
    ],
)
def test_all_else_is_refused_with_its_column(text, message, column):
    found, at = refused(text)
    assert message in found
    assert at == column


def test_numbers_go_to_two_to_the_53():
    assert value("9007199254740992") == 2**53
    assert value("9007199254740992.0") == 2**53


def test_a_part_that_is_not_needed_is_not_computed():
    assert value("true or inputs.missing") is True
    assert value("false and inputs.missing") is False
    assert value("if_else(true, 1, inputs.missing)") == 1
    assert value("default(1, inputs.missing)") == 1


@pytest.mark.capability(278)
def test_an_expression_has_at_most_200_nodes():
    terms = (MAX_NODES + 1) // 2
    assert value("+".join("1" * terms)) == terms
    message, _ = refused("+".join("1" * (terms + 1)))
    assert message == "The expression has more than 200 parts."
    assert value("-" * (MAX_NODES - 2) + "1") == 1
    assert "200 parts" in refused("-" * MAX_NODES + "1")[0]


@pytest.mark.capability(278)
@pytest.mark.parametrize(("opened", "closed"), [("(", ")"), ("[", "]"), ("type(", ")")])
def test_an_expression_is_at_most_32_deep(opened, closed):
    inside = MAX_DEPTH - 1
    assert value(opened * inside + "1" + closed * inside) is not None
    message, _ = refused(opened * MAX_DEPTH + "1" + closed * MAX_DEPTH)
    assert message == "The expression is nested deeper than 32 levels."


def test_a_compiled_expression_tells_what_it_reads():
    text = (
        "default(steps.a.output['End date'], inputs.days) + len(item.rows[-1]) "
        "> loop.index or exists(memory.user.k)"
    )
    assert compile_expression(text).reads == {
        ("steps", "a", "output", "End date"),
        ("inputs", "days"),
        ("item", "rows", -1),
        ("loop", "index"),
        ("memory", "user", "k"),
    }
    assert compile_expression("1 + 1").reads == frozenset()
    assert compile_expression(text).text == text


def test_other_roots_may_be_given():
    roots = frozenset({"params"})
    assert compile_expression("params.to", roots=roots).reads == {("params", "to")}
    assert "no 'params'" in refused("params.to")[0]
    assert compile_expression("order.id").reads == {("order", "id")}  # the validator knows which


def test_equal_expressions_are_compiled_once():
    assert compile_expression("1 + 2 + 3") is compile_expression("1 + 2 + 3")
