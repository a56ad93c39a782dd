"""Decisions: what is asked, and the shape of the answer; the loop is tested on a worker."""

import pytest

from pilot.engine.acting.outcomes import Done, Enter
from pilot.engine.steps import llm_decision
from pilot.errors import StepError
from tests.engine.steps.surroundings import context, step

ASK = {"type": "llm_decision", "prompt": "Say {{inputs.word}}", "input": "inputs.rows"}


def test_prompt_and_input_are_resolved():
    around = context(inputs={"word": "hi", "rows": [1]})
    asked = {"prompt": "Say hi", "input": [1], "today": "2026-03-02"}
    assert llm_decision.run(step(**ASK), around) == Enter(asked)


def test_an_empty_input_makes_no_call():
    made = llm_decision.run(step(**ASK), context(inputs={"word": "hi", "rows": []}))
    assert isinstance(made, Done)
    assert made.output is None


def test_an_empty_input_fails_where_the_step_says_so():
    with pytest.raises(StepError, match="empty"):
        llm_decision.run(step(**ASK, on_empty="fail"), context(inputs={"word": "hi", "rows": None}))


def test_choices_are_a_closed_list():
    schema = llm_decision.answer_schema(step(**ASK, choices=["yes", "no"]))
    assert schema["properties"]["decision"] == {"enum": ["yes", "no"]}
    assert schema["additionalProperties"] is False
