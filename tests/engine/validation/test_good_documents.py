import pytest

from pilot.engine.validation import validate
from pilot.engine.workflow import document
from tests.engine.documents import GOOD, waiting, workflow


@pytest.mark.capability(250)
@pytest.mark.parametrize("name", GOOD)
def test_a_right_document_raises_no_alarm(known, name):
    assert validate(GOOD[name], known) == []
    assert document.parse(GOOD[name]).name == GOOD[name]["name"]


def test_a_condition_without_condition_type_is_right(check):
    condition = {"field": "inputs.n", "operator": "greater_than", "value": 5}
    step = {"id": "if", "type": "conditional", "condition": condition, "then": [waiting("a")]}
    inputs = {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert check(workflow(step, inputs=inputs)) == []


def test_an_error_branch_may_read_the_error(check):
    mail = {
        "id": "tell",
        "type": "action",
        "plugin": "mail",
        "action": "send",
        "params": {"to": ["ann@example.com"], "subject": "{{error.message}}", "text": "It failed."},
    }
    assert check(workflow(waiting("a", on_error={"branch": [mail]}))) == []
