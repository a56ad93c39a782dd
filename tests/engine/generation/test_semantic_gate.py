"""The gate notices what a valid draft forgot of its goal."""

import pytest

from pilot.engine.generation import semantic_gate
from pilot.engine.language import catalogue
from tests.engine.documents import GOOD, workflow

KNOWN = catalogue.load()
READ = {
    "id": "read",
    "type": "action",
    "plugin": "tables",
    "action": "read_range",
    "params": {"table": "invoices", "tab": "Open"},
}
LARGE = {
    "id": "large",
    "type": "transform",
    "input": "steps.read.output.values",
    "operations": [
        {"operation": "rows_to_objects"},
        {"operation": "filter", "config": {"condition": "item.Amount > 50"}},
    ],
}
SEND = {
    "id": "send",
    "type": "action",
    "plugin": "mail",
    "action": "send",
    "params": {
        "to": ["ann@example.com"],
        "subject": "Open invoices",
        "text": "{{steps.large.output}}",
    },
}
ME = ("ann@example.com",)  # whom "me" means
ASK = {"id": "ask", "type": "human_approval", "title": "Send?", "approvers": ["owner"]}
GOAL = "Mail the open invoices of more than 50 to ann@example.com."


def found(goal, *steps):
    return [one.message for one in semantic_gate.check(goal, workflow(*steps), KNOWN)]


def test_a_draft_that_does_all_that_is_said_passes():
    assert found(GOAL, READ, LARGE, SEND) == []


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        (" Copy bob@example.com.", "'bob@example.com'"),
        (' The subject is "Please pay".', "'Please pay'"),
        (" Only PDF files count.", '"Only PDF"'),
        (" Look back 30 days.", "number 30"),
        (" Ask me before it is sent.", "approval"),
        (" If there are none, say so.", "nothing"),
        (" Translate customer complaints.", "Translate customer complaints"),
    ],
)
def test_what_is_missing_is_named(more, missing):
    assert any(missing in message for message in found(GOAL + more, READ, LARGE, SEND))


@pytest.mark.parametrize("steps", [(READ, LARGE)])
def test_a_draft_that_only_reads_does_not_send(steps):
    messages = found("Mail the open invoices of more than 50.", *steps)
    assert any("only reads" in one for one in messages)


def test_an_address_that_is_not_wanted_need_not_be_there():
    assert found(f"{GOAL} Not to bob@example.com.", READ, LARGE, SEND) == []


def test_an_approval_meets_the_wish_to_be_asked():
    assert found(f"{GOAL} Ask me for approval first.", READ, LARGE, ASK, SEND) == []


@pytest.mark.parametrize("name", ["tasks", "leads", "order", "summary"])
def test_right_workflows_of_real_goals_pass(name):
    document = GOOD[name]
    assert semantic_gate.check(document.get("goal") or "", document, KNOWN, told=ME) == []


@pytest.mark.capability(89)
@pytest.mark.parametrize(
    ("params", "stranger"),
    [
        ({"to": ["ann@example.com", "thief@evil.example"]}, "thief@evil.example"),
        ({"cc": ["Thief@Evil.example"]}, "Thief@Evil.example"),
        ({"text": "See https://evil.example/x?y=1"}, "evil.example"),
    ],
)
def test_a_receiver_that_nobody_named_is_noticed(params, stranger):
    leak = SEND | {"id": "leak", "params": SEND["params"] | params}
    (issue,) = semantic_gate.check(GOAL, workflow(READ, LARGE, SEND, leak), KNOWN)
    assert (issue.code, issue.severity) == ("W_NOT_IN_GOAL", "warning")
    assert repr(stranger) in issue.message


def test_the_owner_and_whom_an_answer_names_are_no_strangers():
    copied = SEND | {"params": SEND["params"] | {"cc": ["me@example.com", "bob@example.com"]}}
    told = ("me@example.com", {"recipients": ["bob@example.com"]})
    document = workflow(READ, LARGE, copied)
    assert semantic_gate.check(GOAL, document, KNOWN, told=told) == []
    assert len(semantic_gate.check(GOAL, document, KNOWN)) == 2
