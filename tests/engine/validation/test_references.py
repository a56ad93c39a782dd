import pytest

from pilot.engine.validation import validate
from tests.engine.documents import waiting, workflow

SEARCH = {"id": "search", "type": "action", "plugin": "mail", "action": "search", "params": {}}
INPUTS = {"type": "object", "properties": {"day": {"type": "string"}, "n": {"type": "integer"}}}


def asking(prompt, **fields):
    return workflow(
        SEARCH,
        {"id": "ask", "type": "ai_processing", "prompt": prompt, **fields},
        inputs=INPUTS,
    )


@pytest.mark.parametrize(
    ("written", "code", "fixed"),
    [
        ("search.messages", "E_REF_ROOT", "steps.search.output.messages"),
        ("search.output.messages", "E_REF_ROOT", "steps.search.output.messages"),
        ("search.data.messages", "E_REF_ROOT", "steps.search.output.messages"),
        ("input.day", "E_REF_ROOT", "inputs.day"),
        ("day", "E_REF_ROOT", "inputs.day"),
        ("step.search.output.messages", "E_REF_ROOT", "steps.search.output.messages"),
        ("steps.serch.output.messages", "E_REF_STEP", "steps.search.output.messages"),
        ("steps.search.messages", "E_REF_FIELD", "steps.search.output.messages"),
        ("steps.search.outputs.messages", "E_REF_FIELD", "steps.search.output.messages"),
        ("steps.search.output.mesages", "E_REF_FIELD", "steps.search.output.messages"),
        ("inputs.dya", "E_REF_FIELD", "inputs.day"),
        ("steps.search.data.messages", "E_REF_FIELD", "steps.search.output.messages"),
    ],
)
def test_a_wrong_reference_has_its_fix(issue, known, written, code, fixed):
    document = asking(f"About {{{{{written}}}}} and {{{{inputs.n}}}}.")
    found = issue(document, code)
    assert found.path == "/steps/1/prompt"
    assert found.fix == [
        {
            "op": "replace",
            "path": "/steps/1/prompt",
            "value": f"About {{{{{fixed}}}}} and {{{{inputs.n}}}}.",
        }
    ]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("steps.search.output.messages.subject", "E_REF_FIELD"),
        ("steps.search.output.nothing_like_it", "E_REF_FIELD"),
        ("steps.elsewhere.output", "E_REF_STEP"),
        ("steps.search.nothing", "E_REF_FIELD"),
        ("secrets.key", "E_REF_ROOT"),
        ("error.message", "E_REF_ROOT"),
        ("item.name", "E_REF_ROOT"),
    ],
)
def test_a_reference_that_may_mean_many_things_has_no_fix(issue, written, code):
    assert issue(asking(f"{{{{{written}}}}}"), code).fix is None


def test_a_bare_word_in_a_comparison_is_quoted(issue):
    found = issue(asking("Say it.", execute_if="inputs.day == Monday"), "E_REF_ROOT")
    assert found.fix[0]["value"] == "inputs.day == 'Monday'"


def test_the_place_of_a_reference_in_a_transform_is_its_text(issue):
    step = {
        "id": "t",
        "type": "transform",
        "input": "steps.search.output.messages",
        "operation": "filter",
        "config": {"condition": "item.subject == steps.nobody.output"},
    }
    assert issue(workflow(SEARCH, step), "E_REF_STEP").path == "/steps/1/config/condition"


def test_the_fields_of_a_model_answer_are_those_of_its_schema(check):
    schema = {"type": "object", "properties": {"level": {"type": "string"}}}
    ask = {"id": "ask", "type": "ai_processing", "prompt": "How bad?", "output_schema": schema}
    good = waiting("a", execute_if="steps.ask.output.level == 'high'")
    bad = waiting("b", execute_if="steps.ask.output.text == 'high'")
    assert check(workflow(ask, good, bad)) == [("E_REF_FIELD", "/steps/2/execute_if")]


def test_a_step_may_not_read_itself_or_the_future(check):
    reads = waiting("a", execute_if="exists(steps.b.output)")
    inner = {"id": "c", "type": "conditional", "condition": "exists(steps.d.output)"}
    document = workflow(reads, waiting("b"), {**inner, "then": [waiting("d")]})
    assert [one for one in check(document) if one[0] == "E_REF_FORWARD"] == [
        ("E_REF_FORWARD", "/steps/0/execute_if"),
        ("E_REF_FORWARD", "/steps/2/condition"),
    ]


def test_a_step_that_reads_a_later_one_is_moved_behind_it(issue):
    found = issue(workflow(waiting("a", execute_if="exists(steps.b.output)"), waiting("b")),
                  "E_REF_FORWARD")  # fmt: skip
    assert found.fix == [{"op": "move", "from": "/steps/0", "path": "/steps/1"}]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("inputs.n >", "E_EXPRESSION"),
        ("shout(inputs.day)", "E_EXPRESSION"),
        ("inputs.n", "E_CONDITION_TYPE"),
        ("inputs.day", "E_CONDITION_TYPE"),
        ("steps.search.output.messages", "E_CONDITION_TYPE"),
        ("len(steps.search.output.messages)", "E_CONDITION_TYPE"),
        ("inputs.n + 1", "E_CONDITION_TYPE"),
        ("'yes'", "E_CONDITION_TYPE"),
        ("3", "E_CONDITION_TYPE"),
        ("inputs.n * 2", "E_CONDITION_TYPE"),
        ("[inputs.n]", "E_CONDITION_TYPE"),
        ("steps.search.status", "E_CONDITION_TYPE"),
        ("number {{inputs.n}}", "E_CONDITION_TYPE"),
    ],
)
def test_a_condition_that_cannot_be_asked_is_refused(check, text, code):
    document = workflow(SEARCH, waiting("a", execute_if=text), inputs=INPUTS)
    assert check(document) == [(code, "/steps/1/execute_if")]


@pytest.mark.parametrize(
    "text",
    [
        "inputs.n > 1 and not (inputs.day == 'a')",
        "inputs.n in [1, 2]",
        "contains(inputs.day, 'x')",
        "steps.search.output.more",
        "{{ inputs.n == 1 }}",
        "default(inputs.more, true)",
        "true",
        "first(pluck(steps.search.output.messages, 'unread'))",
        "(inputs.n > 1) == (inputs.n < 5)",
    ],
)
def test_a_condition_that_can_be_asked_passes(known, text):
    inputs = {**INPUTS, "additionalProperties": True}
    step = waiting("a", execute_if=text)
    assert validate(workflow(SEARCH, step, inputs=inputs), known) == []


def test_the_first_result_of_a_list_answer_lacks_its_output(issue):
    ask = {"id": "ask", "type": "ai_processing", "prompt": "Why?"}
    ask["output_schema"] = {"type": "object", "properties": {"rows": {"type": "array"}}}
    reader = waiting("a", execute_if="steps.ask.rows[0] == 1")
    found = issue(workflow(ask, reader), "E_REF_FIELD")
    assert found.expected == "steps.ask.output.rows"


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({"choices": ["yes", "no"]}, ["decision", "reasoning", "confidence", "actions"]),
        ({}, ["text", "actions"]),
        ({"output_schema": {"properties": {"level": {}}}}, ["level", "actions"]),
        ({"output_schema": {"type": "strin"}}, ["anything"]),
    ],
)
def test_the_output_of_a_decision_depends_on_its_fields(check, fields, output):
    decide = {"id": "d", "type": "llm_decision", "prompt": "Decide.", **fields}
    reading = {name: f"{{{{steps.d.output.{name}}}}}" for name in output}
    found = check(workflow(decide, output=reading))
    assert [one for one in found if one[0] == "E_REF_FIELD"] == []
    wrong = check(workflow(decide, output="{{steps.d.output.wrong}}"))
    assert (("E_REF_FIELD", "/output") in wrong) is (output != ["anything"])


@pytest.mark.parametrize(
    ("dependencies", "path", "fix"),
    [
        (["frist"], "/steps/1/dependencies/0", "first"),
        (["inner"], "/steps/1/dependencies/0", None),
        (["nobody"], "/steps/1/dependencies/0", None),
    ],
)
def test_a_dependency_names_a_step_of_the_same_list(issue, dependencies, path, fix):
    outer = {"id": "first", "type": "conditional", "condition": "inputs.n > 1"}
    document = workflow(
        {**outer, "then": [waiting("inner")]},
        waiting("a", dependencies=dependencies),
        inputs=INPUTS,
    )
    found = issue(document, "E_BRANCH_TARGET")
    assert found.path == path
    assert (found.fix and found.fix[0]["value"]) == fix


def test_an_approval_guards_steps_that_exist(check):
    ask = {"id": "ask", "type": "human_approval", "title": "Go?", "approvers": ["owner"]}
    assert check(workflow({**ask, "guards": ["a", "b"]}, waiting("a"))) == [
        ("E_BRANCH_TARGET", "/steps/0/guards/1")
    ]


def test_a_step_that_waits_for_itself_is_let_go(issue):
    found = issue(workflow(waiting("a", dependencies=["a"])), "E_CYCLE")
    assert found.fix == [{"op": "remove", "path": "/steps/0/dependencies/0"}]


def test_a_step_that_reads_itself_is_named(issue):
    found = issue(workflow(waiting("a", execute_if="exists(steps.a.output)")), "E_REF_FORWARD")
    assert "its own result" in found.message
    assert found.fix is None


def test_only_steps_that_wait_for_events_have_an_address(check):
    ok = {"id": "ok", "type": "wait_for_event", "event": "order.ok"}
    tell = {"id": "tell", "type": "ai_processing", "prompt": "Say: {{steps.ok.resume_url}}"}
    assert "E_REF_FIELD" not in [code for code, _ in check(workflow(tell, ok))]
    nap = {"id": "ok", "type": "delay", "for_s": 5}
    assert ("E_REF_FIELD", "/steps/0/prompt") in check(workflow(tell, nap))
    each = {"id": "each", "type": "loop", "items": [1], "steps": [ok]}
    assert ("E_REF_SCOPE", "/steps/0/prompt") in check(workflow(tell, each))


def test_the_schemas_of_what_steps_wait_for_are_checked(check):
    wait = {"id": "a", "type": "wait_for_event", "event": "x", "schema": {"type": "no"}}
    form = {"id": "b", "type": "form", "title": "T", "assignees": ["owner"]}
    found = check(workflow(wait, form | {"fields": {"type": "array"}}))
    assert ("E_SCHEMA", "/steps/0/schema/type") in found
    assert ("E_SCHEMA", "/steps/1/fields/type") in found
    match = wait | {"schema": {}, "match": "event.payload.ok and item.x == 1"}
    assert ("E_REF_ROOT", "/steps/0/match") in check(workflow(match))
