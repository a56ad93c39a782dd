import json

import pytest

from pilot.engine import steps
from pilot.engine.workflow import document
from pilot.errors import InvalidError, NotFoundError
from tests.engine.documents import contracts, waiting, workflow

YAML = """
format: 1
name: Wait a little
steps:
  - id: pause
    type: delay
    for_s: 5
    name: "2026-01-01"
"""


def issues(source):
    with pytest.raises(InvalidError) as caught:
        document.parse(source)
    return caught.value.issues


def test_the_example_is_read_into_models():
    workflow_read = document.parse(json.dumps(contracts()))
    assert [step.id for step in workflow_read.steps] == ["read", "due", "list", "send"]
    assert workflow_read.steps[0].params == {"table": "{{inputs.table}}", "tab": "Contracts"}
    assert workflow_read.policies.deadline_s == 30 * 86_400


def test_yaml_gives_the_same_document_as_json():
    read = document.parse(YAML)
    assert read == document.parse(
        workflow(waiting("pause", for_s=5, name="2026-01-01"), name="Wait a little")
    )


@pytest.mark.parametrize(
    "text",
    [
        "Sure, here is the workflow",
        'Here it is:\n{"format":1,"steps":[]}',
        '```json\n{"format":1}\n```',
        '{"format":1}{"format":1}',
        '{"format":1,"format":1,"steps":[]}',
        '{"format":NaN}',
        "steps: [1",
        "steps: []\n---\nsteps: []",
        "a: &x 1\nsteps: [*x]",
        "steps: !!python/object:os.system x",
        "steps: []\nsteps: []",
        "steps: []\n[1]: 2",
        "steps: " + "[" * 5_000,
        "[" * 5_000,
        b"\xff\xfe\x00",
        "",
    ],
)
def test_text_that_is_not_one_document_is_e_json(text):
    assert [issue.code for issue in issues(text)] == ["E_JSON"]


def test_a_document_over_256_kib_is_refused():
    (issue,) = issues(json.dumps(workflow(waiting("a"), goal="x" * 262_144)))
    assert (issue.code, issue.path) == ("E_LIMIT", "")


def test_a_newer_format_says_so():
    (issue,) = issues(workflow(waiting("a"), format=2))
    assert (issue.code, issue.path, issue.got) == ("E_FORMAT", "/format", "2")


def test_equal_documents_have_one_text_and_one_hash():
    one = {"steps": [waiting("a", for_s=1.0)], "format": 1}
    other = {"format": 1, "steps": [{"for_s": 1, "type": "delay", "id": "a"}]}
    assert document.canonical(one) == document.canonical(other)
    assert document.content_hash(one) == document.content_hash(other)
    assert document.content_hash(one) != document.content_hash(workflow(waiting("b")))


def test_an_unknown_key_names_the_nearest_and_moves_there():
    (issue,) = issues(workflow(waiting("a", executeIf="true")))
    assert (issue.code, issue.path, issue.expected) == (
        "E_SCHEMA",
        "/steps/0/executeIf",
        "execute_if",
    )
    assert issue.fix == [
        {"op": "move", "from": "/steps/0/executeIf", "path": "/steps/0/execute_if"}
    ]


@pytest.mark.parametrize("key", ["#", "#cases", "", "/", "~", "a.b", "\ue000"])
@pytest.mark.parametrize("kind", ["switch", "conditional", "delay", "transform", "action"])
def test_any_key_that_nobody_knows_is_an_issue(kind, key):
    step = {"id": "a", "type": kind, key: None}
    _, issues = document.read({"format": 1, "steps": [step]})
    assert any(key[:60] == one.got for one in issues)


def test_an_unknown_key_that_may_hold_a_meaning_is_not_dropped():
    small, large = issues(workflow(waiting("a", colour="red", extra={"steps": [1]})))
    assert small.fix == [{"op": "remove", "path": "/steps/0/colour"}]
    assert large.fix is None


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ({"id": "2nd"}, "E_BAD_ID", "/id"),
        ({"name": "x" * 121}, "E_LIMIT", "/name"),
        ({"metadata": {"x": "y" * 9_000}}, "E_LIMIT", "/metadata"),
        ({"for_s": 40_000_000}, "E_LIMIT", "/for_s"),
        ({"for_s": None}, "E_SCHEMA", ""),
        ({"until": "2026-01-01"}, "E_SCHEMA", ""),
        ({"retry": {"max_attempts": 11}}, "E_LIMIT", "/retry/max_attempts"),
        ({"retry": {"retry_on": ["fear"]}}, "E_SCHEMA", "/retry/retry_on/0"),
        ({"on_error": "ignore"}, "E_SCHEMA", "/on_error"),
        ({"on_error": {"continue": {"outputs": 1}}}, "E_SCHEMA", "/on_error/continue/outputs"),
        ({"on_error": {"branch": []}}, "E_LIMIT", "/on_error/branch"),
        ({"on_error": {"branch": [{"id": "b"}]}}, "E_SCHEMA", "/on_error/branch/0/type"),
        ({"execute_if": 3}, "E_SCHEMA", "/execute_if"),
        ({"type": "code"}, "E_UNKNOWN_TYPE", "/type"),
        ({"retry": {"max": 1}}, "E_SCHEMA", "/retry/max"),
    ],
)
def test_a_wrong_field_is_named_by_its_place(fields, code, path):
    found = issues(workflow(waiting("a", **fields)))
    assert (code, f"/steps/0{path}") in [(issue.code, issue.path) for issue in found]


def loop(**fields):
    return {"id": "l", "type": "loop", "items": "[1]", "steps": [waiting("a")], **fields}


def group(**fields):
    return {"id": "g", "type": "parallel_group", **fields}


TOLERATE = 'tolerate must be a whole number from 0, or a percentage like "10%"; it is {}.'
NAME = "The name '{}' is not allowed: letters, digits and _, no digit first, 63 characters at most."
SECONDS = "for_s must be a number of seconds, 0 to one year, or a template; it is {}."


@pytest.mark.parametrize(
    ("step", "path", "message"),
    [
        (loop(failure={"tolerate": True}), "/failure/tolerate", TOLERATE.format("true")),
        (loop(failure={"tolerate": 1.5}), "/failure/tolerate", TOLERATE.format("1.5")),
        (loop(failure={"tolerate": []}), "/failure/tolerate", TOLERATE.format("a list")),
        (group(branches={"x": [waiting("a")]}, join="most"), "/join",
         "join must be 'all' or 'any' or a whole number; it is \"most\"."),
        (group(branches={"a b": [waiting("a")]}), "/branches/a b",
         NAME.format("a b")),
        (group(branches={}), "/branches", "branches must have at least 1 element; it is {}."),
        (loop(steps=[]), "/steps", "steps must have at least 1 element; it is []."),
        (waiting("a", name="x" * 121), "/name",
         f'name must have at most 120 characters; it is "{"x" * 59}.'),
        (waiting("a", for_s=-1), "/for_s", SECONDS.format("-1")),
        (waiting("a", for_s=[]), "/for_s", SECONDS.format("a list")),
        (waiting("a", dependencies=["b", 7]), "/dependencies/1",
         "dependencies[1] must be text; it is 7."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_once_in_plain_words_at_its_place(step, path, message):
    _, issues = document.read(workflow(step))
    assert [(one.path, one.message) for one in issues] == [(f"/steps/0{path}", message)]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"policies": {"budget": {"cost_usd": "0"}}},
         'cost_usd must be an amount in USD above 0 as text, such as "0.50"; it is "0".'),
        ({"defaults": {"zone": "europe/berlin"}},
         'zone must be a zone of the IANA database like Europe/Berlin; it is "europe/berlin".'),
    ],
)  # fmt: skip
def test_names_are_told_as_they_are_written(keys, message):
    _, issues = document.read(workflow(waiting("a"), **keys))
    assert [one.message for one in issues] == [message]


def test_what_no_text_can_be_read_as_is_one_sentence():
    with pytest.raises(InvalidError, match=r"YAML: The number 1e400 is too large\.$"):
        document.decode("steps: 1e400")


def test_text_is_coerced_only_where_nothing_is_lost():
    (issue,) = issues(workflow(waiting("a", retry={"max_attempts": "5"})))
    assert issue.fix == [{"op": "replace", "path": "/steps/0/retry/max_attempts", "value": 5}]
    for text in ("five", "--5", "9" * 5_000):
        (issue,) = issues(workflow(waiting("a", retry={"max_attempts": text})))
        assert issue.fix is None


def test_steps_nest_to_six():
    inner = waiting("step7")
    for depth in range(6, 0, -1):
        inner = {"id": f"step{depth}", "type": "conditional", "condition": True, "then": [inner]}
    (issue,) = issues(workflow(inner))
    assert (issue.code, issue.path) == ("E_LIMIT", "/steps/0" + "/then/0" * 6)


def test_bodies_and_walk_find_every_inner_step():
    read = document.parse(
        workflow(
            {
                "id": "route",
                "type": "switch",
                "value": "'a'",
                "cases": [{"when": "a", "steps": [waiting("one")]}, {"when": "b", "steps": []}],
                "default": [waiting("two")],
                "on_error": {"branch": [waiting("three")]},
            }
        )
    )
    segments = [(name, [step.id for step in body]) for name, body in document.bodies(read.steps[0])]
    assert segments == [
        ("case0", ["one"]),
        ("case1", []),
        ("default", ["two"]),
        ("on_error", ["three"]),
    ]
    assert [step.id for step in document.walk(read.steps)] == ["route", "one", "two", "three"]


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"name": 5}, "5"),
        ({"dependencies": "b"}, ["b"]),
        ({"retry": {"base_s": "2"}}, 2),
    ],
)
def test_a_value_of_another_type_is_offered_in_the_right_one(fields, value):
    (issue,) = issues(workflow(waiting("a", **fields)))
    assert issue.fix[0]["value"] == value


def test_true_as_text_is_offered_as_true():
    ask = {"id": "a", "type": "human_approval", "title": "Go?", "approvers": ["owner"]}
    (issue,) = issues(workflow({**ask, "self_approval": "true"}))
    assert issue.fix[0]["value"] is True


def test_a_known_type_under_another_key_is_moved():
    (issue,) = issues(workflow({"id": "a", "step_type": "delay", "for_s": 1}))
    assert issue.fix == [{"op": "move", "from": "/steps/0/step_type", "path": "/steps/0/type"}]


def test_yaml_words_are_those_of_json():
    read = document.decode("steps: []\na: null\nb: true\nc: -1.5\nd: yes\ne: 010\n'f': ~")
    assert read == {"steps": [], "a": None, "b": True, "c": -1.5, "d": "yes", "e": "010", "f": None}


@pytest.mark.parametrize("text", ['{"format": 1}', '{"format": 1, "steps": []}', "steps: []"])
def test_a_byte_order_mark_in_front_changes_nothing(text):
    for marked in (f"\ufeff{text}", text.encode("utf-8-sig")):
        assert document.decode(marked) == document.decode(text)


def test_wrong_json_behind_a_byte_order_mark_is_told_as_json():
    with pytest.raises(InvalidError) as caught:
        document.decode('\ufeff{"format": 1, "format": 1}')
    assert "not one JSON document" in caught.value.issues[0].message


def test_a_zone_of_the_database_is_taken():
    read = document.parse(workflow(waiting("a"), defaults={"zone": "Europe/Berlin"}))
    assert read.defaults.zone == "Europe/Berlin"


def test_an_unknown_zone_is_refused():
    (issue,) = issues(workflow(waiting("a"), defaults={"zone": "Europe/Atlantis"}))
    assert (issue.code, issue.path) == ("E_SCHEMA", "/defaults/zone")


@pytest.mark.capability(162)
def test_the_registry_finds_step_types_by_file_name():
    assert "ai_processing" in steps.names()
    assert [
        steps.load(name).Params.model_fields["type"].annotation.__args__[0]
        for name in steps.names()
    ] == list(steps.names())
    with pytest.raises(NotFoundError, match="no step type 'goto'"):
        steps.load("goto")
