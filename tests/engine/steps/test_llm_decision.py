"""Steps that ask a model: what would be sent, and that nothing is made up."""

import pytest

from pilot.engine.history import Attempt
from pilot.engine.outcomes import Done
from pilot.engine.status import StepStatus
from pilot.engine.steps import llm_decision
from pilot.errors import StepError
from tests.engine.steps.surroundings import context, step

ASK = {"type": "llm_decision", "prompt": "Say {{inputs.word}}", "input": "inputs.rows"}


def test_prompt_and_input_are_resolved():
    around = context(inputs={"word": "hi", "rows": [1]})
    assert llm_decision.resolve(step(**ASK), around) == {"prompt": "Say hi", "input": [1]}


def test_an_empty_input_makes_no_call():
    made = llm_decision.resolve(step(**ASK), context(inputs={"word": "hi", "rows": []}))
    assert isinstance(made, Done)
    assert made.output is None


def test_an_empty_input_fails_where_the_step_says_so():
    with pytest.raises(StepError, match="empty"):
        llm_decision.resolve(
            step(**ASK, on_empty="fail"), context(inputs={"word": "hi", "rows": None})
        )


def test_without_a_model_it_says_what_is_missing():
    attempt = Attempt("it", 1, StepStatus.RUNNING, input={"prompt": "x", "input": None})
    with pytest.raises(StepError, match="No model is set up"):
        llm_decision.perform(step(**ASK), context(), attempt, 5, again=False)
