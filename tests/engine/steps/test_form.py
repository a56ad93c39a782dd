"""Form steps: what is asked of whom, and what their output is."""

import pytest

from pilot import strictjson
from pilot.engine.language.catalogue import load
from pilot.engine.steps import form
from pilot.errors import StepError
from tests.engine.steps.surroundings import NOW, context, resolved, step

FIELDS = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}
ASK = {"type": "form", "title": "Order {{inputs.order}}", "fields": FIELDS, "assignees": ["owner"]}


def test_it_asks_with_a_rendered_title_and_waits():
    wait = form.run(step(**ASK), context(inputs={"order": 7}))
    assert (wait.kind, wait.approval["kind"], wait.approval["title"]) == ("form", "form", "Order 7")
    assert strictjson.loads(wait.approval["payload"])["fields"] == FIELDS


def test_who_is_asked_may_be_a_template():
    fields = ASK | {"assignees": ["user:{{inputs.order}}@example.com", "role:operator"]}
    wait = form.run(step(**fields), context(inputs={"order": "bea"}))
    assert wait.approval["approvers"] == ["user:bea@example.com", "role:operator"]


def test_its_output_is_what_was_filled_in():
    given = {"values": {"amount": 5}, "submitted_by": "ann@example.com", "at": "2026-03-02T09:00Z"}
    done = form.resume(step(**ASK), context(), resolved("form", decision="submitted", **given), NOW)
    assert done.output == given | {"timed_out": False}


@pytest.mark.parametrize(
    ("fields", "resolution", "error_class"),
    [
        ({}, {"decision": "expired"}, "expired"),
        ({"on_timeout": "continue"}, {"decision": "nobody"}, "config"),
    ],
)
def test_without_an_answer_it_fails_and_says_why(fields, resolution, error_class):
    with pytest.raises(StepError) as caught:
        form.resume(step(**ASK, **fields), context(), resolved("form", **resolution), NOW)
    assert caught.value.error_class == error_class


def test_it_goes_on_without_one_if_it_says_so():
    made = step(**ASK, on_timeout="continue", timeout_s=3600)
    done = form.resume(made, context(), resolved("form", decision="expired"), NOW)
    assert done.output == {"values": None, "submitted_by": None, "at": None, "timed_out": True}
    assert done.notes == ["Nobody filled it in within 1 hour."]


def test_it_is_told_in_words():
    told = form.describe(ASK | {"assignees": ["user:ann@example.com", "role:approver"]}, load())
    assert told == "Ask ann@example.com, any approver to fill in: Order [order]"
