"""Keeping some of the elements."""

import pytest

from pilot.errors import ErrorClass
from tests.engine.transforms.work import failure, run, transform

MAILS = [
    {"id": "a", "subject": "Refund please", "days": 3},
    {"id": "b", "subject": None, "days": 12},
    {"id": "c", "subject": "ANGRY", "days": None},
    {"id": "d", "subject": "Hello", "days": 10},
]
WANTED = {
    "field": "subject",
    "operator": "contains_any",
    "value": ["refund", "angry"],
    "ignore_case": True,
}


def ids(rows):
    return "".join(row["id"] for row in rows)


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        (WANTED, "ac"),
        ("item.days <= inputs.days", "ad"),
        ("item.subject == null", "b"),
        ("not is_empty(item.days) and item.days > 5", "bd"),
        ("index < 2", "ab"),
        (True, "abcd"),
        (False, ""),
    ],
)
def test_rows_that_meet_the_condition_stay_in_order(condition, kept):
    assert ids(run(MAILS, ("filter", {"condition": condition}))) == kept


def test_a_null_does_not_match_and_is_counted():
    found = transform(MAILS, ("filter", {"condition": "item.days > 5"}))
    assert ids(found.value) == "bd"
    assert found.notes == ["filter: 1 of 4 rows did not match because a value is null (row 3)."]


def test_a_null_fails_where_that_is_asked_for():
    config = {"condition": "item.days > 5", "on_null": "error"}
    message = failure(MAILS, ("filter", config), error_class=ErrorClass.EXPRESSION)
    assert message.startswith("filter: row 3: ")


def test_a_wrong_kind_is_no_null():
    rows = [{"days": 1}, {"days": "soon"}]
    message = failure(
        rows, ("filter", {"condition": "item.days > 5"}), error_class=ErrorClass.EXPRESSION
    )
    assert message.startswith("filter: row 2: ")


def test_a_missing_input_is_not_taken_for_a_null():
    failure(
        MAILS,
        ("filter", {"condition": "item.days > inputs.nothing"}),
        error_class=ErrorClass.REFERENCE,
    )


def test_a_condition_that_is_not_true_or_false_fails():
    failure(MAILS, ("filter", {"condition": "item.id"}), error_class=ErrorClass.EXPRESSION)


def test_only_the_first_of_many_nulls_are_named():
    rows = [{"days": None}] * 8 + [{"days": 1}]
    notes = transform(rows, ("filter", {"condition": "item.days > 5"})).notes
    assert notes == [
        "filter: 8 of 9 rows did not match because a value is null (row 1, 2, 3, 4, 5, ..)."
    ]


def test_plain_values_are_filtered_too():
    assert run([3, "4", 5], ("filter", {"condition": "item >= 4"})) == ["4", 5]


@pytest.mark.parametrize(("condition", "found"), [("item.days > 5", "b"), ("item.days > 50", None)])
def test_find_gives_the_first_row_or_null(condition, found):
    row = run(MAILS, ("find", {"condition": condition}))
    assert (row and row["id"]) == found


def test_partition_loses_no_row():
    parts = run(MAILS, ("partition", {"condition": WANTED}))
    assert {name: ids(rows) for name, rows in parts.items()} == {"matched": "ac", "rest": "bd"}


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"count": 2}, "ab"),
        ({"count": "{{inputs.days - 9}}", "offset": 1}, "b"),
        ({"count": 99, "offset": 3}, "d"),
        ({"count": 0}, ""),
        ({"count": 1, "offset": 99}, ""),
    ],
)
def test_limit_counts_after_the_offset(config, kept):
    assert ids(run(MAILS, ("limit", config))) == kept


@pytest.mark.parametrize("count", [-1, "ten", "{{inputs.text}}", "{{inputs.words}}", True])
def test_a_limit_that_is_no_count_fails(count):
    assert "whole number from 0" in failure(MAILS, ("limit", {"count": count}))


def test_a_limit_that_reads_what_is_not_there_is_a_reference():
    config = {"count": "{{inputs.nothing}}"}
    message = failure(MAILS, ("limit", config), error_class=ErrorClass.REFERENCE)
    assert message.startswith("limit: ")


def test_split_leaves_a_shorter_last_part():
    assert run([1, 2, 3, 4, 5], ("split", {"size": 2})) == [[1, 2], [3, 4], [5]]
