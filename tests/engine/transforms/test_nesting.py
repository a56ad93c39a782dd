"""Wide, long and nested rows."""

import pytest

from pilot.errors import ErrorClass
from tests.engine.transforms.work import failure, run, transform

MAILS = [
    {"message_id": "m1", "attachments": [{"name": "a.pdf"}, {"name": "b.png", "size": 3}]},
    {"message_id": "m2", "attachments": []},
    {"message_id": "m3", "attachments": None},
]


def test_inner_rows_keep_fields_of_the_outer():
    assert run(MAILS, ("flatten", {"field": "attachments", "keep": ["message_id"]})) == [
        {"message_id": "m1", "name": "a.pdf", "size": None},
        {"message_id": "m1", "name": "b.png", "size": 3},
    ]


def test_a_row_without_a_list_is_noted():
    notes = transform(MAILS, ("flatten", {"field": "attachments"})).notes
    assert notes == ["flatten: 1 of 3 rows have null in place of a list."]


def test_lists_of_lists_lose_one_level():
    assert run([[1, [2]], [], [3]], ("flatten", {})) == [1, [2], 3]


def test_plain_elements_stand_under_the_name_of_the_field():
    rows = [{"id": 1, "tags": ["a", "b"]}]
    assert run(rows, ("flatten", {"field": "tags"})) == ["a", "b"]
    assert run(rows, ("flatten", {"field": "tags", "keep": ["id"]})) == [
        {"id": 1, "tags": "a"},
        {"id": 1, "tags": "b"},
    ]


def test_a_kept_field_that_the_inner_rows_have_is_refused():
    rows = [{"name": "mail", "attachments": [{"name": "a.pdf"}]}]
    config = {"field": "attachments", "keep": ["name"]}
    assert "'name' is a field of attachments too" in failure(rows, ("flatten", config))


def test_what_is_no_list_cannot_be_flattened():
    assert "row 1: a is a text, not a list" in failure([{"a": "x"}], ("flatten", {"field": "a"}))
    assert "row 2: the element is a number" in failure([[1], 2], ("flatten", {}))


def test_unpivot_makes_a_row_of_each_field():
    rows = [{"id": 1, "Jan": 5, "Feb": None}]
    config = {"fields": ["Jan", "Feb"], "name": "month", "value": "amount"}
    assert run(rows, ("unpivot", config)) == [
        {"id": 1, "month": "Jan", "amount": 5},
        {"id": 1, "month": "Feb", "amount": None},
    ]


def test_the_new_fields_must_be_new():
    message = failure([{"name": 1, "x": 2}], ("unpivot", {"fields": ["x"]}))
    assert "'name' is a field already" in message


@pytest.mark.parametrize(
    ("rows", "operation"),
    [
        ([{"a": [0] * 60_000}] * 2, ("flatten", {"field": "a"})),
        ([{"a": 1, "b": 2}] * 60_000, ("unpivot", {"fields": ["a", "b"]})),
    ],
)
def test_results_stay_within_the_bound(rows, operation):
    assert "more than 100,000" in failure(rows, operation, error_class=ErrorClass.LIMIT)
