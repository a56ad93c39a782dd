"""Approval steps."""

import pytest

from pilot import strictjson
from pilot.engine.steps import human_approval
from pilot.errors import StepError
from tests.engine.steps.surroundings import NOW, context, resolved, step

ASK = {"type": "human_approval", "title": "Pay {{inputs.amount}}?", "approvers": ["owner"]}


@pytest.mark.capability(41, 44)
def test_it_asks_with_rendered_texts_and_waits():
    wait = human_approval.run(step(**ASK), context(inputs={"amount": 5}))
    assert wait.kind == "approval"
    assert wait.approval["title"] == "Pay 5?"
    shown = {"title": "Pay 5?", "message": None, "context": None, "steps": []}
    assert strictjson.loads(wait.approval["payload"]) == shown


def test_an_approval_goes_on():
    ended = resolved("approval", decision="approved", by="ann@example.com", comment="ok")
    output = human_approval.resume(step(**ASK), context(), ended, NOW).output
    assert (output["approved"], output["comment"], output["expired"]) == (True, "ok", False)


@pytest.mark.parametrize(
    ("resolution", "error_class"),
    [
        ({"decision": "rejected", "by": "ann@example.com", "comment": "no"}, "rejected"),
        ({"decision": "expired", "then": "reject"}, "rejected"),
        ({"decision": "expired", "then": "fail"}, "expired"),
        ({"decision": "expired", "then": "branch"}, "expired"),
        ({"decision": "nobody"}, "config"),
    ],
)
def test_a_refusal_fails_the_step_and_says_why(resolution, error_class):
    with pytest.raises(StepError) as caught:
        human_approval.resume(step(**ASK), context(), resolved("approval", **resolution), NOW)
    assert caught.value.error_class == error_class
