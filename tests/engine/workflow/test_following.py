"""What runs again with a step: exactly what follows from it."""

import pytest

from pilot.engine.workflow.following import containers, following
from pilot.errors import ConflictError, NotFoundError
from tests.engine.documents import workflow
from tests.engine.steps.containers import group, loop, scatter
from tests.engine.worker_process import put


def ask(name, *after, **fields):
    return {
        "id": name,
        "type": "human_approval",
        "title": "?",
        "dependencies": list(after),
    } | fields


def act(name, *after):
    action = {"type": "action", "plugin": "tables", "action": "list_tables", "params": {}}
    return action | {"id": name, "dependencies": list(after)}


def again(steps, recorded, path):
    found = following(workflow(*steps), recorded.split(), path)
    return set(found.again), set(found.reopened)


CHAIN = [put("a", 1), put("b", "{{steps.a.output}}"), put("c", 1), put("d", 1, dependencies=["b"])]
BODY = [put("x", "{{item}}"), put("y", "{{steps.x.output}}"), put("z", 1)]


@pytest.mark.capability(217)
@pytest.mark.parametrize(
    ("path", "found"), [("a", {"a", "b", "d"}), ("b", {"b", "d"}), ("c", {"c"}), ("d", {"d"})]
)
def test_what_depends_on_a_step_runs_again_with_it(path, found):
    assert again(CHAIN, "a b c d", path) == (found, set())


def test_a_step_that_has_not_run_cannot_run_again():
    with pytest.raises(NotFoundError, match="No step d has run"):
        again(CHAIN, "a b c", "d")
    with pytest.raises(NotFoundError, match="No step nowhere"):
        again(CHAIN, "a b c", "nowhere")


@pytest.mark.parametrize("around", [loop, scatter])
def test_a_step_of_a_round_leaves_the_other_rounds_alone(around):
    steps = [around(BODY), put("after", "{{steps.each.output}}"), put("other", 1)]
    recorded = "each after other " + " ".join(f"each[{i}]/{s}" for i in range(12) for s in "xyz")
    found = again(steps, recorded, "each[1]/x")
    assert found == ({"each[1]/x", "each[1]/y", "after"}, {"each"})
    whole = again(steps, recorded, "each")[0]
    assert whole == set(recorded.split()) - {"other"}


@pytest.mark.parametrize(
    "chained",
    [
        {"break_if": "steps.x.output == 5"},
        {"items": None, "while": "index < 3"},
        {"steps": [put("x", "{{loop.previous}}"), *BODY[1:]]},
    ],
)
def test_later_rounds_run_again_if_they_may_depend_on_the_step(chained):
    step = {name: value for name, value in (loop(BODY) | chained).items() if value is not None}
    recorded = "each " + " ".join(f"each[{i}]/{s}" for i in (0, 1, 2, 10) for s in "xyz")
    found, reopened = again([step], recorded, "each[1]/y")
    assert reopened == {"each"}
    assert found == {"each[1]/y"} | {f"each[{i}]/{s}" for i in (2, 10) for s in "xyz"}


def test_a_round_within_a_round_is_found():
    inner = scatter([put("x", 1), put("y", "{{steps.x.output}}")]) | {"id": "in"}
    steps = [loop([inner, put("end", "{{steps.in.output}}")])]
    recorded = "each each[0]/in each[0]/in[3]/x each[0]/in[3]/y each[0]/in[4]/x each[0]/end"
    found = again(steps, f"{recorded} each[1]/in", "each[0]/in[3]/x")
    assert found[0] == {"each[0]/in[3]/x", "each[0]/in[3]/y", "each[0]/end"}
    assert found[1] == {"each", "each[0]/in"}


def test_a_group_that_needs_not_all_branches_runs_again_as_a_whole():
    branches = {"one": [put("x", 1)], "two": [put("y", 1)]}
    recorded = "both both/x both/y"
    assert again([group(branches)], recorded, "both/x") == ({"both/x"}, {"both"})
    found = again([group(branches, join="any")], recorded, "both/x")
    assert found == ({"both", "both/x", "both/y"}, set())


def test_what_answers_a_failure_runs_again_with_the_step_that_failed():
    steps = [put("a", 1, on_error={"branch": [put("mend", 1)]}), put("b", "{{steps.a.output}}")]
    assert again(steps, "a a/on_error/mend b", "a")[0] == {"a", "a/on_error/mend", "b"}
    with pytest.raises(ConflictError, match="retry from a"):
        again(steps, "a a/on_error/mend b", "a/on_error/mend")


def test_who_approved_an_action_is_asked_again_before_it_happens_again():
    steps = [ask("ok"), act("send", "ok"), act("also", "ok"), act("free"), ask("other")]
    recorded = "ok send also free other"
    assert again(steps, recorded, "send")[0] == {"send", "ok"}
    assert again(steps, recorded, "free")[0] == {"free"}
    named = [ask("ok", guards=["free"]), act("send", "ok"), act("free")]
    assert again(named, "ok send free", "free")[0] == {"free", "ok"}


def test_an_approval_in_a_round_holds_for_that_round():
    steps = [loop([ask("ok"), act("send", "ok")])]
    recorded = "each each[0]/ok each[0]/send each[1]/ok each[1]/send"
    assert again(steps, recorded, "each[1]/send")[0] == {"each[1]/send", "each[1]/ok"}


def test_the_containers_of_a_path_are_told_from_inside_out():
    assert list(containers("a[3]/b/on_error/c[1]/d")) == ["a[3]/b/on_error/c", "a[3]/b", "a"]
