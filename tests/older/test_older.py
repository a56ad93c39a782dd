import pytest

from pilot import older
from pilot.engine.editor import display
from pilot.engine.language import catalogue
from pilot.engine.workflow import document

# As an older builder wrote it.
FOUR_STEPS = {
    "workflow_steps": [
        {
            "type": "plugin_action",
            "plugin": "mail",
            "plugin_action": "search",
            "operation": "Search complaints",
            "params": {"subject_words": ["{{input.word}}"]},
        },
        {
            "type": "conditional",
            "condition": {
                "conditionType": "simple",
                "field": "step1.data.messages",
                "operator": "is_not_empty",
            },
            "trueBranch": "step3",
            "falseBranch": "step4",
        },
        {
            "type": "summarize",
            "operation": "Summarize {{step1.data.messages}}",
            "executeIf": {"field": "step1.data.truncated", "operator": "is_false"},
            "retryPolicy": {
                "maxRetries": 2,
                "backoffMs": 500,
                "exponentialBackoff": False,
                "retryableErrors": ["ETIMEDOUT", "429", "magic"],
            },
        },
        {"type": "delay", "duration": 5000, "continueOnError": True},
    ],
    "input_schema": [
        {"name": "word", "type": "text", "required": True, "description": "What to look for."},
        {"name": "kind", "type": "select", "options": ["a", "b"]},
    ],
}


@pytest.mark.capability(13, 163)
def test_an_older_document_keeps_ids_order_types_and_conditions():
    converted = older.convert(FOUR_STEPS).document
    read = document.parse(converted)
    assert [step.id for step in read.steps] == ["step1", "step2", "step3", "step4"]
    assert [step.type for step in read.steps] == [
        "action",
        "conditional",
        "ai_processing",
        "delay",
    ]
    assert read.steps[1].condition["field"] == "steps.step1.output.messages"
    assert read.steps[2].execute_if == {
        "and": [
            {"field": "steps.step1.output.truncated", "operator": "is_false"},
            "steps.step2.output.result",
        ]
    }
    assert read.steps[3].execute_if == "not steps.step2.output.result"


def test_an_older_step_keeps_what_it_says_in_our_words_and_units():
    search, _, summary, pause = older.convert(FOUR_STEPS).document["steps"]
    assert search["name"] == "Search complaints"
    assert search["params"] == {"subject_words": ["{{inputs.word}}"]}
    assert (summary["intent"], summary["prompt"]) == (
        "summarize",
        "Summarize {{steps.step1.output.messages}}",
    )
    assert summary["retry"] == {
        "max_attempts": 3,
        "base_s": 0.5,
        "factor": 1,
        "retry_on": ["timeout", "rate_limit"],
    }
    assert (pause["for_s"], pause["on_error"]) == (5, "continue")


def test_a_list_of_inputs_becomes_a_schema():
    assert older.convert(FOUR_STEPS).document["inputs"] == {
        "type": "object",
        "properties": {
            "word": {"type": "string", "description": "What to look for."},
            "kind": {"type": "string", "enum": ["a", "b"]},
        },
        "required": ["word"],
    }


def test_an_older_switch_routes_by_conditions():
    written = [
        {"id": "s", "type": "switch", "evaluate": "{{a.data.level}}", "cases": {"high": ["x"]},
         "default": ["y"]},
        {"id": "x", "type": "delay", "duration": 1000},
        {"id": "y", "type": "delay", "duration": 1000},
    ]  # fmt: skip
    first, high, other = older.convert([{"id": "a", "type": "delay", "duration": 1}, *written])\
        .document["steps"][1:]  # fmt: skip
    assert first["value"] == "steps.a.output.level"
    assert first["cases"] == [{"when": "high", "steps": []}]
    assert high["execute_if"] == "steps.s.output.branch == 'case0'"
    assert other["execute_if"] == "steps.s.output.branch == 'default'"


@pytest.mark.capability(163)
def test_steps_that_name_no_other_are_chained():
    written = [
        {"type": "plugin_action", "plugin": "mail", "plugin_action": "search"} for _ in "abcd"
    ]
    steps = older.convert(written).document["steps"]
    assert [step.get("dependencies") for step in steps] == [None, ["step1"], ["step2"], ["step3"]]


def test_a_branch_to_a_step_that_does_not_exist_stays_visible():
    written = [{"type": "conditional", "condition": "true", "ifTrue": "gone", "ifFalse": "lost"}]
    (step,) = older.convert(written).document["steps"]
    assert step["dependencies"] == ["gone", "lost"]


def test_a_call_that_names_no_action_is_left_for_the_validator():
    (step,) = older.convert([{"step_type": "api_call", "operation": "x"}]).document["steps"]
    assert step["step_type"] == "api_call"
    assert "type" not in step


def test_what_is_left_out_is_said():
    written = [
        {"type": "plugin_action", "plugin": "a", "plugin_action": "b", "rollbackAction": {"x": 1}}
    ]
    assert any("rollbackAction" in note for note in older.convert(written).notes)


@pytest.mark.parametrize(
    ("source", "is_older"),
    [
        (FOUR_STEPS, True),
        ([{"type": "plugin_action"}], True),
        ({"steps": [{"id": "a", "type": "summarize"}]}, True),
        ({"steps": [{"id": "a", "type": "delay", "for_s": 1}]}, False),
        ({"format": 1, "steps": [{"executeIf": True}]}, False),
        ("text", False),
        ({}, False),
    ],
)
def test_older_documents_are_recognised(source, is_older):
    assert older.is_older(source) is is_older


def test_the_source_is_left_as_it_was():
    before = str(FOUR_STEPS)
    older.convert(FOUR_STEPS)
    assert str(FOUR_STEPS) == before


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        (
            {"step_type": "action", "plugin": "mail", "action": "search"},
            {"type": "action", "plugin": "mail", "action": "search"},
        ),
        (
            {"step_type": "api_call", "plugin": "mail", "action": "search"},
            {"type": "action", "plugin": "mail", "action": "search"},
        ),
        (
            {"plugin_action": "mail.search"},
            {"type": "action", "plugin": "mail", "action": "search"},
        ),
        (
            {"type": "delay", "duration": 500, "timeout": 9000},
            {"type": "delay", "for_s": 0.5, "timeout_s": 9},
        ),
        (
            {"type": "human_approval", "title": "Go?", "approvers": ["ann@x.test", "role:admin"]},
            {
                "type": "human_approval",
                "title": "Go?",
                "approvers": ["user:ann@x.test", "role:admin"],
            },
        ),
        (
            {"type": "human_approval", "title": "Go?", "approvalType": "all", "onTimeout": "fail"},
            {
                "type": "human_approval",
                "title": "Go?",
                "rule": "all",
                "on_timeout": "fail",
                "approvers": ["owner"],
            },
        ),
        (
            {
                "type": "ai_processing",
                "operation": "Sum up",
                "params": {
                    "prompt": "Sum up {{input.text}}",
                    "data": "{{input.rows}}",
                    "output_schema": {"type": "object"},
                },
            },
            {
                "type": "ai_processing",
                "name": "Sum up",
                "prompt": "Sum up {{inputs.text}}",
                "input": "{{inputs.rows}}",
                "output_schema": {"type": "object"},
            },
        ),
        (
            {
                "type": "delay",
                "duration": 1,
                "executeIf": {"conditions": {"and": [{"field": "input.a"}]}},
            },
            {"type": "delay", "for_s": 0.001, "execute_if": {"and": [{"field": "inputs.a"}]}},
        ),
    ],
)
def test_each_older_way_has_its_own(written, ours):
    (step,) = older.convert([{"id": "a", **written}]).document["steps"]
    assert step == {"id": "a", **ours}


@pytest.mark.capability(2)
def test_what_stands_around_the_steps_is_kept_and_only_pilot_steps_are_steps():
    written = {
        "name": "Old",
        "pilot_steps": [{"type": "plugin_action", "id": "step2"}, {"type": "delay", "duration": 1}],
        "workflow_steps": [{"type": "shown"}],
        "inputs": {"type": "object"},
        "output": "{{step2.data.x}}",
        "unheard": 1,
    }
    converted = older.convert(written).document
    shown = display.lines(converted, catalogue.load())
    assert [line.id for line in shown] == ["step2", "step2_"]
    assert [step["id"] for step in converted.pop("steps")] == ["step2", "step2_"]
    assert converted == {
        "format": 1,
        "name": "Old",
        "inputs": {"type": "object"},
        "output": "{{steps.step2.output.x}}",
    }


def test_an_item_is_read_as_item():
    written = [{"id": "a", "type": "transform", "operation": "map", "duration": 1,
              "config": {"fields": {"x": "{{current.name}}"}}}]  # fmt: skip
    (step,) = older.convert(written).document["steps"]
    assert step["config"]["fields"] == {"x": "{{item.name}}"}


def test_inputs_of_every_type_are_described():
    written = {
        "steps": [],
        "input_schema": [
            {"name": "mail", "type": "email"},
            {"name": "count", "type": "number"},
            {"name": "day", "type": "date"},
            {"name": "kind", "type": "select", "options": [{"value": "a", "label": "A"}]},
            {"type": "text"},
        ],
    }
    assert older.convert(written).document["inputs"]["properties"] == {
        "mail": {"type": "string", "format": "email"},
        "count": {"type": "number"},
        "day": {"type": "string", "format": "date"},
        "kind": {"type": "string", "enum": ["a"]},
    }
