"""Effects that need an approval: by a workflow's policy or everybody's rule, the stricter one."""

from copy import deepcopy
from email.utils import parseaddr

import pytest

from pilot.engine.language.effects_rule import EffectsRule
from pilot.engine.validation import apply_fix, repair, validate
from tests.engine.documents import GOOD, waiting, workflow

CODE = "E_APPROVAL_REQUIRED"
INPUTS = {
    "type": "object",
    "properties": {"who": {"type": "string"}, "big": {"type": "boolean"}, "n": {"type": "array"}},
}
ASK = {"id": "ask", "type": "human_approval", "title": "Go?", "approvers": ["owner"]}
BIG = {"execute_if": "inputs.big"}


def act(step_id, action, params, **fields):
    plugin, _, name = action.partition(".")
    found = {"id": step_id, "type": "action", "plugin": plugin, "action": name, "params": params}
    return found | fields


def send(step_id="send", to=("ann@example.com",), **fields):
    return act(step_id, "mail.send", {"to": [*to], "subject": "Hi", "text": "Hello"}, **fields)


def after(*names):
    return {"dependencies": list(names)}


def deciding(**fields):
    return {"id": "decide", "type": "llm_decision", "prompt": "Do it."} | fields


@pytest.fixture
def wanted(known):
    """Return the paths of the effects that need an approval, under the policy all or another."""

    def found(*steps, level="all", rule=None, **keys):
        policies = {"policies": {"effects_approval": level}} if level else {}
        document = workflow(*deepcopy(steps), inputs=INPUTS, **policies, **keys)
        rules = known.with_effects_rule(rule or EffectsRule())
        issues = validate(document, rules)
        wrong = [one for one in issues if one.severity == "error" and one.code != CODE]
        assert wrong == []
        return [one.path for one in issues if one.code == CODE]

    return found


def test_without_a_rule_nothing_needs_an_approval(wanted):
    assert wanted(send(), level=None) == []
    assert wanted(send(), level="none") == []


@pytest.mark.parametrize(
    ("own", "everybodys", "refused"),
    [
        ("none", "all", True),
        (None, "all", True),
        (None, "external", True),
        ("all", "none", True),
        ("external", "all", True),
        ("none", "none", False),
    ],
)
def test_the_stricter_of_policy_and_setting_holds(wanted, own, everybodys, refused):
    assert bool(wanted(send(), level=own, rule=EffectsRule(everybodys))) is refused


@pytest.mark.parametrize(
    ("steps", "refused"),
    [
        ((ASK, send(**after("ask"))), []),
        ((ASK | {"guards": ["send"]}, send()), []),
        ((ASK, waiting("rest", **after("ask")), send(**after("rest"))), []),
        ((ASK, send()), ["/steps/1"]),  # they may run at the same time
        ((ASK | after("send"), send()), ["/steps/1"]),
        ((ASK | {"on_timeout": "approve"}, send(**after("ask"))), ["/steps/1"]),
        ((ASK | {"on_timeout": {"branch": [waiting("w")]}}, send(**after("ask"))), []),  # so here
        (
            (ASK | {"on_timeout": {"branch": [waiting("w")]}, "guards": []}, send(**after("ask"))),
            ["/steps/1"],
        ),
        ((ASK | {"on_error": "continue"}, send(**after("ask"))), []),  # it guards the mail
        (
            (ASK | {"on_error": "continue"}, waiting("w", **after("ask")), send(**after("w"))),
            ["/steps/2"],
        ),
        ((ASK | BIG, send(**after("ask"))), []),  # skipped together
        ((waiting("w"), ASK | BIG, send(**after("ask", "w"))), ["/steps/2"]),
        ((waiting("w"), ASK | BIG, send(**after("ask", "w"), **BIG)), []),
        (
            (waiting("w"), waiting("v", **BIG), ASK | after("v"), send(**after("ask", "w"))),
            [],  # an approval waits for what it guards, so it is not skipped alone
        ),
        (
            (
                waiting("v", **BIG),
                ASK | after("v"),
                waiting("w"),
                waiting("u", **after("ask", "w")),
                send(**after("u")),
            ),
            ["/steps/4"],
        ),
    ],
)
def test_an_approval_counts_that_every_way_passes_and_only_a_person_gives(wanted, steps, refused):
    assert wanted(*steps) == refused


def test_an_approval_around_a_container_holds_for_what_is_in_it(wanted):
    loop = {"id": "each", "type": "loop", "items": "inputs.n", "steps": [send()]}
    assert wanted(ASK, loop | after("ask")) == []
    assert wanted(loop) == ["/steps/0/steps/0"]
    assert wanted(loop | {"steps": [ASK, send(**after("ask"))]}) == []
    check = {"id": "if", "type": "conditional", "condition": "inputs.big", "then": [send()]}
    assert wanted(waiting("w"), ASK | BIG, check | after("ask", "w")) == []
    other = check | {"then": [waiting("v")], "else": [send()]}
    assert wanted(waiting("w"), ASK | BIG, other | after("ask", "w")) == ["/steps/2/else/0"]
    inside = {"id": "if", "type": "conditional", "condition": "inputs.big", "then": [ASK]}
    assert wanted(inside, send(**after("if"))) == ["/steps/1"]


def test_what_models_and_compensations_may_do_counts_too(wanted):
    assert wanted(deciding(actions=["mail.search"])) == []
    assert wanted(deciding(actions=["mail.search", "mail.send"])) == ["/steps/0"]
    undo = {"plugin": "mail", "action": "reply", "params": {"id": "x", "text": "No."}}
    assert wanted(act("find", "mail.search", {}, compensate=undo)) == ["/steps/0"]
    assert wanted(act("find", "mail.search", {})) == []


def test_the_rule_holds_within_workflows_of_a_step(wanted):
    sub = {"id": "sub", "type": "sub_workflow", "steps": [send()]}
    assert wanted(sub) == ["/steps/0/steps/0"]
    assert wanted(ASK, sub | after("ask")) == []


POST = {"method": "POST", "url": "https://api.corp.test/x"}


@pytest.mark.parametrize(
    ("step", "refused"),
    [
        (send(to=["ann@corp.test", "Bo <bo@Mail.corp.test>"]), False),
        (send(to=["ann@corp.test", "eve@corp.test.evil.test"]), True),
        (send(to=["ann@notcorp.test"]), True),
        (send(to=["{{inputs.who}}"]), True),
        (act("a", "mail.send", {"to": ["a@corp.test"], "bcc": ["eve@x.test"], "subject": "s",
                                "text": "t"}), True),
        (act("a", "mail.reply", {"id": "INBOX/1", "text": "Yes."}), True),
        (act("a", "mail.draft", {"to": ["eve@x.test"], "subject": "s", "text": "t"}), False),
        (act("a", "mail.mark_read", {"ids": ["INBOX/1"]}), False),
        (act("a", "http.request", POST), False),
        (act("a", "http.request", POST | {"url": "https://api.corp.test/{{inputs.who}}"}), False),
        (act("a", "http.request", POST | {"url": "https://api.corp.test{{inputs.who}}/"}), True),
        (act("a", "http.request", POST | {"url": "https://{{inputs.who}}"}), True),
        (act("a", "http.request", POST | {"url": "https://api.corp.test@x.test/"}), True),
        (act("a", "http.request", POST | {"url": "https://[x/"}), True),
        (act("a", "http.request", {"url": "https://x.test/"}), False),  # it only reads
        (deciding(actions=["mail.mark_read", "mail.draft"]), False),
        (deciding(actions=["mail.send"]), True),
    ],
)  # fmt: skip
def test_external_effects_are_those_that_may_reach_others(wanted, step, refused):
    rule = EffectsRule("external", ("corp.test",))
    assert bool(wanted(step, level=None, rule=rule)) is refused


def test_an_address_is_judged_as_it_is_sent_to(wanted):
    text = "x://corp.test/ <eve@x.test>"
    assert parseaddr(text)[1] == "eve@x.test"
    rule = EffectsRule("external", ("corp.test",))
    assert wanted(send(to=[text]), level=None, rule=rule) == ["/steps/0"]


def test_the_fix_asks_the_owner_just_before(known):
    document = workflow(waiting("approve_send"), send(**BIG), inputs=INPUTS)
    rules = known.with_effects_rule(EffectsRule("all"))
    (issue,) = [one for one in validate(document, rules) if one.code == CODE]
    assert "mail.send changes something, and the setting pilot_effects_approval" in issue.message
    fixed = apply_fix(document, issue)
    asked = fixed["steps"][1]
    assert (asked["id"], asked["approvers"]) == ("approve_send_2", ["owner"])
    assert (asked["guards"], asked["execute_if"]) == (["send"], "inputs.big")
    assert CODE not in [one.code for one in validate(fixed, rules)]


def test_one_approval_is_inserted_for_all_that_follows_it(known):
    steps = [send("a"), send("b", **after("a")), send("c", **after("b"))]
    document = workflow(*steps, policies={"effects_approval": "all"})
    found = [one for one in validate(document, known) if one.code == CODE]
    assert [bool(one.fix) for one in found] == [True, False, False]
    assert found[2].message.endswith("The one that a needs holds for it too.")
    repaired = repair(document, known)
    assert [one["id"] for one in repaired.document["steps"]] == ["approve_a", "a", "b", "c"]
    assert repaired.issues == []


def test_an_approval_that_is_inserted_stops_what_follows_whatever_the_default(known):
    steps = [send("s0"), *(send(f"s{n}", **after(f"s{n - 1}")) for n in range(1, 6))]
    policies, defaults = {"effects_approval": "all"}, {"on_error": "continue"}
    repaired = repair(workflow(*steps, policies=policies, defaults=defaults), known)
    assert [one["id"] for one in repaired.document["steps"]][:2] == ["approve_s0", "s0"]
    assert repaired.document["steps"][0]["on_error"] == "fail"
    assert CODE not in [one.code for one in repaired.issues]


def test_effects_without_order_get_an_approval_each_at_once(known):
    bodies = {f"b{n}": [send(f"s{n}"), send(f"t{n}", **after(f"s{n}"))] for n in range(5)}
    group = {"id": "all", "type": "parallel_group", "branches": bodies}
    repaired = repair(workflow(group, policies={"effects_approval": "all"}), known)
    branches = repaired.document["steps"][0]["branches"]
    assert [[one["id"] for one in body] for body in branches.values()] == [
        [f"approve_s{n}", f"s{n}", f"t{n}"] for n in range(5)
    ]
    assert not [one for one in repaired.issues if one.severity == "error"]


@pytest.mark.parametrize("name", GOOD)
def test_every_right_document_can_be_repaired(known, name):
    rules = known.with_effects_rule(EffectsRule("all"))
    repaired = repair(GOOD[name], rules)
    assert [one for one in repaired.issues if one.severity == "error"] == []
