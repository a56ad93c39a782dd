"""Operations on columns."""

import pytest

from pilot.errors import ErrorClass
from tests.engine.transforms.work import failure, run

PEOPLE = [
    {"First name": "Ada", "age": 36, "home": {"city": "London", "zip": "W1"}},
    {"First name": "Bob", "age": None, "home": None},
]


@pytest.mark.parametrize(
    ("value", "given"),
    [
        ("{{inputs.days}}", 10),
        ("Due in {{inputs.days}} days", "Due in 10 days"),
        ({"a": ["{{inputs.words}}", 1]}, {"a": [["refund", "angry"], 1]}),
        (None, None),
    ],
)
def test_set_gives_its_value_whatever_came_in(value, given):
    for came in (None, [], {"x": 1}):
        assert run(came, ("set", {"value": value})) == given


def test_map_makes_new_rows_of_just_these_fields():
    fields = {"Name": "item['First name']", "Status": "'new'", "No": "index + 1"}
    assert run(PEOPLE, ("map", {"fields": fields})) == [
        {"Name": "Ada", "Status": "new", "No": 1},
        {"Name": "Bob", "Status": "new", "No": 2},
    ]


def test_map_takes_plain_values():
    assert run(["a", "b"], ("map", {"fields": {"id": "item"}})) == [{"id": "a"}, {"id": "b"}]


def test_map_may_build_inner_objects():
    fields = {"to": {"name": "item['First name']", "tags": ["'x'", "index"]}}
    assert run(PEOPLE[:1], ("map", {"fields": fields})) == [
        {"to": {"name": "Ada", "tags": ["x", 0]}}
    ]


def test_with_fields_adds_and_replaces_and_sees_earlier_ones():
    fields = {"older": "default(item.age, 0) + 1", "text": "item.older + 0", "age": "item.text"}
    rows = run(PEOPLE, ("with_fields", {"fields": fields}))
    assert [(row["older"], row["age"], row["First name"]) for row in rows] == [
        (37, 37, "Ada"),
        (1, 1, "Bob"),
    ]
    assert list(rows[0]) == ["First name", "age", "home", "older", "text"]


def test_an_expression_that_fails_names_row_and_field():
    message = failure(
        PEOPLE,
        ("with_fields", {"fields": {"older": "item.age + 1"}}),
        error_class=ErrorClass.EXPRESSION,
    )
    assert message.startswith("with_fields: row 2, older: ")


@pytest.mark.parametrize(
    ("config", "columns"),
    [
        ({"fields": ["age", "First name"]}, ["age", "First name"]),
        ({"omit": ["home"]}, ["First name", "age"]),
        ({"rename": {"First name": "name"}}, ["name", "age", "home"]),
        ({"fields": ["home", "age"], "omit": ["age"], "rename": {"home": "age"}}, ["age"]),
        ({"rename": {"age": "home", "home": "age"}}, ["First name", "home", "age"]),
    ],
)
def test_select_keeps_drops_orders_and_renames(config, columns):
    assert list(run(PEOPLE, ("select", config))[0]) == columns


def test_a_name_that_two_fields_would_have_is_refused():
    message = failure(PEOPLE, ("select", {"rename": {"age": "home"}}))
    assert "two fields would be called 'home'" in message


def test_project_column_gives_values_once_if_asked():
    rows = [{"a": 4}, {"a": "4"}, {"a": None}, {"a": "x"}, {"a": None}]
    assert run(rows, ("project_column", {"field": "a"})) == [4, "4", None, "x", None]
    assert run(rows, ("project_column", {"field": "a", "unique": True})) == [4, None, "x"]


def test_expand_makes_columns_of_an_inner_object():
    assert run(PEOPLE, ("expand", {"field": "home", "prefix": "home_"})) == [
        {"First name": "Ada", "age": 36, "home_city": "London", "home_zip": "W1"},
        {"First name": "Bob", "age": None, "home_city": None, "home_zip": None},
    ]


def test_an_inner_field_may_have_the_name_of_the_outer():
    assert run([{"a": {"a": 1}}], ("expand", {"field": "a"})) == [{"a": 1}]


def test_a_field_that_expand_would_overwrite_is_refused():
    rows = [{"city": "Rome", "home": {"city": "Oslo"}}]
    assert "'city' is a field already: give a `prefix`" in failure(
        rows, ("expand", {"field": "home"})
    )


def test_what_is_no_object_cannot_be_expanded():
    assert "row 1: age is not an object" in failure(PEOPLE, ("expand", {"field": "age"}))
