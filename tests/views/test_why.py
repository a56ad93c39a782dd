"""Why this model: a sentence and the stored decision at every call of a step."""

import json
from decimal import Decimal

import pytest

from tests.engine import worker_process as wp
from tests.pages import check_looks
from tests.reports.ledger_rows import FAILED, RECORDED, book

STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]
PLACE = {"path": "one", "attempt": 1}
FAST = {"tier": "fast", "price_input": Decimal("0.10"), "price_output": Decimal("0.50")}
STRONG = {"model_asked": "strong", "tier": "powerful", "price_input": Decimal(3)}
STRONG |= {"price_output": Decimal(15)}
KEYLESS = {"model_id": "far", "code": "no_key", "reason": "OpenAI has no key."}
CASES = [
    (
        {"rule": "first", "passed_over": [KEYLESS], "resting": ["tired"]},
        FAST,
        (
            "The first model that the settings choose: tier fast, $0.10 in and $0.50 out per"
            " million tokens. Resting after failures: tired. Passed over: far (OpenAI has no key)."
        ),
    ),
    (
        {"rule": "again", "after": {"model": "cheap", "reason": "rate_limit"}},
        FAST,
        (
            "Asked again because cheap failed (rate limit): tier fast, $0.10 in and $0.50 out per"
            " million tokens."
        ),
    ),
    (
        {"rule": "next", "after": {"model": "cheap", "reason": "schema"}, "passed_over": []},
        STRONG,
        (
            "The next model because cheap failed (schema): tier powerful, $3.00 in and $15.00 out"
            " per million tokens."
        ),
    ),
    (
        {"rule": "cheaper", "refused": "strong"},
        {"cost": None},
        (
            "A cheaper model because the budget has too little left for strong: no tier, without a"
            " price."
        ),
    ),
]


@pytest.fixture
def step(world, superuser):
    """Give a function that books calls at a step of an execution, and the page of the step."""
    wp.switch_on()
    made = wp.start(wp.make_agent(world.operator.id, STEPS), world.operator.id)
    superuser.execute(
        "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, fence,"
        " started_at) VALUES (%s, 'one', 1, %s, 'ai_processing', 'failed', 1, pilot_now())",
        [made, world.operator.id],
    )

    def calls(*rows):
        for number, row in enumerate(rows):
            known = {"execution_id": made, "number": number + 1} | PLACE
            routing = row.get("routing")
            stored = {"routing": None if routing is None else json.dumps(routing)}
            ago = f"{len(rows) - number} s"
            book(superuser, world.operator.id, ago=ago, **(known | row | stored))
        return f"/executions/{made}"

    return calls


@pytest.mark.capability(19, 265)
@pytest.mark.parametrize(("routing", "facts", "sentence"), CASES)
def test_each_rule_has_its_sentence_and_its_json(browse, world, step, routing, facts, sentence):
    url = step({"routing": routing} | facts)
    operator = browse(world.operator)
    assert f'<td class="words">{sentence}<details' in operator.get(f"{url}?step=one").text
    (call,) = operator.get(f"{url}.json").json["calls"]
    decision = call["decision"]
    assert (call["why"], call["tier"]) == (sentence, facts.get("tier"))
    assert {name: decision[name] for name in routing} == routing
    prices = {"input": facts.get("price_input"), "output": facts.get("price_output")}
    shown = decision["usd_per_million_tokens"]
    assert {name: one and Decimal(one) for name, one in shown.items()} == prices


@pytest.mark.capability(265)
def test_calls_without_a_stored_decision_still_say_why(browse, world, step):
    timeout = FAILED | {"reason": "timeout"}
    url = step(timeout, timeout, {"model_asked": "strong"}, RECORDED)
    told = [one["why"] for one in browse(world.operator).get(f"{url}.json").json["calls"]]
    assert told == [
        "The first model that the settings choose.",
        "Asked again: cheap failed (timeout).",
        "The next model: cheap failed (timeout).",
        "A recorded answer: no model was asked.",
    ]


def test_a_hostile_name_in_a_decision_is_text(browse, world, step):
    passed = {"model_id": "<script>alert(1)</script>", "code": "unknown", "reason": "is unknown"}
    url = step({"routing": {"rule": "first", "passed_over": [passed]}})
    page = browse(world.operator).get(f"{url}?step=one").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.browser
def test_axe_finds_nothing_and_nothing_overflows(window, world, step):
    url = step(*({"routing": routing} | facts for routing, facts, _ in CASES))
    page = window(world.operator, bypass_csp=True)
    page.goto(f"{url}?step=one")
    for one in page.get_by_text("Decision as JSON").all():
        one.click()
    check_looks(page)
