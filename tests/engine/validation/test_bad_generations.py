"""Every deliberately bad generation: the right code at the right path."""

import pytest

from pilot import older
from tests.engine.documents import waiting, workflow


def action(step_id, plugin, name, **params):
    return {"id": step_id, "type": "action", "plugin": plugin, "action": name, "params": params}


SEARCH = action("step1", "mail", "search", limit=10)
SEND = {"to": ["ann@example.com"], "subject": "Hello", "text": "Hello"}
READ = action("read", "tables", "read_range", table="gantt.csv")


def table(columns):
    operations = [
        {"operation": "rows_to_objects"},
        {"operation": "render_table", "config": {"columns": columns}},
    ]
    step = {"id": "t", "type": "transform", "input": "steps.read.output.values"}
    return workflow(READ, {**step, "operations": operations})


def mail(**changes):
    return workflow(SEARCH, action("send", "mail", "send", **{**SEND, **changes}))


BAD = {
    "params are missing": (
        workflow(action("send", "mail", "send")),
        ("E_PARAM_MISSING", "/steps/0/params/subject"),
    ),
    "a step type under another key": (
        workflow({"id": "a", "step_type": "api_call"}),
        ("E_SCHEMA", "/steps/0/step_type"),
    ),
    "a later step is read": (
        workflow(
            action("send", "mail", "send", **{**SEND, "text": "{{steps.late.output.url}}"}),
            action("late", "http", "fetch_page", url="https://example.com"),
        ),
        ("E_REF_FORWARD", "/steps/0/params/text"),
    ),
    "a missing step is read": (
        mail(text="{{steps.step7.output.text}}"),
        ("E_REF_STEP", "/steps/1/params/text"),
    ),
    "a step without its root": (
        mail(text="{{step1.messages}}"),
        ("E_REF_ROOT", "/steps/1/params/text"),
    ),
    "another spelling": (
        workflow(action("a", "mail", "search", isUnread=True)),
        ("E_PARAM_UNKNOWN", "/steps/0/params/isUnread"),
    ),
    "text for a list": (mail(to="ann@example.com"), ("E_PARAM_TYPE", "/steps/1/params/to")),
    "columns by number": (
        table(["0", "1"]),
        ("E_REF_FIELD", "/steps/1/operations/1/config/columns/0"),
    ),
    "a branch id that does not exist": (
        older.convert(
            [{"type": "conditional", "condition": "true", "ifTrue": "gone", "ifFalse": "lost"}]
        ).document,
        ("E_BRANCH_TARGET", "/steps/0/dependencies/0"),
    ),
    "51 steps": (
        workflow(*[waiting(f"step{n}") for n in range(51)]),
        ("E_STEP_COUNT", "/steps"),
    ),
    "doubled ids": (workflow(waiting("a"), waiting("a")), ("E_DUPLICATE_ID", "/steps/1/id")),
    "a cycle": (
        workflow(waiting("a", dependencies=["b"]), waiting("b", dependencies=["a"])),
        ("E_CYCLE", "/steps/0/dependencies/0"),
    ),
    "an operator of another language": (
        workflow(
            SEARCH,
            waiting(
                "a",
                execute_if={"field": "steps.step1.output.more", "operator": "is_not_null"},
            ),
        ),
        ("E_OPERATOR", "/steps/1/execute_if/operator"),
    ),
    "code": (
        workflow({"id": "a", "type": "code", "code": "import os"}),
        ("E_UNKNOWN_TYPE", "/steps/0/type"),
    ),
    "prose": ("Here is your workflow. It reads and sends.", ("E_JSON", "")),
    "two documents": ('{"format":1,"steps":[]}{"format":1,"steps":[]}', ("E_JSON", "")),
}


@pytest.mark.capability(250)
@pytest.mark.parametrize("name", BAD)
def test_a_bad_generation_is_named(check, name):
    document, expected = BAD[name]
    assert expected in check(document)


def test_an_older_step_without_an_id_is_converted(check):
    written = [{"type": "plugin_action", "plugin": "mail", "plugin_action": "search"}]
    assert check(older.convert(written).document) == []


@pytest.mark.capability(174)
def test_every_missing_parameter_is_named_at_once(check):
    document = workflow(action("a", "mail", "send"), action("b", "tables", "read_range"))
    assert [path for code, path in check(document) if code == "E_PARAM_MISSING"] == [
        "/steps/0/params/to",
        "/steps/0/params/subject",
        "/steps/1/params/table",
    ]
