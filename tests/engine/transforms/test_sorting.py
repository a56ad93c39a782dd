"""Order and repetition."""

import pytest

from tests.engine.transforms.work import failure, run, transform


def by(field, **more):
    return ("sort", {"by": [{"field": field, **more}]})


def sorted_values(values, **more):
    return [row["v"] for row in run([{"v": value} for value in values], by("v", **more))]


@pytest.mark.parametrize(
    ("values", "ordered"),
    [
        ([10, 9, 2.5, -1], [-1, 2.5, 9, 10]),
        (["10", "9", "2.5"], ["2.5", "9", "10"]),
        ([10, "9", 2], [2, "9", 10]),
        ([0.3, "0.1", 0.2], ["0.1", 0.2, 0.3]),
        (["b", "B", "a"], ["B", "a", "b"]),
        (["2026-02-01", "2025-12-31"], ["2025-12-31", "2026-02-01"]),
        (
            ["2026-03-10T01:00:00+02:00", "2026-03-10", "2026-03-09T22:30:00Z"],
            ["2026-03-09T22:30:00Z", "2026-03-10T01:00:00+02:00", "2026-03-10"],
        ),
        ([True, False], [False, True]),
        ([None, 2, None, 1], [1, 2, None, None]),
        (["3", "", "1", " "], ["1", "3", "", " "]),
        ([], []),
        ([None], [None]),
    ],
)
def test_values_sort_as_what_they_are(values, ordered):
    assert sorted_values(values) == ordered


def test_a_falling_order_keeps_nulls_last():
    assert sorted_values([1, None, 3, 2], direction="desc") == [3, 2, 1, None]
    assert sorted_values([1, None, 3], direction="desc", nulls="first") == [None, 3, 1]


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_ties_keep_their_order(direction):
    rows = [{"day": "2026-03-11", "n": n} for n in range(5)]
    assert run(rows, by("day", direction=direction)) == rows


def test_the_first_field_counts_most():
    rows = [{"a": a, "b": b} for a, b in [(1, "x"), (2, "y"), (1, "y"), (2, "x")]]
    keys = [{"field": "a", "direction": "desc"}, {"field": "b"}]
    ordered = run(rows, ("sort", {"by": keys}))
    assert [(row["a"], row["b"]) for row in ordered] == [(2, "x"), (2, "y"), (1, "x"), (1, "y")]


def test_a_column_of_several_kinds_needs_a_decision():
    message = failure([{"v": 10}, {"v": "n/a"}], by("v"))
    assert "number in row 1, text in row 2" in message
    assert "`as`" in message


def test_as_text_sorts_numbers_by_their_signs():
    assert sorted_values([10, "9", "n/a"], **{"as": "text"}) == [10, "9", "n/a"]


@pytest.mark.parametrize(
    ("order", "bad", "said"),
    [
        ("number", "12 apples", "row 2: '12 apples' is no number"),
        ("date", "11/03/2026", "row 2: '11/03/2026' is no date"),
        ("date", 4, "row 2: a number is no date"),
        ("date", "2026-02-30", "row 2: '2026-02-30' is no date"),
        ("text", {"a": 1}, "row 2: an object is no text"),
    ],
)
def test_a_value_that_does_not_fit_the_order_fails_with_its_row(order, bad, said):
    good = {"number": "4", "date": "2026-01-01", "text": "x"}[order]
    assert said in failure([{"v": good}, {"v": bad}], by("v", **{"as": order}))


def test_lists_have_no_order():
    assert "is no text" in failure([{"v": [1]}, {"v": [2]}], by("v"))


ROWS = [{"id": 4, "n": 1}, {"id": "4", "n": 2}, {"id": "x", "n": 3}, {"id": None, "n": 4}]


@pytest.mark.parametrize(("keep", "kept"), [("first", [1, 3, 4]), ("last", [2, 3, 4])])
def test_four_and_the_text_4_are_the_same(keep, kept):
    found = transform(ROWS, ("deduplicate", {"by": "id", "keep": keep}))
    assert [row["n"] for row in found.value] == kept
    assert found.notes == ["deduplicate: 1 of 4 were repeated and left out."]


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (["a@b.test", "c@d.test", "a@b.test"], ["a@b.test", "c@d.test"]),
        (["4", "4.0", 4], ["4", "4.0"]),
        (["007", "7"], ["007", "7"]),
        ([True, 1, "true", None, None], [True, 1, "true", None]),
        ([{"a": [1, "2"]}, {"a": ["1", 2]}, {"a": [1, 3]}], [{"a": [1, "2"]}, {"a": [1, 3]}]),
    ],
)
def test_values_are_the_same_as_in_expressions(values, kept):
    assert run(values, ("deduplicate", {})) == kept


def test_several_fields_are_compared_together():
    rows = [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": "1", "b": "1"}]
    assert run(rows, ("deduplicate", {"by": ["a", "b"]})) == rows[:2]
