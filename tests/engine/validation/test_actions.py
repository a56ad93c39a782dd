import pytest

from pilot.engine.validation import apply_fix, validate
from tests.engine.documents import waiting, workflow


def action(name, step_id="a", **params):
    plugin, _, action_name = name.partition(".")
    return {"id": step_id, "type": "action", "plugin": plugin, "action": action_name,
            "params": params}  # fmt: skip


SEARCH = action("mail.search", "search")
MAIL = {"to": ["ann@example.com"], "subject": "Hi", "text": "Hi"}


@pytest.mark.parametrize(
    ("name", "code", "path", "fix"),
    [
        ("mial.send", "E_UNKNOWN_PLUGIN", "/steps/0/plugin", "mail"),
        ("fax.send", "E_UNKNOWN_PLUGIN", "/steps/0/plugin", None),
        ("mail.sned", "E_UNKNOWN_ACTION", "/steps/0/action", "send"),
        ("mail.Mark-Read", "E_UNKNOWN_ACTION", "/steps/0/action", "mark_read"),
        ("mail.shred", "E_UNKNOWN_ACTION", "/steps/0/action", None),
    ],
)
def test_an_unknown_action_names_the_nearest(known, name, code, path, fix):
    (found,) = validate(workflow(action(name, **MAIL)), known)
    assert (found.code, found.path) == (code, path)
    assert found.fix == (fix and [{"op": "replace", "path": path, "value": fix}])


CONNECTIONS = {"mail": {"Sales": "ok", "Off": "disabled", "Old": "reconnect"}}


@pytest.mark.parametrize(
    ("name", "label", "code", "fix"),
    [
        ("mail.search", "sales ", None, None),
        ("mail.search", "Slaes", "W_NOT_CONNECTED", {"op": "replace", "value": "Sales"}),
        ("mail.search", "Marketing", "W_NOT_CONNECTED", None),
        ("mail.search", "Off", "W_NOT_CONNECTED", None),
        ("mail.search", "Old", "W_CONNECTION_EXPIRED", None),
        ("tables.read_range", "Sales", "W_NOT_CONNECTED", {"op": "remove"}),
    ],
)
def test_a_connection_is_compared_with_the_owners(known, name, label, code, fix):
    document = workflow(action(name) | {"connection": label})
    path = "/steps/0/connection"
    found = [one for one in validate(document, known.with_connections(CONNECTIONS))
             if one.path == path]  # fmt: skip
    assert [(one.code, one.severity, one.fix) for one in found] == (
        [(code, "warning", fix and [fix | {"path": path}])] if code else []
    )
    assert path not in {one.path for one in validate(document, known)}


def test_an_action_that_was_not_granted_is_refused(known):
    document = workflow(
        action("mail.send", **MAIL),
        {
            "id": "b",
            "type": "llm_decision",
            "prompt": "Do.",
            "actions": ["mail.send"],
            "dependencies": ["a"],
        },
        {"id": "c", "type": "llm_decision", "prompt": "Do.", "actions": ["mail.sendd"]},
    )
    found = validate(document, known.with_grants(["mail.search"]))
    assert [(one.code, one.path) for one in found] == [
        ("E_NOT_GRANTED", "/steps/0/action"),
        ("E_NOT_GRANTED", "/steps/1/actions/0"),
        ("E_UNKNOWN_ACTION", "/steps/2/actions/0"),
    ]


def test_a_missing_parameter_can_become_an_input(known, issue):
    document = workflow(action("tables.read_range"))
    found = issue(document, "E_PARAM_MISSING")
    fixed = apply_fix(document, found)
    assert fixed["inputs"]["required"] == ["table"]
    assert fixed["steps"][0]["params"] == {"table": "{{inputs.table}}"}
    assert validate(fixed, known) == []


@pytest.mark.capability(154)
@pytest.mark.parametrize(
    ("params", "code", "path"),
    [
        ({"limit": "5"}, "E_PARAM_TYPE", "/limit"),
        ({"match": "some"}, "E_PARAM_TYPE", "/match"),
        ({"subjectWords": ["x"]}, "E_PARAM_UNKNOWN", "/subjectWords"),
        ({"subjectWords": "{{execution.started_at}}"}, "E_PARAM_UNKNOWN", "/subjectWords"),
        ({"since": "2026-13-01"}, "E_PARAM_TYPE", "/since"),
    ],
)
def test_a_wrong_parameter_is_named(check, params, code, path):
    assert check(workflow(action("mail.search", **params))) == [(code, f"/steps/0/params{path}")]


def test_text_becomes_a_number_by_its_fix(known):
    document = workflow(action("mail.search", limit="5"))
    (found,) = validate(document, known)
    assert apply_fix(document, found)["steps"][0]["params"] == {"limit": 5}


@pytest.mark.parametrize(
    ("params", "fixed"),
    [
        ({"to": "{{first(steps.search.output.messages).from}}"}, None),
        ({"to": "{{steps.search.output.messages[0].from}}"},
         ["{{steps.search.output.messages[0].from}}"]),
        ({"subject": "{{inputs.n}}"}, "{{text(inputs.n)}}"),
        ({"html": "{{steps.table.output}}"}, "{{steps.table.output.text}}"),
        ({"subject": "{{inputs.names}}"}, "{{first(inputs.names)}}"),
        ({"subject": "{{steps.search.output.messages}}"}, None),
    ],
)  # fmt: skip
def test_a_reference_of_another_type_is_converted_where_one_way_exists(known, params, fixed):
    table = {"id": "table", "type": "transform", "input": "steps.search.output.messages",
             "operation": "render_table", "config": {"columns": ["from"]}}  # fmt: skip
    names = {"type": "array", "items": {"type": "string"}}
    inputs = {"type": "object", "properties": {"n": {"type": "integer"}, "names": names}}
    document = workflow(SEARCH, table, action("mail.send", **{**MAIL, **params}), inputs=inputs)
    found = [one for one in validate(document, known) if one.code == "E_TYPE"]
    assert [one.fix and one.fix[0]["value"] for one in found if one.fix or fixed] == (
        [] if fixed is None else [fixed]
    )


def test_a_reference_in_a_typed_parameter_is_judged_by_what_it_gives(check):
    inputs = {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}}
    good = workflow(action("mail.search", limit="{{inputs.n}}"), inputs=inputs)
    bad = workflow(action("mail.search", limit="{{inputs.s}}"), inputs=inputs)
    text = workflow(action("mail.search", limit="{{inputs.n}}0"), inputs=inputs)
    assert check(good) == []
    assert check(bad) == [("E_TYPE", "/steps/0/params/limit")]
    assert check(text) == [("E_PARAM_TYPE", "/steps/0/params/limit")]


@pytest.mark.parametrize(("effect", "codes"), [("pure", ["E_EFFECT_LOOSENED"]), ("once", [])])
def test_a_step_may_only_be_stricter_than_its_action(check, effect, codes):
    step = {**action("mail.send", **MAIL), "effect": effect}
    assert [code for code, _ in check(workflow(step))] == codes


def test_an_action_that_cannot_be_repeated_warns_under_retry(check):
    post = action("http.request", method="POST", url="https://example.com/")
    assert check(workflow({**post, "retry": {"max_attempts": 3}})) == [
        ("W_RETRY_ONCE", "/steps/0/retry")
    ]
    get = action("http.request", method="GET", url="https://example.com/")
    assert check(workflow({**get, "retry": {"max_attempts": 3}})) == []
    assert check(workflow(post, defaults={"retry": {}})) == [("W_RETRY_ONCE", "/steps/0")]


def test_a_list_that_may_be_empty_needs_a_guard(check):
    ids = {"id": "ids", "type": "transform", "input": "steps.search.output.messages",
           "operation": "project_column", "config": {"field": "from"}}  # fmt: skip
    send = action("mail.send", "send", **{**MAIL, "to": "{{steps.ids.output}}"})
    guarded = {**send, "execute_if": "not is_empty(steps.ids.output)"}
    assert check(workflow(SEARCH, ids, send)) == [("W_EMPTY_INPUT", "/steps/2/params/to")]
    assert check(workflow(SEARCH, ids, guarded)) == []


def test_a_blank_mail_is_warned_of(check):
    text = {"id": "t", "type": "transform", "input": "steps.search.output.messages",
            "operation": "render_text", "config": {"template": "{{item.subject}}"}}  # fmt: skip
    send = action("mail.send", "send", **{**MAIL, "text": "{{steps.t.output.text}}"})
    assert check(workflow(SEARCH, text, send)) == [("W_EMPTY_INPUT", "/steps/1/config/empty")]


def test_two_effects_without_order_are_chained(known):
    document = workflow(action("mail.send", "a", **MAIL), action("mail.send", "b", **MAIL))
    (found,) = validate(document, known)
    assert found.code == "W_UNORDERED_EFFECTS"
    assert validate(apply_fix(document, found), known) == []


def test_effects_in_branches_that_exclude_each_other_need_no_order(check):
    choice = {
        "id": "if", "type": "conditional", "condition": "inputs.n > 1",
        "then": [action("mail.send", "a", **MAIL)], "else": [action("mail.send", "b", **MAIL)],
    }  # fmt: skip
    inputs = {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert check(workflow(choice, inputs=inputs)) == []


def test_a_made_up_value_does_not_go_out(check):
    send = action("mail.send", **{**MAIL, "text": "{{default(inputs.vendor, 'Unknown Vendor')}}"})
    honest = action("mail.send", **{**MAIL, "text": "{{default(inputs.vendor, 'Needs review')}}"})
    inputs = {"type": "object", "properties": {"vendor": {"type": "string"}}}
    assert check(workflow(send, inputs=inputs)) == [("W_FIELD_DEFAULT", "/steps/0/params/text")]
    assert check(workflow(honest, inputs=inputs)) == []


def test_a_step_that_is_not_there_is_no_reason_to_stop(check):
    assert check(workflow(waiting("a"), {"id": "b", "type": "action"}, 5)) == [
        ("E_SCHEMA", "/steps/1/plugin"),
        ("E_SCHEMA", "/steps/1/action"),
        ("E_SCHEMA", "/steps/2"),
    ]


def test_a_missing_object_cannot_become_an_input(issue):
    step = action("tables.update_rows", table="t.csv", match={"id": 1})
    assert issue(workflow(step), "E_PARAM_MISSING").fix is None


def test_a_missing_list_becomes_one_more_input(known, issue):
    inputs = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}
    step = action("mail.send", subject="{{inputs.to}}", text="Hi")
    document = workflow(step, inputs=inputs)
    fixed = apply_fix(document, issue(document, "E_PARAM_MISSING"))
    assert fixed["inputs"]["required"] == ["to", "a_to"]
    assert fixed["steps"][0]["params"]["to"] == "{{inputs.a_to}}"
    assert validate(fixed, known) == []


def test_params_that_are_not_there_are_made(issue):
    step = {"id": "a", "type": "action", "plugin": "tables", "action": "list_tabs"}
    document = workflow(step, inputs={"properties": {"x": {}}})
    fixed = apply_fix(document, issue(document, "E_PARAM_MISSING"))
    assert fixed["steps"][0]["params"] == {"table": "{{inputs.table}}"}
    assert fixed["inputs"]["required"] == ["table"]


def test_a_reference_may_stand_for_a_choice_and_an_object(check):
    inputs = {"type": "object", "properties": {"m": {"type": "string"}, "row": {"type": "object"}}}
    step = action("tables.update_rows", table="t.csv", match="{{inputs.row}}", set={"a": 1})
    search = action("mail.search", "b", match="{{inputs.m}}")
    assert check(workflow(step, search, inputs=inputs)) == [("W_OUTPUT_UNUSED", "/steps/1")]


def test_a_request_whose_params_are_wrong_counts_as_the_strictest(check):
    step = action("http.request", method="FETCH", url="https://example.com/")
    assert ("W_RETRY_ONCE", "/steps/0/retry") in check(workflow({**step, "retry": {}}))


def test_a_chain_is_added_to_the_dependencies_there_are(issue):
    sends = [action("mail.send", name, **MAIL) for name in "ab"]
    document = workflow(waiting("w"), sends[0], {**sends[1], "dependencies": ["w"]})
    fixed = apply_fix(document, issue(document, "W_UNORDERED_EFFECTS"))
    assert fixed["steps"][2]["dependencies"] == ["w", "a"]
