import pytest

from pilot.engine.workflow import document, graph
from tests.engine.documents import CONTRACTS, waiting, workflow
from tests.engine.goal_documents import LEADS


def needs(*steps):
    return graph.dependencies(document.parse(workflow(*steps)).steps)


def test_references_are_dependencies():
    found = graph.dependencies(document.parse(CONTRACTS).steps)
    assert found == {
        "read": frozenset(),
        "due": {"read"},
        "list": {"due"},
        "send": {"due", "list"},
    }


def test_written_steps_give_the_same_as_read_ones():
    for example in (CONTRACTS, LEADS):
        read = document.parse(example).steps
        assert graph.dependencies(example["steps"]) == graph.dependencies(read)


def test_what_an_inner_step_reads_its_container_waits_for():
    assert graph.dependencies(document.parse(LEADS).steps)["any"] == {"leads"}


def test_who_reads_an_inner_step_waits_for_its_container():
    inner = {"id": "c", "type": "conditional", "condition": True, "then": [waiting("inner")]}
    reader = waiting("b", execute_if="exists(steps.inner.output)")
    assert needs(inner, reader)["b"] == {"c"}


def test_steps_of_the_error_branch_count_as_inner_ones():
    after = waiting("after", execute_if="steps.a.output.waited_s > 1")
    found = needs(waiting("a"), waiting("b", on_error={"branch": [after]}))
    assert found["b"] == {"a"}


def test_a_resume_address_is_no_dependency():
    reader = {"id": "b", "type": "ai_processing", "prompt": "{{steps.a.resume_url}}"}
    assert needs(waiting("a"), reader)["b"] == frozenset()


def test_an_id_in_plain_text_is_no_dependency():
    reader = {"id": "b", "type": "ai_processing", "prompt": "about steps.a.output"}
    assert needs(waiting("a"), reader)["b"] == frozenset()


def test_a_guarded_step_waits_for_its_approval():
    ask = {"id": "ask", "type": "human_approval", "title": "Go?", "approvers": ["owner"]}
    assert needs({**ask, "guards": ["b"]}, waiting("b"), waiting("c")) == {
        "ask": frozenset(),
        "b": {"ask"},
        "c": frozenset(),
    }


@pytest.mark.capability(164)
def test_only_steps_without_a_path_between_them_are_ready_together():
    found = needs(waiting("a"), waiting("b"), waiting("c", dependencies=["a"]))
    assert graph.ready(found, finished=[]) == ["a", "b"]
    assert graph.ready(found, finished=["a"], started=["b"]) == ["c"]
    assert graph.ready(found, finished=["a", "b", "c"]) == []


def test_a_cycle_is_found_and_named_in_its_order():
    edges = {"a": frozenset("x"), "x": frozenset("b"), "b": frozenset("a"), "free": frozenset("a")}
    found = graph.cycle(edges)
    assert found is not None
    assert set(found) == {"a", "x", "b"}
    assert all(found[(n + 1) % 3] in edges[name] for n, name in enumerate(found))
    assert graph.cycle({"a": frozenset(), "b": frozenset("a")}) is None
    assert graph.cycle({"a": frozenset("a")}) == ["a"]


def test_descendants_are_all_that_wait():
    edges = {"a": frozenset(), "b": frozenset("a"), "c": frozenset("b"), "d": frozenset()}
    assert graph.descendants(edges, "a") == {"b", "c"}
    assert graph.descendants(edges, "d") == frozenset()
