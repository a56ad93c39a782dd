"""Which results hold under a change: exactly those that do not follow from it."""

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilot.engine.life.reuse import Side, reusable
from tests.engine.documents import workflow
from tests.engine.steps.containers import group, loop, scatter
from tests.engine.worker_process import put

NAMES = "abcdefg"


def side(steps, models=("m",), zone="UTC", execution="1", **inputs):
    roots = {"inputs": inputs, "execution": {"id": execution}}
    return Side(workflow(*steps), roots, zone, models)


def held(old, new, recorded=None, items=lambda _side, _node: None):
    newest = recorded or dict.fromkeys([step["id"] for step in old.document["steps"]], "completed")
    return set(reusable(old, new, newest, items).held)


@st.composite
def chains(draw):
    """Draw steps that read inputs and steps before them, and a change of some."""
    count = draw(st.integers(1, 7))
    reads = [draw(st.sets(st.integers(0, n - 1))) if n else set() for n in range(count)]
    inputs = [draw(st.sets(st.sampled_from("xyz"))) for _ in range(count)]
    steps = [
        put(
            NAMES[n],
            {
                "own": n,
                "steps": [f"{{{{steps.{NAMES[one]}.output}}}}" for one in sorted(reads[n])],
                "inputs": [f"{{{{inputs.{one}}}}}" for one in sorted(inputs[n])],
            },
        )
        for n in range(count)
    ]
    edited = draw(st.sets(st.integers(0, count - 1)))
    changed = draw(st.sets(st.sampled_from("xyz")))
    return steps, reads, inputs, edited, changed


@pytest.mark.capability(254)
@settings(max_examples=60, deadline=None)
@given(chains())
def test_exactly_what_follows_from_a_change_runs(drawn):
    steps, reads, inputs, edited, changed = drawn
    after = deepcopy(steps)
    for one in edited:
        after[one]["config"]["value"]["own"] = "other"
    told = {one: 2 if one in changed else 1 for one in "xyz"}
    found = held(side(steps, x=1, y=1, z=1), side(after, **told))
    runs = set()  # by the plain meaning of it
    for n in range(len(steps)):
        if n in edited or inputs[n] & changed or reads[n] & runs:
            runs.add(n)
    assert found == {NAMES[n] for n in range(len(steps)) if n not in runs}


A, B = put("a", 1), put("b", "{{steps.a.output}}")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Another name"},
        {"metadata": {"seen": True}},
    ],
)
def test_what_changes_nothing_keeps_all(change):
    assert held(side([A, B]), side([A | change, B])) == {"a", "b"}


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        ([A, B | {"execute_if": "true"}], {"a"}),
        ([A | {"timeout_s": 5}, B], set()),
        ([put("c", 1), A, B], {"a", "b"}),
        ([A, put("b", "{{steps.a.output}}", dependencies=["a"]) | {"type": "delay"}], {"a"}),
        ([B | {"config": {"value": 1}}], set()),
    ],
)
def test_edited_steps_and_what_follows_run(after, kept):
    assert held(side([A, B]), side(after)) == kept


def test_other_models_count_for_those_who_ask_them():
    ask = {"id": "ask", "type": "ai_processing", "prompt": "Say it."}
    assert held(side([A, ask]), side([A, ask], models=("n",))) == {"a"}
    assert held(side([A, ask]), side([A, ask])) == {"a", "ask"}


def test_another_zone_changes_all_and_the_id_of_the_execution_who_reads_it():
    named = put("b", "{{execution.id}}")
    assert held(side([A, named]), side([A, named], execution="2")) == {"a"}
    assert held(side([A, B]), side([A, B], zone="Europe/Rome")) == set()


def test_one_and_true_are_not_the_same_input():
    step = put("a", "{{inputs.n}}")
    assert held(side([step], n=1), side([step], n=True)) == set()


@pytest.mark.parametrize(
    ("status", "rule", "kept"),
    [
        ("failed", {}, set()),
        ("failed", {"on_error": "continue"}, {"a", "b"}),
        ("skipped", {}, {"a", "b"}),
        ("unknown", {}, set()),
        ("interrupted", {}, set()),
        ("waiting", {}, set()),
    ],
)
def test_only_what_came_to_its_end_is_kept(status, rule, kept):
    steps = [A | rule, B]
    assert held(side(steps), side(steps), {"a": status, "b": "completed"}) == kept


def test_what_is_unchanged_but_not_at_its_end_is_told_apart():
    steps = [A, B, put("c", 1)]
    recorded = {"a": "completed", "b": "waiting", "c": "failed", "c/on_error/m": "waiting"}
    found = reusable(side(steps), side(steps), recorded)
    assert (found.held, found.open) == ({"a"}, {"b", "c", "c/on_error/m"})
    edited = [put("a", 2), B, steps[2]]
    found = reusable(side(steps), side(edited), recorded)
    assert (found.held, found.open) == (set(), {"c", "c/on_error/m"})


BODY = [put("x", "{{item}}"), put("y", {"of": "{{steps.x.output}}"}), put("z", 1)]
ROUNDS = {f"each[{i}]/{s}": "completed" for i in range(3) for s in "xyz"}


def rounds(*left_out):
    return {path for path in ROUNDS if path not in left_out}


@pytest.mark.parametrize("around", [loop, scatter])
def test_a_finished_container_is_kept_with_all_inside(around):
    steps = [around(BODY), put("after", "{{steps.each.output}}")]
    recorded = ROUNDS | {"each": "completed", "after": "completed", "each[1]/x": "failed"}
    old = side(steps, items=[1, 2, 3])
    assert held(old, side(steps, items=[1, 2, 3]), recorded) == set(recorded)
    assert held(old, side(steps, items=[1, 2]), recorded) == set()


@pytest.mark.parametrize("around", [loop, scatter])
def test_of_an_edited_body_only_the_edited_steps_run_in_each_round(around):
    edited = [BODY[0], put("y", {"to": "{{steps.x.output}}"}), BODY[2]]
    old, new = side([around(BODY)], items=[1]), side([around(edited)], items=[1])
    found = reusable(old, new, ROUNDS | {"each": "completed"})
    assert found.held == rounds("each[0]/y", "each[1]/y", "each[2]/y")
    assert found.entered == {"each"}


def test_of_a_failed_loop_the_finished_rounds_are_kept():
    steps = [loop(BODY)]
    recorded = ROUNDS | {"each": "failed", "each[2]/y": "failed"}
    assert held(side(steps, items=[1]), side(steps, items=[1]), recorded) == rounds("each[2]/y")


def test_a_loop_whose_rounds_follow_each_other_keeps_those_before_the_first_open_one():
    steps = [loop([put("x", "{{loop.previous}}"), *BODY[1:]])]
    recorded = ROUNDS | {"each": "failed", "each[1]/y": "failed"}
    found = held(side(steps, items=[1]), side(steps, items=[1]), recorded)
    assert found == {path for path in ROUNDS if "[0]" in path} | {"each[1]/x", "each[1]/z"}


def test_rounds_with_equal_items_are_kept_where_the_items_can_be_told():
    steps = [loop(BODY), put("after", "{{steps.each.output}}")]
    recorded = ROUNDS | {"each": "completed", "after": "completed"}
    old, new = side(steps, items=[1, 2, 3]), side(steps, items=[1, 9, 3, 4])
    found = reusable(old, new, recorded, lambda one, _node: one.roots["inputs"]["items"])
    assert found.held == {path for path in ROUNDS if "[1]" not in path}
    assert found.entered == set()


def test_inside_a_container_that_decides_alike_what_is_unchanged_is_kept():
    def way(value):
        body = [put("x", 1), put("y", value)]
        return [
            put("a", 1),
            {"id": "way", "type": "conditional", "condition": "true", "then": body},
        ]

    recorded = dict.fromkeys(["a", "way", "way/x", "way/y"], "completed")
    found = reusable(side(way(1)), side(way(2)), recorded)
    assert (found.held, found.entered) == ({"a", "way/x"}, {"way"})
    other = way(2)
    other[1]["condition"] = "1 == 1"
    assert held(side(way(1)), side(other), recorded) == {"a"}


def test_of_a_group_each_branch_stands_for_itself():
    def both(value):
        return [group({"one": [put("x", 1)], "two": [put("y", value)]})]

    recorded = dict.fromkeys(["both", "both/x", "both/y"], "completed")
    assert held(side(both(1)), side(both(2)), recorded) == {"both/x"}
    more, fewer = both(1), both(1)
    more[0]["branches"]["three"] = [put("z", 1)]
    del fewer[0]["branches"]["one"]
    found = reusable(side(both(1)), side(more), recorded)
    assert (found.held, found.entered) == ({"both/x", "both/y"}, {"both"})
    assert held(side(both(1)), side(fewer), recorded) == {"both/y"}


def test_a_conditional_keeps_what_ran_when_it_gets_another_way():
    way = {"id": "way", "type": "conditional", "condition": "inputs.x", "then": [put("x", 1)]}
    recorded = dict.fromkeys(["way", "way/x"], "completed")
    found = reusable(side([way], x=True), side([way | {"else": [put("y", 1)]}], x=True), recorded)
    assert (found.held, found.entered) == ({"way/x"}, {"way"})
    assert held(side([way], x=True), side([way], x=False), recorded) == set()


@pytest.mark.parametrize(
    ("ran", "whens", "kept"),
    [
        ("a", ["A", "B", "C"], True),
        ("a", ["A"], True),
        ("a", ["C", "A", "B"], False),
        ("a", [["A", "C"], "B"], False),
        ("b", ["A", "B", "C"], True),
        ("b", ["A", ["B", "C"]], False),
        ("b", ["C", "B"], False),
        ("rest", ["A", "B", "C"], False),
        ("rest", ["A"], False),
    ],
)
def test_a_switch_keeps_what_ran_if_it_would_choose_it_still(ran, whens, kept):
    def way(whens, **fields):
        names = {"A": "a", "B": "b", "C": "c"}
        cases = [{"when": one, "steps": [put(names[one[0]], 1)]} for one in whens]
        step = {"id": "way", "type": "switch", "value": "inputs.x", "cases": cases}
        return [step | {"default": [put("rest", 1)]} | fields]

    old, recorded = side(way(["A", "B"]), x="A"), dict.fromkeys(["way", f"way/{ran}"], "completed")
    found = reusable(old, side(way(whens), x="A"), recorded)
    assert (found.held, found.entered) == (({f"way/{ran}"}, {"way"}) if kept else (set(), set()))
    other = side(way(["A", "B"], default=[put("rest", 1), put("more", 1)]), x="A")
    assert reusable(old, other, recorded).held == {f"way/{ran}"}


def test_containers_within_containers_are_compared_by_themselves():
    def nested(value):
        inner = scatter([put("x", "{{item}}"), put("y", value)]) | {"id": "in"}
        return [loop([inner, put("end", 1)])]

    paths = ["each", "each[0]/in", "each[0]/in[0]/x", "each[0]/in[0]/y", "each[0]/end"]
    recorded = dict.fromkeys(paths, "completed")
    found = reusable(side(nested(1), items=[1]), side(nested(2), items=[1]), recorded)
    assert found.held == {"each[0]/in[0]/x", "each[0]/end"}
    assert found.entered == {"each", "each[0]/in"}
    longer = nested(1)
    longer[0]["steps"].append(put("more", 1))
    found = reusable(side(nested(1), items=[1]), side(longer, items=[1]), recorded)
    assert found.held == {path for path in paths if path != "each"}
