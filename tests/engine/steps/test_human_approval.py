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
    shown |= {"cost_usd": "0", "unpriced_calls": 0}
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


def test_who_is_asked_may_be_a_template():
    levels = [{"approvers": ["user:{{inputs.chief}}"], "timeout_s": 60}]
    fields = {"approvers": ["owner", "user:{{ inputs.boss }}"], "escalation": levels}
    fields |= {"on_timeout": "escalate"}
    people = {"boss": "bea@example.com", "chief": " cem@example.com "}
    asked = human_approval.run(step(**ASK | fields), context(inputs=people | {"amount": 5}))
    assert asked.approval["approvers"] == ["owner", "user:bea@example.com"]
    assert asked.approval["terms"]["escalation"] == [
        {"approvers": ["user:cem@example.com"], "timeout_s": 60}
    ]


@pytest.mark.parametrize("boss", [None, "", "bea cem", ["bea@example.com", "cem@example.com "]])
def test_what_is_no_address_is_refused(boss):
    fields = ASK | {"title": "Pay?", "approvers": ["user:{{inputs.boss}}"]}
    with pytest.raises(StepError, match="is nobody who can be asked") as caught:
        human_approval.run(step(**fields), context(inputs={"boss": boss}))
    assert caught.value.error_class == "input"


def test_a_title_of_one_expression_is_text():
    asked = human_approval.run(
        step(**ASK | {"title": "{{inputs.what}}"}), context(inputs={"what": {"sum": True}})
    )
    assert asked.approval["title"] == '{"sum":true}'
