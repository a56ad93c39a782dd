"""Recorded answers: which rule answers, and what a file that cannot be used says."""

import pytest

from pilot import strictjson
from pilot.llm.messages import Message, Request, ToolCall, Usage
from pilot.llm.providers import scripted
from pilot.llm.reasons import FailureReason, ModelFaultError

ASK = Request("system", (Message("user", "Which kind is it? <data>order</data>"),), name="classify")


@pytest.fixture
def send(tmp_path):
    def send(*rules, request=ASK, text=None):
        path = tmp_path / "answers.json"
        path.write_text(strictjson.dumps({"rules": list(rules)}) if text is None else text)
        return scripted.send(request, scripted.model(path))

    return send


@pytest.mark.parametrize(
    "match",
    [{}, {"step": "classify"}, {"role": "step"}, {"nth": 1}, {"text": "<data>order"}],
)
def test_the_first_rule_that_matches_answers(send, match):
    found = send({"match": {"step": "other"}, "answer": "no"}, {"match": match, "answer": "yes"})
    assert (found.text, found.stop, found.billed) == ("yes", "end", "recorded answers")


@pytest.mark.parametrize(
    "match", [{"step": "other"}, {"role": "repair"}, {"nth": 2}, {"text": "unheard"}]
)
def test_without_a_rule_that_matches_it_says_which_step_and_turn(send, match):
    with pytest.raises(ModelFaultError, match="matches step 'classify', turn 1") as caught:
        send({"match": match, "answer": "no"})
    assert caught.value.reason is FailureReason.CONFIG


def test_turns_are_counted_in_the_conversation_so_a_restart_changes_nothing(send):
    later = Request("", (*ASK.messages, Message("assistant", "x"), Message("user", "y")))
    assert send({"match": {"nth": 2}, "answer": "second"}, request=later).text == "second"


def test_actions_are_asked_for_with_ids_of_their_own(send):
    call = {"action": "mail.search", "params": {"text": "x"}}
    found = send({"calls": [call, call]})
    assert found.stop == "calls"
    assert found.calls == (
        ToolCall("call_1_1", "mail.search", {"text": "x"}),
        ToolCall("call_1_2", "mail.search", {"text": "x"}),
    )


def test_a_value_is_sent_as_json_with_its_usage(send):
    found = send({"answer": {"kind": "order"}, "usage": {"input": 5, "reasoning": 2}})
    assert (found.text, found.usage) == ('{"kind":"order"}', Usage(input=5, reasoning=2))


def test_a_rule_can_fail_or_be_late(send):
    with pytest.raises(ModelFaultError) as caught:
        send({"fault": "rate_limit"})
    assert caught.value.reason is FailureReason.RATE_LIMIT
    with pytest.raises(ModelFaultError, match=r"No answer within 0\.01 s"):
        send({"latency_s": 1}, request=Request("", ASK.messages, timeout_s=0.01))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", "valid dictionary"),
        ('{"rules": [{"anser": "x"}]}', "rules/0/anser: Extra inputs"),
        ('{"rules": [{"fault": "boredom"}]}', "rules/0/fault"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_config_fault(send, text, said):
    with pytest.raises(ModelFaultError, match=said) as caught:
        send(text=text)
    assert caught.value.reason is FailureReason.CONFIG


def test_a_missing_file_is_a_config_fault(tmp_path):
    with pytest.raises(ModelFaultError, match="cannot be read"):
        scripted.send(ASK, scripted.model(tmp_path / "none.json"))
