import pytest

from pilot.engine.validation import apply_fix, validate
from tests.engine.documents import waiting, workflow
from tests.engine.worker_process import put

SEARCH = {"id": "search", "type": "action", "plugin": "mail", "action": "search", "params": {}}
INPUTS = {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}}


def mail(step_id, **fields):
    params = {"to": ["ann@example.com"], "subject": "Hi", "text": "Hi", **fields.pop("params", {})}
    return {"id": step_id, "type": "action", "plugin": "mail", "action": "send",
            "params": params, **fields}  # fmt: skip


def choice(then, otherwise=(), condition="inputs.n > 1"):
    step = {"id": "if", "type": "conditional", "condition": condition, "then": [*then]}
    return {**step, "else": [*otherwise]} if otherwise else step


def reading(name, **fields):
    return waiting("reader", execute_if=f"steps.{name}.output.waited_s > 0", **fields)


@pytest.mark.parametrize(
    ("step", "path"),
    [
        (waiting("a", execute_if=False), "/steps/0/execute_if"),
        (waiting("a", execute_if="1 > 2"), "/steps/0/execute_if"),
        (choice([waiting("a")], condition="false"), "/steps/0/condition"),
        (choice([waiting("a")], [waiting("b")], condition=True), "/steps/0/else"),
    ],
)
def test_what_never_runs_is_named(check, step, path):
    assert check(workflow(step)) == [("E_UNREACHABLE", path)]


STOP = {"id": "end", "type": "stop"}
ASK_IF = waiting("ask", execute_if="inputs.n > 1")


@pytest.mark.parametrize(
    ("steps", "paths"),
    [
        ([STOP, waiting("a", dependencies=["end"])], ["/steps/1"]),
        ([STOP, waiting("a", dependencies=["end"]), waiting("b", dependencies=["a"])],
         ["/steps/1", "/steps/2"]),
        ([STOP, waiting("a", execute_if="steps.end.output.message == ''")], ["/steps/1"]),
        ([STOP, choice([waiting("a", execute_if="exists(steps.end.output)")])], ["/steps/1"]),
        ([STOP, STOP | {"id": "end2"}, waiting("a", dependencies=["end", "end2"])], ["/steps/2"]),
        ([choice([STOP, waiting("a", dependencies=["end"])])], ["/steps/0/then/1"]),
        ([STOP, waiting("a")], []),
        ([STOP | {"execute_if": "inputs.n > 1"}, waiting("a", dependencies=["end"])], []),
        ([STOP | {"on_error": "continue"}, waiting("a", dependencies=["end"])], []),
        ([choice([STOP]), waiting("a", dependencies=["if"])], []),
        ([ASK_IF, waiting("b"), STOP | {"dependencies": ["ask"]},
          waiting("a", dependencies=["end", "b"])], []),
    ],
)  # fmt: skip
def test_what_waits_for_a_stop_that_always_runs_is_named(check, steps, paths):
    found = check(workflow(*steps, inputs=INPUTS))
    assert [path for code, path in found if code == "E_UNREACHABLE"] == paths


def test_a_branch_cannot_read_the_other(check):
    document = workflow(choice([waiting("a")], [reading("a")]), inputs=INPUTS)
    assert check(document) == [("E_UNREACHABLE", "/steps/0/else/0/execute_if")]


@pytest.mark.parametrize(
    "source",
    [
        waiting("x", execute_if="inputs.n > 1"),
        waiting("x", on_error="continue"),
        choice([waiting("x")]),
    ],
)
def test_what_reads_a_step_that_may_be_skipped_is_warned_of(check, source):
    document = workflow(
        source, mail("m"), reading("x", dependencies=["m", source["id"]]), inputs=INPUTS
    )
    assert ("W_REF_MAYBE_SKIPPED", "/steps/2/execute_if") in check(document)


@pytest.mark.parametrize(
    "reader",
    [
        mail("m", execute_if="inputs.n > 1", params={"text": "{{steps.x.output.resumed_at}}"}),
        mail("m", params={"text": "{{default(steps.x.output.resumed_at, 'not yet')}}"}),
        mail("m", execute_if="exists(steps.x.output)",
             params={"text": "{{steps.x.output.resumed_at}}"}),
        mail("m", execute_if="steps.x.status == 'completed'",
             params={"text": "{{steps.x.output.resumed_at}}"}),
    ],
)  # fmt: skip
def test_who_asks_first_may_read_a_skipped_step(check, reader):
    source = waiting("x", execute_if="inputs.n > 1")
    document = workflow(source, mail("first"), {**reader, "dependencies": ["first"]}, inputs=INPUTS)
    assert check(document) == []


def test_a_step_that_is_skipped_too_may_read_a_skipped_one(check):
    source = waiting("x", execute_if="inputs.n > 1")
    document = workflow(
        source, mail("m", params={"text": "{{steps.x.output.resumed_at}}"}), inputs=INPUTS
    )
    assert check(document) == []


def test_a_model_step_without_data_is_skipped_and_its_reader_warned(check):
    ask = {"id": "ask", "type": "ai_processing", "prompt": "Why?",
           "input": "steps.search.output.messages"}  # fmt: skip
    both = mail("m", params={"text": "{{steps.search.output.more}} {{steps.ask.output.text}}"})
    assert check(workflow(SEARCH, ask, both)) == [("W_REF_MAYBE_SKIPPED", "/steps/2/params/text")]


def test_a_switch_over_an_open_value_wants_a_default(check):
    step = {"id": "s", "type": "switch", "value": "inputs.s",
            "cases": [{"when": "a", "steps": [waiting("x")]}]}  # fmt: skip
    assert check(workflow(step, inputs=INPUTS)) == [("W_NO_DEFAULT", "/steps/0/default")]
    assert check(workflow({**step, "default": []}, inputs=INPUTS)) == []
    closed = {"type": "object", "properties": {"s": {"enum": ["a"]}}}
    assert check(workflow(step, inputs=closed)) == []


def test_an_effect_in_one_of_two_branches_is_asked_about(check):
    document = workflow(choice([mail("m")], [waiting("x")]), inputs=INPUTS)
    assert check(document) == [("W_NO_DEFAULT", "/steps/0/else")]


@pytest.mark.parametrize(
    ("prompt", "is_rule"),
    [
        ("Filter the mails that mention refunds.", True),
        ("Read them. Count how many are late", True),
        ("Summarize the mails and sort them by date.", True),
        ("Calculate the total of all invoices", True),
        ("Remove duplicates", True),
        ("Sum up the amounts of these invoices.", True),
        ("Sum the column Total", True),
        ("Sum up these mails in five sentences.", False),
        ("Summarize these mails in five sentences.", False),
        ("Which filter would a customer like? Explain.", False),
        ("Extract the account number and the count of items.", False),
    ],
)
def test_rule_work_is_no_work_for_a_model(check, prompt, is_rule):
    step = {"id": "ask", "type": "ai_processing", "prompt": prompt}
    assert check(workflow(step)) == ([("W_LLM_FOR_RULE", "/steps/0/prompt")] if is_rule else [])


def test_a_model_is_not_asked_about_nothing(known, issue):
    ask = {"id": "ask", "type": "ai_processing", "prompt": "Why?", "on_empty": "call",
           "input": "steps.search.output.messages"}  # fmt: skip
    document = workflow(SEARCH, ask)
    fixed = apply_fix(document, issue(document, "W_EMPTY_INPUT"))
    assert validate(fixed, known) == []


@pytest.mark.parametrize(
    ("place", "code"),
    [("send.subject", None), ("send.sbject", "E_REF_FIELD"), ("other.subject", "E_REF_STEP")],
)
def test_only_parameters_of_actions_may_be_changed(check, place, code):
    ask = {"id": "ask", "type": "human_approval", "title": "Go?", "approvers": ["owner"]}
    params = {"to": ["ann@example.com"], "subject": "Hello", "text": "Text"}
    send = {"id": "send", "type": "action", "plugin": "mail", "action": "send", "params": params}
    found = check(workflow(ask | {"editable": [place]}, send | {"dependencies": ["ask"]}))
    assert found == ([(code, "/steps/0/editable/0")] if code else [])


LEVELS = {
    "approvers": ["role:approver"],
    "on_timeout": "escalate",
    "escalation": [{"approvers": ["user:a@x.test"]}],
}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"approvers": ["user:a@x.test"], "rule": "quorum", "k": 2}, "/k"),
        ({"approvers": ["user:a@x.test", "user:A@x.test"], "rule": "quorum", "k": 2}, "/k"),
        ({"approvers": ["owner"], "self_approval": False}, "/approvers"),
        ({"approvers": ["role:approver"], "rule": "quorum", "k": 9}, None),
        ({"approvers": ["owner", "role:approver"], "self_approval": False}, None),
        ({"approvers": ["owner"], "on_timeout": "escalate"}, "/on_timeout"),
        ({"approvers": ["owner"], "escalation": [{"approvers": ["role:admin"]}]}, "/escalation"),
        (LEVELS | {"rule": "quorum", "k": 2}, "/escalation/0/approvers"),
        (LEVELS, None),
    ],
)
def test_an_approval_that_nobody_can_give_is_refused(check, fields, path):
    step = {"id": "ask", "type": "human_approval", "title": "Go?", **fields}
    assert check(workflow(step)) == ([("E_APPROVERS", f"/steps/0{path}")] if path else [])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"approvers": ["owner", "user:{{ inputs.boss }}"]}, "/approvers/1"),
        (LEVELS | {"escalation": [{"approvers": ["user:{{inputs.boss}}"]}]},
         "/escalation/0/approvers/0"),
    ],
)  # fmt: skip
def test_a_template_of_people_is_checked_as_others_are(check, fields, path):
    step = {"id": "ask", "type": "human_approval", "title": "Go?", **fields}
    inputs = {"type": "object", "properties": {"chief": {"type": "string"}}}
    assert check(workflow(step, inputs=inputs)) == [("E_REF_FIELD", f"/steps/0{path}")]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"approvers": ["owner", "role:king"]}, "/approvers/1"),
        (LEVELS | {"escalation": [{"approvers": ["role:king"]}]}, "/escalation/0/approvers/0"),
        ({"type": "form", "fields": {"type": "object"}, "assignees": ["role:viewer"]},
         "/assignees/0"),
        ({"approvers": ["role:viewer"]}, "/approvers/0"),
    ],
)  # fmt: skip
def test_a_role_of_which_none_decides_is_refused_and_the_others_named(issue, fields, path):
    step = {"id": "ask", "type": "human_approval", "title": "Go?", **fields}
    found = issue(workflow(step), "E_APPROVERS")
    assert (found.path, found.got in {"role:king", "role:viewer"}) == (f"/steps/0{path}", True)
    assert found.expected == "role:admin, role:operator, role:approver", "viewers do not decide"
    assert found.expected in found.message


ASK = {"id": "ask", "type": "human_approval", "title": "Go?", "approvers": ["owner"]}
MAIL = {"to": ["ann@example.com"], "subject": "Hello"}


@pytest.mark.capability(253)
@pytest.mark.parametrize(
    ("text", "ask", "refused"),
    [
        ("At {{now()}}", {}, True),
        ("At {{ format_date(now(), 'HH:mm') }}", {"guards": ["send"]}, True),
        ("At {{now()}} {{steps.ask.output.comment}}", {}, False),  # it reacts to the decision
        ("At {{now()}}", {"guards": []}, False),
        ("On {{today()}}, {{'now()'}}", {}, False),
        ("At \\{{now()}}", {}, False),
    ],
)
def test_what_is_approved_holds_no_moment_that_moves(issue, check, text, ask, refused):
    send = {"id": "send", "type": "action", "plugin": "mail", "action": "send"}
    send |= {"dependencies": ["ask"], "params": MAIL | {"text": text}}
    document = workflow(ASK | ask, send)
    if not refused:
        assert "E_EXPRESSION" not in dict(check(document))
        return
    found = issue(document, "E_EXPRESSION")
    assert found.path == "/steps/1/params/text"
    assert "compute it in a transform before ask" in found.message


@pytest.mark.parametrize(
    ("output", "schema", "codes"),
    [
        ("{{steps.search.output.messages}}", {"type": "array"}, []),
        ("{{steps.search.output.messages}}", {"format": "table"}, []),
        ("{{steps.search.output.messages}}", {"type": "object"}, ["E_OUTPUT"]),
        ("{{steps.search.output.messages}}!", {"format": "table"}, ["E_OUTPUT"]),
        ({"n": "{{steps.search.output.more}}"}, {"required": ["m"]}, ["E_OUTPUT"]),
        ("{{steps.search.output.none}}", {"type": "object"}, ["E_REF_FIELD"]),
        (None, {"type": "object"}, []),
        (None, {"type": "array"}, ["E_OUTPUT"]),
        (["{{steps.search.output.more}}"], {"type": "array"}, []),
        ({"n": 5, "m": "{{steps.search.output.more}}"}, {"properties": {"n": {}}}, []),
        ("{{len(steps.search.output.messages)}}", {"type": "number"}, []),
        ("{{first(steps.search.output.messages)}}", {"type": "string"}, ["E_OUTPUT"]),
        ("{{steps.search.output.more}}", {"enum": [True, False]}, []),
        ("{{steps.search.output.more}}", {"const": "yes"}, ["E_OUTPUT"]),
        ("{{steps.search.output", {"type": "string"}, ["E_EXPRESSION"]),
    ],
)
def test_an_output_that_misfits_its_schema_is_refused(check, output, schema, codes):
    document = workflow(SEARCH, output=output, output_schema=schema)
    assert [code for code, _ in check(document)] == codes


def test_an_output_that_may_be_missing_is_refused(check):
    step = waiting("a", execute_if="inputs.n > 1")
    document = workflow(
        step, inputs=INPUTS, output="{{steps.a.output.waited_s}}", output_schema={"type": "number"}
    )
    assert ("E_OUTPUT", "/output") in check(document)


def test_a_result_that_nobody_uses_is_named(check):
    assert check(workflow(SEARCH, mail("m"))) == [("W_OUTPUT_UNUSED", "/steps/0")]
    assert check(workflow(SEARCH)) == []
    assert check(workflow(SEARCH, output="done")) == [("W_OUTPUT_UNUSED", "/steps/0")]


def test_schemas_of_the_document_are_checked(check):
    ask = {"id": "ask", "type": "ai_processing", "prompt": "Why?"}
    document = workflow(
        {**ask, "output_schema": {"type": "array"}},
        {"id": "v", "type": "validation", "input": "inputs", "schema": {"$ref": "#/x"}},
        inputs={"type": "object", "properties": {"a": {"type": "strin"}}},
    )
    assert check(document) == [
        ("E_SCHEMA", "/inputs/properties/a/type"),
        ("E_SCHEMA", "/steps/0/output_schema/type"),
        ("E_SCHEMA", "/steps/1/schema/$ref"),
    ]


def test_of_several_last_steps_the_output_is_an_object(check):
    two = workflow(SEARCH, {**SEARCH, "id": "b"}, output_schema={"type": "array"})
    assert check(two) == [("E_OUTPUT", "/output")]


def test_a_switch_over_true_and_false_is_closed(check):
    step = {"id": "s", "type": "switch", "value": "inputs.n > 1",
            "cases": [{"when": [True, False], "steps": [waiting("x")]}]}  # fmt: skip
    assert check(workflow(step, inputs=INPUTS)) == []


def test_effects_under_opposite_conditions_need_no_order(check):
    one = mail("a", execute_if="inputs.n > 1")
    assert check(workflow(one, mail("b", execute_if="not (inputs.n > 1)"), inputs=INPUTS)) == []


def test_the_branch_of_a_nested_step_counts(check):
    inner = {**choice([reading("a")], condition="inputs.n > 2"), "id": "inner"}
    document = workflow(choice([waiting("a")], [inner]), inputs=INPUTS)
    assert check(document) == [("E_UNREACHABLE", "/steps/0/else/0/then/0/execute_if")]


def test_a_delay_takes_no_time_limit_beside_its_own_end(check, issue):
    rest = {"id": "rest", "type": "delay", "for_s": 60}
    assert check(workflow(rest)) == []
    found = issue(workflow(rest | {"timeout_s": 5}), "E_SCHEMA")
    assert found.path == "/steps/0/timeout_s"
    assert "shorten for_s" in found.message


@pytest.mark.parametrize(
    "holder",
    [
        {"type": "loop", "items": "[1]", "steps": [put("in", 1)]},
        {"type": "scatter_gather", "items": "[1]", "steps": [put("in", 1)]},
        {"type": "parallel_group", "branches": {"one": [put("in", 1)]}},
        {"type": "conditional", "condition": "inputs.x == 1", "then": [put("in", 1)]},
        {"type": "sub_workflow", "steps": [put("in", 1)]},
    ],
    ids=lambda one: one["type"],
)
def test_what_holds_steps_makes_no_attempts_to_repeat_or_end(issue, holder):
    fields = {"retry": {"max_attempts": 2}, "timeout_s": 5}
    inputs = {"type": "object", "properties": {"x": {"type": "integer"}}}
    for name, instead in (("retry", "the steps inside"), ("timeout_s", "deadline_s in policies")):
        step = {"id": "all", name: fields[name]} | holder
        found = issue(workflow(step, inputs=inputs), "E_SCHEMA")
        assert found.path == f"/steps/0/{name}"
        assert instead in found.message
