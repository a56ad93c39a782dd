"""Two lists as sets."""

import pytest

from pilot.errors import ErrorClass
from tests.engine.transforms.work import failure, run

MAILS = [{"id": 4, "n": 1}, {"id": "b", "n": 2}, {"id": None, "n": 3}, {"id": "b", "n": 4}]


def kept(operation, right, by="id"):
    config = {"right": "steps.right.output", "by": by}
    return [row["n"] for row in run(MAILS, (operation, config), right=right)]


@pytest.mark.parametrize(
    "right", [[{"id": "4"}, {"id": "x"}], ["4", "x"], [4.0, "x"], [{"id": 4, "other": 1}]]
)
def test_the_other_list_has_objects_or_just_their_keys(right):
    assert kept("set_difference", right) == [2, 3, 4]
    assert kept("set_intersection", right) == [1]


def test_nothing_is_in_an_empty_list():
    assert kept("set_difference", []) == [1, 2, 3, 4]
    assert kept("set_intersection", []) == []


def test_null_equals_null_and_nothing_else():
    assert kept("set_intersection", [None]) == [3]
    assert kept("set_intersection", ["", 0, "null"]) == []


def test_texts_are_compared_exactly():
    assert run(["4", "04", "b"], ("set_difference", {"right": "['4.0', 'B']"})) == ["4", "04", "b"]


def test_a_union_has_each_once_and_all_columns():
    right = [{"id": "c", "extra": 1}, {"id": 4.0, "extra": 2}]
    config = {"right": "steps.right.output", "by": "id"}
    assert run(MAILS, ("set_union", config), right=right) == [
        {"id": 4, "n": 1, "extra": None},
        {"id": "b", "n": 2, "extra": None},
        {"id": None, "n": 3, "extra": None},
        {"id": "c", "n": None, "extra": 1},
    ]


def test_plain_values_need_no_field():
    assert run([1, "a"], ("set_union", {"right": "['1', 'b']"})) == [1, "a", "b"]


def test_several_fields_are_one_key():
    rows = [{"a": 1, "b": 1}, {"a": 1, "b": 2}]
    config = {"right": "steps.right.output", "by": ["a", "b"]}
    assert run(rows, ("set_difference", config), right=[{"b": "1", "a": "1"}]) == rows[1:]


@pytest.mark.parametrize("operation", ["set_difference", "set_intersection", "set_union"])
@pytest.mark.parametrize(
    ("right", "error_class", "said"),
    [
        (None, ErrorClass.INPUT, "right must be a list; it is null"),
        ({"id": 1}, ErrorClass.INPUT, "right must be a list; it is an object"),
        ([{"ids": 1}], ErrorClass.REFERENCE, "no row of right has the field 'id'. Nearest: ids."),
        ([{"id": 1}, 2], ErrorClass.INPUT, "right m"),
    ],
)
def test_another_list_that_cannot_be_compared_fails(operation, right, error_class, said):
    config = {"right": "steps.right.output", "by": "id"}
    assert said in failure(MAILS, (operation, config), error_class=error_class, right=right)


def test_plain_keys_do_not_fit_several_fields():
    config = {"right": "['a']", "by": ["id", "n"]}
    assert "several fields" in failure(MAILS, ("set_difference", config))
    assert "list of objects" in failure(MAILS, ("set_union", config))
