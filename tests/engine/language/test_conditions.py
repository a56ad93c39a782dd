"""Conditions: text or structured, one meaning; they are true, false or an error."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pilot.engine.expressions import NullOperandError, compile_expression
from pilot.engine.expressions.tokens import MAX_CHARACTERS
from pilot.engine.language.conditions import OPERATORS, compile_condition, literal
from pilot.errors import ErrorClass, ExpressionError, InvalidError
from tests.engine.expressions.evaluating import scope

ITEM = {
    "n": 5,
    "t": "Refund, please",
    "tags": ["Urgent", "vip"],
    "none": None,
    "empty": "",
    "yes": True,
    "no": False,
    "day": "2026-03-08",
    "soon": "2026-03-12",
    "End date": "2026-03-11",
    "error": "E7",
    "it's": 1,
}
WORDS = ["refund", "angry"]


def holds(condition, **options):
    compiled = compile_condition(condition, **options)
    return compiled.evaluate(scope(item=ITEM, inputs={"words": WORDS, "n": 5, "five": "5"}))


def one(field, operator, *value, **more):
    given_value = {"value": value[0]} if value else {}
    return {"field": field, "operator": operator} | given_value | more


CASES = [
    ("n", "equals", "5", True),
    ("n", "==", 5, True),
    ("t", "not_equals", "x", True),
    ("n", "!=", 5, False),
    ("n", "greater_than", 4, True),
    ("n", ">", 5, False),
    ("n", "greater_than_or_equal", 5, True),
    ("n", ">=", 6, False),
    ("n", "less_than", 5.5, True),
    ("n", "<", 5, False),
    ("n", "less_than_or_equal", 5, True),
    ("n", "<=", 4, False),
    ("n", "between", [5, 7], True),
    ("n", "between", [1, 4], False),
    ("n", "in", [1, "5"], True),
    ("n", "not_in", [1, 5], False),
    ("t", "contains", "fund", True),
    ("t", "not_contains", "fund", False),
    ("tags", "contains", "vip", True),
    ("tags", "contains", "vi", False),
    ("t", "contains_any", ["angry", "please"], True),
    ("t", "contains_all", ["angry", "please"], False),
    ("tags", "contains_any", ["vip"], True),
    ("tags", "contains_all", ["vip", "Urgent"], True),
    ("t", "starts_with", "Refund", True),
    ("tags", "ends_with", "ip", True),
    ("t", "matches", "p.+e$", True),
    ("tags", "matches", "^U", True),
    ("day", "before", "2026-03-09", True),
    ("day", "after", "2026-03-08", False),
    ("day", "within_last_days", 2, True),
    ("day", "within_last_days", 1, False),
    ("soon", "within_next_days", 2, True),
    ("soon", "within_next_days", 1, False),
]
WITHOUT = [
    ("n", "exists", True),
    ("none", "exists", False),
    ("gone", "exists", False),
    ("none", "not_exists", True),
    ("none", "is_null", True),
    ("empty", "is_null", False),
    ("gone", "is_empty", True),
    ("empty", "is_empty", True),
    ("tags", "is_empty", False),
    ("t", "is_not_empty", True),
    ("yes", "is_true", True),
    ("n", "is_true", False),
    ("no", "is_false", True),
    ("none", "is_false", False),
]


@pytest.mark.parametrize(("field", "operator", "value", "wanted"), CASES)
def test_operators_with_a_value(field, operator, value, wanted):
    assert holds(one(field, operator, value), item_fields=True) is wanted
    assert holds(one(f"item.{field}", operator, value)) is wanted


@pytest.mark.parametrize(("field", "operator", "wanted"), WITHOUT)
def test_operators_without_a_value(field, operator, wanted):
    assert holds(one(f"item.{field}", operator)) is wanted
    assert holds(one(field, operator, "left out"), item_fields=True) is wanted


def test_every_operator_has_a_case():
    seen = {case[1] for case in CASES} | {case[1] for case in WITHOUT}
    assert seen == set(OPERATORS)


@pytest.mark.parametrize(
    ("field", "operator", "value", "wanted"),
    [
        ("t", "contains_any", WORDS, True),
        ("t", "contains_any", "{{inputs.words}}", True),
        ("t", "contains", "REFUND", True),
        ("t", "starts_with", "rEfund", True),
        ("t", "equals", "refund, PLEASE", True),
        ("t", "in", ["REFUND, please"], True),
        ("t", "matches", r"^refund\S", True),
        ("tags", "contains", "URGENT", True),
        ("tags", "ends_with", "VIP", True),
        ("t", "between", ["refund", "s"], True),
    ],
)
def test_case_can_be_ignored(field, operator, value, wanted):
    assert holds(one(field, operator, value, ignore_case=True), item_fields=True) is wanted
    assert holds(one(field, operator, value, ignore_case=False), item_fields=True) is False


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ({"and": [one("item.n", "==", 5), "item.yes"]}, True),
        ({"all": [one("item.n", "==", 5), "item.no"]}, False),
        ({"or": [one("item.n", "==", 4), True]}, True),
        ({"any": [one("item.n", "==", 4), False]}, False),
        ({"not": one("item.n", "==", 4)}, True),
        ({"not": {"and": ["item.yes", {"not": "item.no"}]}}, False),
        ({"conditionType": "complex_and", "and": ["item.yes"]}, True),
        (one("item.n", "==", 5, conditionType="simple"), True),
        ({"or": ["item.yes", one("item.gone", "==", 1)]}, True),
        ({"and": ["item.no", one("item.gone", "==", 1)]}, False),
        (True, True),
        (False, False),
        ("item.n == 5", True),
        ("{{ item.n == 5 }}", True),
        ("item.n == 5 and not item.no", True),
        (one("{{item.n}}", "==", "{{inputs.n}}"), True),
        (one("item.n", "==", "{{ inputs.n - 1 }}"), False),
        (one("item.n", "in", ["{{inputs.five}}", 1]), True),
        (one("item['End date']", "after", "2026-03-10"), True),
    ],
)
def test_conditions_combine_and_refer(condition, wanted):
    assert holds(condition) is wanted


@pytest.mark.parametrize(
    ("field", "reads"),
    [
        ("End date", ("item", "End date")),
        ("it's", ("item", "it's")),
        ("error", ("item", "error")),
        ("steps", ("item", "steps")),
        ("a\\b", ("item", "a\\b")),
        ("item.n", ("item", "n")),
        ("item", ("item",)),
        ("index", ("index",)),
        ("inputs.n", ("inputs", "n")),
        ("{{ item.n }}", ("item", "n")),
    ],
)
def test_in_list_operations_a_bare_name_is_a_field_of_the_item(field, reads):
    assert compile_condition(one(field, "exists"), item_fields=True).reads == {reads}


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({}, "field does not fit"),
        ({"field": "item.n"}, "no operator"),
        (one("item.n", "=="), "needs a value"),
        (one("item.n", "==", {"a": 1}), "text, number, boolean, null or a list"),
        (one("item.n", "between", [1]), "list of two"),
        (one("item.n", "between", 1), "list of two"),
        (one("item.n", "==", 1, extra=1), "extra does not fit"),
        (one(5, "==", 1), "does not fit"),
        (one("item.n + 1", "==", 1), "A field is a path"),
        (one("len(item.n)", "==", 1), "A field is a path"),
        (one("item.n == 1 or item.yes", "==", True), "A field is a path"),
        (one("5", "==", 5), "A field is a path"),
        (one("item.n", "matches", "("), "no RE2"),
        (one("item.n", "==", "{{ 1) or (1 }}"), "not expected"),
        ({"and": []}, "list of conditions"),
        ({"and": {"field": "item.n"}}, "list of conditions"),
        ({"and": ["true"], "or": ["true"]}, "stands alone"),
        ({"not": "true", "field": "x"}, "stands alone"),
        ({"not": None}, "A condition is text"),
        ([], "A condition is text"),
        (5, "A condition is text"),
        (None, "A condition is text"),
        ("", "empty"),
        ("item.n =", "=="),
    ],
)
def test_what_is_no_condition_is_refused(condition, message):
    with pytest.raises((ExpressionError, InvalidError), match=message):
        compile_condition(condition)


@pytest.mark.parametrize(
    ("operator", "nearest"),
    [
        ("is_not_null", "exists"),
        ("gte", "greater_than_or_equal"),
        ("contain", "contains"),
        ("equal", "equals"),
        ("startswith", "starts_with"),
    ],
)
def test_an_unknown_operator_is_an_issue_with_the_nearest_as_fix(operator, nearest):
    with pytest.raises(InvalidError) as caught:
        compile_condition({"and": [one("item.n", "==", 1), one("item.n", operator, 1)]})
    (issue,) = caught.value.issues
    assert (issue.code, issue.path, issue.expected) == ("E_OPERATOR", "/and/1/operator", nearest)
    assert issue.fix == [{"op": "replace", "path": "/and/1/operator", "value": nearest}]


def test_an_operator_like_no_other_has_no_fix():
    with pytest.raises(InvalidError) as caught:
        compile_condition(one("item.n", "zzz", 1))
    assert caught.value.issues[0].fix is None
    assert "between" in caught.value.issues[0].message


@pytest.mark.parametrize("condition", ["item.n", "item.t", "item.tags", "1", "'true'"])
def test_nothing_but_a_boolean_is_a_condition(condition):
    with pytest.raises(ExpressionError, match="true or false, not a"):
        holds(condition)


@pytest.mark.parametrize(
    "condition",
    [
        "item.none",
        one("item.none", ">", 5),
        one("item.n", ">", None),
        one("item.none", "contains", "a"),
        one("item.none", "contains_any", ["a"]),
        one("item.none", "starts_with", "a"),
        one("item.none", "within_last_days", 3),
        {"not": one("item.none", "before", "2026-01-01")},
    ],
)
def test_null_is_neither_true_nor_false(condition):
    with pytest.raises(NullOperandError):
        holds(condition)


def test_a_missing_field_is_an_error_but_for_what_asks_for_it():
    with pytest.raises(ExpressionError, match="no 'gone'") as caught:
        holds(one("item.gone", "is_null"))
    assert caught.value.error_class is ErrorClass.REFERENCE


@pytest.mark.capability(278)
@pytest.mark.parametrize("key", ["and", "not"])
def test_conditions_nest_to_a_depth(key):
    condition = "item.yes"
    for _ in range(200):
        condition = {"not": condition} if key == "not" else {"and": [condition]}
    with pytest.raises(ExpressionError, match="at most 16 deep"):
        compile_condition(condition)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1e-7, "0.0000001"),
        (-2.5, "-2.5"),
        (1e15, "1000000000000000.0"),
        ("it's \\ \n\t", r"'it\'s \\ \n\t'"),
        (["a", 1], "['a', 1]"),
        ("{{inputs.n}}", "(inputs.n)"),
    ],
)
def test_values_are_printed_as_expressions(value, text):
    assert literal(value) == text


FIELDS = st.sampled_from(["item.n", "item.t", "item.tags", "item.none", "item.gone", "item.day"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
VALUES = (
    TEXTS.filter(lambda text: "{{" not in text)
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e6, 1e6)
    | st.booleans()
    | st.none()
    | st.sampled_from(["5", "2026-03-08", "Refund, please"])
)
SINGLE = st.builds(
    lambda field, operator, value, fold: one(field, operator, value, ignore_case=fold),
    FIELDS,
    st.sampled_from(OPERATORS),
    VALUES | st.lists(VALUES, max_size=3),
    st.booleans(),
)
STRUCTURED = st.recursive(
    SINGLE,
    lambda inner: (
        st.builds(
            lambda key, parts: {key: parts},
            st.sampled_from(["and", "or", "all", "any"]),
            st.lists(inner | st.booleans(), min_size=1, max_size=3),
        )
        | inner.map(lambda part: {"not": part})
    ),
    max_leaves=4,
)


def _result(compiled):
    try:
        return compiled.evaluate(scope(item=ITEM))
    except ExpressionError as error:
        return type(error), error.error_class


@settings(max_examples=1000, deadline=None)
@given(STRUCTURED)
def test_a_structured_condition_equals_its_printed_form(condition):
    try:
        compiled = compile_condition(condition)
        printed = compile_condition(compiled.text)
    except (ExpressionError, InvalidError):
        return
    assert _result(compiled) == _result(printed)
    assert compiled.reads == printed.reads


@given(VALUES | st.lists(VALUES, max_size=3))
def test_a_printed_value_is_read_as_it_was(value):
    assume(len(literal(value)) <= MAX_CHARACTERS)  # an expression has no more
    found = compile_expression(literal(value)).evaluate(scope())
    assert found == value
    assert isinstance(found, bool) is isinstance(value, bool)
