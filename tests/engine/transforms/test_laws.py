"""Properties that hold for any data."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.transforms.work import run

# Few different values, so that keys meet: numbers, the same as text, null.
keys = st.sampled_from([1, "1", 1.0, "1.0", 2, "2", "a", "b", None, True])
lists = st.lists(keys, max_size=12)
rows = st.lists(st.fixed_dictionaries({"k": keys, "n": st.integers()}), max_size=12)


def combined(operation, left, right):
    return run(left, (operation, {"right": "steps.right.output"}), right=right)


@given(lists, lists)
def test_difference_and_intersection_part_the_input(left, right):
    out = combined("set_difference", left, right)
    both = combined("set_intersection", left, right)
    merged = iter(left)
    assert sorted(map(repr, out + both)) == sorted(map(repr, left))
    assert all(value in merged for value in both)  # in the order of the input


@given(lists, lists)
def test_what_is_left_meets_nothing_of_the_right(left, right):
    out = combined("set_difference", left, right)
    assert combined("set_intersection", out, right) == []
    assert combined("set_difference", out, right) == out


@given(lists, lists)
def test_a_union_holds_both_sides_and_nothing_twice(left, right):
    union = combined("set_union", left, right)
    assert combined("set_difference", left, union) == []
    assert combined("set_difference", right, union) == []
    assert run(union, ("deduplicate", {})) == union


@given(rows)
def test_deduplicate_is_idempotent(data):
    for keep in ("first", "last"):
        once = run(data, ("deduplicate", {"by": "k", "keep": keep}))
        assert run(once, ("deduplicate", {"by": "k", "keep": keep})) == once


numbers = st.integers(-9, 9) | st.floats(-9, 9).map(lambda x: round(x, 1)) | st.none()


@given(st.lists(numbers, max_size=30), st.sampled_from(["asc", "desc"]))
def test_sort_is_stable_and_ordered(values, direction):
    data = [{"v": value, "at": at} for at, value in enumerate(values)]
    ordered = run(data, ("sort", {"by": [{"field": "v", "direction": direction}]}))
    sign = 1 if direction == "asc" else -1
    wanted = sorted(data, key=lambda row: (row["v"] is None, sign * (row["v"] or 0)))
    assert ordered == wanted


@given(rows)
def test_groups_part_the_rows(data):
    groups = run(data, ("group", {"by": "k"}))
    gathered = [row for one in groups for row in one["items"]]
    assert sorted(map(repr, gathered)) == sorted(map(repr, data))
    assert [len(run(one["items"], ("deduplicate", {"by": "k"}))) for one in groups] == [1] * len(
        groups
    )


cells = st.text("ab ,\"'=\n", min_size=1, max_size=4).map(str.strip).filter(bool) | st.integers(1)


@settings(max_examples=50)
@given(st.lists(st.fixed_dictionaries({"A": cells, "B b": cells}), min_size=1, max_size=5))
def test_objects_survive_as_rows_of_a_sheet(data):
    assert run(data, ("objects_to_rows", {}), ("rows_to_objects", {})) == data


@given(rows)
def test_unpivot_and_pivot_undo_each_other(data):
    numbered = [{"id": at, "x": row["n"] % 1000, "y": at} for at, row in enumerate(data)]
    back = run(
        numbered,
        ("unpivot", {"fields": ["x", "y"]}),
        ("pivot", {"rows": "id", "column": "name", "value": "value", "op": "first"}),
    )
    assert back == numbered


@given(st.lists(st.integers(), max_size=20), st.integers(1, 5))
def test_split_and_flatten_undo_each_other(values, size):
    assert run(values, ("split", {"size": size}), ("flatten", {})) == values
