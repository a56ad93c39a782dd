"""Two workflows compared: every step and field that is not as it was."""

from copy import deepcopy

import pytest

from pilot.engine.editor.differences import Change, StepChange, compare, text_lines
from tests.engine.documents import CONTRACTS, GOOD


def changed(edit):
    after = deepcopy(CONTRACTS)
    edit(after)
    return compare(CONTRACTS, after)


@pytest.mark.parametrize("name", GOOD)
def test_equal_documents_do_not_differ(name):
    assert not compare(GOOD[name], deepcopy(GOOD[name]))


def test_fields_are_told_old_and_new():
    found = changed(lambda one: one["steps"][0]["params"].update(tab="Deals", count=3))
    fields = (Change("/params/tab", '"Contracts"', '"Deals"'), Change("/params/count", None, "3"))
    assert found.steps == (StepChange("read", "changed", fields),)


def test_what_is_outside_the_steps_is_told():
    found = changed(lambda one: one.pop("name"))
    assert found.document == (Change("/name", '"Contracts that expire soon"', None),)
    assert found.steps == ()


def test_steps_come_go_and_move():
    def edit(one):
        steps = one["steps"]
        steps.insert(0, steps.pop(3))
        steps.append({"id": "new", "type": "delay", "for_s": 1})
        del steps[1]

    assert changed(edit).steps == (
        StepChange("read", "removed"),
        StepChange("send", "moved"),
        StepChange("new", "added"),
    )


def test_a_step_that_went_into_a_branch_moved_and_its_container_did_not_change():
    inner = {"id": "inner", "type": "delay", "for_s": 1}
    outer = {"id": "if", "type": "conditional", "condition": "true", "then": []}
    before = {"steps": [outer | {"then": [inner | {"id": "x"}]}, inner]}
    after = {"steps": [outer | {"then": [inner | {"id": "x"}, inner]}]}
    assert compare(before, after).steps == (StepChange("inner", "moved"),)


def test_a_case_of_a_switch_is_a_field_of_the_switch():
    one = {"id": "one", "type": "delay", "for_s": 1}
    switch = {"id": "s", "type": "switch", "value": "1", "cases": [{"when": 1, "steps": [one]}]}
    other = switch | {"cases": [{"when": 2, "steps": [one]}]}
    found = compare({"steps": [switch]}, {"steps": [other]})
    change = Change("/cases/0/when", "1", "2")
    assert found.steps == (StepChange("s", "changed", (change,)),)


def test_text_lines_have_no_header():
    assert text_lines("a\nb", "a\n--- c") == [
        ("@", "line 1"),
        (" ", "a"),
        ("-", "b"),
        ("+", "--- c"),
    ]
