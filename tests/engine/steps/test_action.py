"""Action steps."""

import pytest

from pilot.engine.acting.history import Attempt
from pilot.engine.status import StepStatus
from pilot.engine.steps import action
from pilot.errors import StepError
from tests.engine.steps.surroundings import context, step

SEND = {
    "type": "action",
    "plugin": "mail",
    "action": "send",
    "params": {"to": ["{{inputs.to}}"], "subject": "Hello", "html": "<p>{{inputs.name}}</p>"},
}


def _around(folder, **kwargs):
    return context(folder, inputs={"to": "bob@example.com", "name": "<b>"}, **kwargs)


@pytest.mark.capability(44)
def test_parameters_are_resolved_and_escaped_for_their_format(tmp_path):
    given = action.resolve(step(**SEND), _around(tmp_path))
    assert given["to"] == ["bob@example.com"]
    assert given["html"] == "<p>&lt;b&gt;</p>"


def test_the_action_runs_with_the_key_of_its_attempt(tmp_path):
    made, around = step(**SEND), _around(tmp_path)
    given = action.resolve(made, around)
    attempt = Attempt("it", 1, StepStatus.RUNNING, "keyed", around.owner_id, 0, given)
    first = action.perform(made, around, attempt, 5, again=False)
    assert action.perform(made, around, attempt, 5, again=True) == first
    assert first["accepted"] == ["bob@example.com"]
    assert len(list(tmp_path.rglob("Sent/*/*"))) == 1


@pytest.mark.capability(282)
def test_an_action_that_was_not_granted_is_refused(tmp_path):
    with pytest.raises(StepError, match=r"may not call mail\.send"):
        action.resolve(step(**SEND), _around(tmp_path, grants=["tables.read_range"]))


def test_a_step_may_only_be_stricter_than_its_action(tmp_path):
    given = action.resolve(step(**SEND), _around(tmp_path))
    assert action.effect(step(**SEND), _around(tmp_path), given) == "keyed"
    assert action.effect(step(**SEND, effect="once"), _around(tmp_path), given) == "once"


def test_an_empty_required_parameter_is_refused_by_name(tmp_path):
    params = {"to": ["bob@example.com"], "subject": "", "text": "x"}
    made = step(type="action", plugin="mail", action="send", params=params)
    with pytest.raises(StepError, match="subject"):
        action.resolve(made, _around(tmp_path))
