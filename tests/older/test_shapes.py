"""What older builders wrote otherwise: steps that hold others, conditions, ids, references."""

from typing import get_args

import pytest

from pilot import older
from pilot.engine.language.step_fields import Intent
from pilot.engine.steps import names
from pilot.older.steps import INTENTS, TYPES

SET = {"type": "transform", "operation": "set", "config": {"value": 1}}


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        (
            {"type": "loop", "iterateOver": "{{input.rows}}", "loopSteps": [SET, SET]},
            {
                "items": "{{inputs.rows}}",
                "steps": [
                    {"id": "a_1"} | SET,
                    {"id": "a_2"} | SET | {"dependencies": ["a_1"]},
                ],
            },
        ),
        (
            {
                "type": "scatter_gather",
                "scatter": {"input": "{{input.rows}}", "steps": [SET], "maxConcurrency": 2},
                "gather": {"operation": "collect", "outputKey": "all"},
            },
            {
                "items": "{{inputs.rows}}",
                "max_concurrency": 2,
                "steps": [{"id": "a_1"} | SET],
                "gather": {"operation": "collect"},
            },
        ),
        (
            {"type": "parallel_group", "steps": [SET, SET], "maxConcurrency": 2},
            {
                "branches": {"a_1": [{"id": "a_1"} | SET], "a_2": [{"id": "a_2"} | SET]},
                "max_concurrency": 2,
            },
        ),
        (
            {"type": "sub_workflow", "workflowSteps": [SET], "inheritContext": True},
            {"steps": [{"id": "step1"} | SET]},
        ),
        (
            {"type": "sub_workflow", "workflowId": "Other", "onError": "return_error"},
            {"agent": "Other", "on_error": "continue"},
        ),
        (
            {"type": "enrichment", "strategy": "merge", "joinOn": "id", "mergeArrays": True},
            {"strategy": "by_key", "join_on": "id", "arrays": "concat"},
        ),
        (
            {"type": "comparison", "left": "input.state", "right": "it's done"},
            {"left": "inputs.state", "right": "'it\\'s done'"},
        ),
        (
            {"type": "validation", "input": "input.x", "onValidationFail": "skip"},
            {"input": "inputs.x", "on_invalid": "skip"},
        ),
        (
            {"type": "conditional", "condition": "{{input.n}} === 3 && {{input.m}} !== 4"},
            {"condition": "inputs.n == 3 && inputs.m != 4"},
        ),
        (
            {
                "type": "conditional",
                "condition": {
                    "conditionType": "complex_not",
                    "condition": {"field": "input.n", "operator": "gte", "value": 1},
                },
            },
            {
                "condition": {
                    "not": {"field": "inputs.n", "operator": "greater_than_or_equal", "value": 1}
                }
            },
        ),
        (
            SET | {"rollbackAction": {"plugin": "mail", "action": "send", "params": {"to": []}}},
            SET | {"compensate": {"plugin": "mail", "action": "send", "params": {"to": []}}},
        ),
        (
            {
                "type": "human_approval",
                "title": "Go?",
                "timeout": 60_000,
                "requireComment": True,
                "onTimeout": "escalate",
                "escalateTo": "boss@x.test",
            },
            {
                "title": "Go?",
                "timeout_s": 60,
                "require_comment": "always",
                "on_timeout": "escalate",
                "approvers": ["owner"],
                "escalation": [{"approvers": ["user:boss@x.test"]}],
            },
        ),
    ],
)
def test_steps_that_hold_others_or_say_it_otherwise(written, ours):
    (step,) = older.convert([{"id": "a"} | written]).document["steps"]
    assert step == {"id": "a", "type": written["type"]} | ours


def test_data_is_no_reference_unless_it_stands_in_braces():
    said = {"input": "step1 said input", "body": "{{ step1.data.x }}"}
    written = [
        SET,
        {"type": "plugin_action", "plugin": "mail", "plugin_action": "send", "params": said},
    ]
    _, step = older.convert(written).document["steps"]
    assert step["params"] == {"input": "step1 said input", "body": "{{ steps.step1.output.x }}"}


def test_ids_that_cannot_stand_are_mended_wherever_they_are_named():
    written = [
        SET | {"id": "fetch-all"},
        SET
        | {"id": "2nd", "dependsOn": ["fetch-all"], "config": {"value": "{{fetch-all.data.x}}"}},
    ]
    first, second = older.convert(written).document["steps"]
    assert (first["id"], second["id"], second["dependencies"]) == (
        "fetch_all",
        "_2nd",
        ["fetch_all"],
    )
    assert second["config"] == {"value": "{{steps.fetch_all.output.x}}"}


def test_what_older_builders_knew_is_what_pilot_has():
    known = set(names())
    assert known >= TYPES
    assert set(get_args(Intent)) - known == INTENTS


def test_what_is_nested_too_deep_is_not_read_at_all():
    steps = [SET]
    for _ in range(5_000):
        steps = [{"type": "loop", "iterateOver": [1], "loopSteps": steps}]
    assert older.is_older(steps)
    assert older.convert(steps).notes == ["It is nested deeper than 64 levels: nothing was read."]
