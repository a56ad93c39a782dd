"""Comparison steps."""

import pytest

from pilot.engine.steps import comparison
from pilot.errors import StepError
from tests.engine.steps.surroundings import context, step

OLD = [{"id": 1, "name": "Ann", "tags": ["a"]}, {"id": 2, "name": "Bob", "tags": []}]
NEW = [{"id": "1", "name": "Anna", "tags": ["a"]}, {"id": 3, "name": "Cem", "tags": []}]


def compared(left, right, operation="diff", **more):
    made = step(
        type="comparison", left="inputs.left", right="inputs.right", operation=operation, **more
    )
    return comparison.run(made, context(inputs={"left": left, "right": right})).output


def test_rows_are_matched_by_their_key_and_told_apart():
    assert compared(OLD, NEW, key="id") == {
        "result": False,
        "added": [NEW[1]],
        "removed": [OLD[1]],
        "changed": [{"path": "/1/name", "from": "Ann", "to": "Anna"}],
        "unchanged": 0,
    }
    same = compared(OLD, list(reversed(OLD)), key="id")
    assert (same["result"], same["unchanged"]) == (True, 2)


def test_a_field_that_one_row_lacks_is_a_change_of_that_row():
    found = compared([{"id": 1, "a": 1}], [{"id": 1, "b/c": 2}], key="id")
    assert found["changed"] == [
        {"path": "/1/a", "from": 1, "to": None},
        {"path": "/1/b~1c", "from": None, "to": 2},
    ]


def test_objects_are_compared_at_every_depth():
    found = compared({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 1, "c": 3}, "e": None})
    assert found["changed"] == [{"path": "/a/c", "from": 2, "to": 3}]
    assert found["removed"] == [{"path": "/d", "value": [1]}]
    assert found["added"] == [{"path": "/e", "value": None}]
    assert found["unchanged"] == 1


def test_lists_without_a_key_are_bags():
    found = compared([1, 1, 2], [2, "1", 3])
    assert (found["added"], found["removed"], found["unchanged"]) == ([3], [1], 2)
    assert compared([1, 2], [2, 1])["result"]
    assert not compared([1, 2], [2, 1], "equals")["result"]


@pytest.mark.parametrize(
    ("left", "right", "plainly", "exact"),
    [
        (4, "4", True, False),
        (1, True, False, False),
        (1, 1.0, True, True),
        ({"a": [1]}, {"a": ["1"]}, True, False),
        (None, None, True, True),
        (None, [], False, False),
    ],
)
def test_equals_forgives_kinds_and_deep_equals_does_not(left, right, plainly, exact):
    assert compared(left, right, "equals")["result"] is plainly
    assert compared(left, right, "deep_equals")["result"] is exact


@pytest.mark.parametrize(
    ("left", "right", "changed", "others"),
    [
        (1, "1.0", [{"path": "", "from": 1, "to": "1.0"}], ([], [], 0)),
        (1, 1.0, [], ([], [], 1)),
        ({"a": 1, "b": 2}, {"a": "1.0", "b": 2.0}, [{"path": "/a", "from": 1, "to": "1.0"}],
         ([], [], 1)),
        ([1, 2, "2"], ["1", "2", 2.0], [], (["1"], [1], 2)),
    ],
)  # fmt: skip
def test_what_deep_equals_tells_apart_it_names(left, right, changed, others):
    found = compared(left, right, "deep_equals")
    assert found["changed"] == changed
    assert (found["added"], found["removed"], found["unchanged"]) == others
    assert compared(left, right)["result"], "diff forgives kinds"


def test_deep_equals_names_fields_of_rows_that_their_key_matches():
    found = compared([{"id": 4.0, "n": 1}], [{"id": "4", "n": 1}], "deep_equals", key="id")
    assert found["changed"] == [{"path": "/4/id", "from": 4.0, "to": "4"}]
    assert compared([{"id": 4.0}], [{"id": 4}], key="id")["unchanged"] == 1


@pytest.mark.parametrize(
    ("whole", "part", "expected"),
    [
        ([1, 2, 3], [3, "1"], True),
        ([1, 2], [4], False),
        ([1, 2], 2, True),
        ([], [], True),
        ("invoice 17", "17", True),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
    ],
)
def test_contains_and_subset_are_mirror_images(whole, part, expected):
    assert compared(whole, part, "contains")["result"] is expected
    assert compared(part, whole, "subset")["result"] is expected


def test_a_row_holds_the_row_of_its_key():
    assert compared(OLD, [{"id": 2, "name": "Bob"}], "contains", key="id")["result"]
    assert not compared(OLD, [{"id": 2, "name": "Bert"}], "contains", key="id")["result"]


@pytest.mark.parametrize(
    ("left", "right", "more", "told"),
    [
        ([{"id": 1}], [{"name": "x"}], {"key": "id"}, "Row 1 of right has no 'id'"),
        ([{"id": 1}, {"id": 1}], [], {"key": "id"}, "Several rows of left have the same 'id': 1."),
        (None, [1], {"operation": "contains"}, "null holds no list"),
        ([0] * 100_001, [], {}, "100,001 elements are more than 100,000"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_its_reason(left, right, more, told):
    with pytest.raises(StepError, match=told):
        compared(left, right, **more)


def test_a_list_of_equal_elements_takes_no_square_of_the_time():
    found = compared([7] * 100_000, [7] * 99_999)
    assert (found["removed"], found["unchanged"]) == ([7], 99_999)
