"""Goals over any actions: one step per clause, what it needs before it, questions for the rest."""

import time
from dataclasses import replace

import pytest

from pilot.engine.validation import validate

ORDER = "Order the product with product id 'p-7', quantity 2 and delivery date 2026-12-01"


def asked(found):
    return [one.id for one in found.questions]


def test_each_clause_takes_its_action_in_the_order_of_the_goal(steps_of):
    found = steps_of(
        "Convert 100 USD to EUR, then send an SMS with the message 'done' to 555-123-4567."
    )
    assert list(found) == ["convert_currency", "send_sms"]
    assert found["send_sms"].params == {"phone_number": "555-123-4567", "message": "done"}


def test_an_id_that_nobody_knows_is_looked_up_first(steps_of):
    found = steps_of("Get the reviews of 'Blue Kettle'")
    assert list(found) == ["search_products", "get_reviews"]
    assert found["search_products"].params == {"query": "Blue Kettle"}
    assert found["get_reviews"].params == {
        "product_id": "{{steps.search_products.output.product_id}}"
    }


def test_one_lookup_serves_all_that_need_it(steps_of):
    found = steps_of(
        "Search for products with query 'kettle', get the reviews, and send the reviews as an SMS "
        "message to 555-123-4567"
    )
    assert list(found) == ["search_products", "get_reviews", "send_sms"]
    assert found["send_sms"].params["message"] == "{{steps.get_reviews.output.reviews}}"


def test_an_earlier_number_becomes_text_where_text_is_taken(steps_of):
    found = steps_of(
        "Convert 100 from USD to EUR and then send the converted amount as an SMS to 555-123-4567"
    )
    reference = found["send_sms"].params.get("message", "")
    assert reference in {
        "{{text(steps.convert_currency.output.converted_amount)}}",
        "{{inputs.message}}",
    }


def test_what_a_quoted_text_says_is_no_clause(steps_of):
    found = steps_of("Send an SMS to 555-123-4567 with the message 'order it, then convert it'")
    assert list(found) == ["send_sms"]
    assert found["send_sms"].params["message"] == "order it, then convert it"


def test_a_missing_parameter_is_asked(draft):
    found = draft("Order the product with product id 'p-7' and quantity 2")
    assert found.document is None
    assert asked(found) == ["param:shop.order_product.delivery_date"]


def test_an_answer_fills_the_parameter(draft):
    goal = "Order the product with product id 'p-7' and delivery date 2026-12-01"
    found = draft(goal, {"param:shop.order_product.quantity": "3"})
    assert found.document["steps"][-1]["params"]["quantity"] == 3


def test_a_skipped_question_is_asked_at_each_start(draft):
    goal = "Order the product with product id 'p-7' and quantity 2"
    document = draft(goal, {"param:shop.order_product.delivery_date": ""}).document
    assert document["inputs"]["required"] == ["delivery_date"]
    assert document["steps"][-1]["params"]["delivery_date"] == "{{inputs.delivery_date}}"


def test_at_most_three_questions_are_asked(draft):
    found = draft("Order it. Convert it. Send an SMS. Whistle a tune. Paint the fence.")
    assert found.document is None
    assert len(found.questions) == 3


@pytest.mark.parametrize("goal", ["Get the product there", "Show me the delivery of the product"])
def test_what_changes_something_is_not_drafted_unless_named(draft, goal):
    found = draft(goal)
    used = [one["action"] for one in (found.document or {"steps": []})["steps"]]
    assert "order_product" not in used


def test_an_action_that_the_user_declines_is_left_out(draft):
    goal = "Convert 100 USD to EUR and paint the fence in blue"
    question = draft(goal).questions[0]
    document = draft(goal, {question.id: "Leave it out"}).document
    assert [one["id"] for one in document["steps"]] == ["convert_currency"]


def test_a_clause_that_no_action_does_is_asked_about(draft):
    found = draft("Convert 100 USD to EUR, then whistle a merry tune")
    assert asked(found) == ["unclear:whistle a merry tune"]
    assert [one.covered_by for one in found.clauses] == [("convert_currency",), ()]


@pytest.mark.parametrize(
    "goal",
    [
        f"Ask me for approval, then {ORDER.lower()}",
        f"{ORDER} after my approval",
        f"Wait for sign-off. {ORDER}",
    ],
)
def test_an_approval_stands_before_the_effect(steps_of, goal):
    found = steps_of(goal)
    assert list(found) == ["approve", "order_product"]
    assert found["approve"].approvers == ["owner"]
    assert found["order_product"].dependencies == ["approve"]


def test_an_approver_is_the_address_that_the_clause_names(steps_of):
    found = steps_of(f"Get approval from ann@example.com, then {ORDER}")
    assert found["approve"].approvers == ["user:ann@example.com"]


@pytest.mark.parametrize(
    ("words", "expression"),
    [
        ("if the converted amount is above 90", "{} > 90"),
        ("if the converted amount is at most 90", "{} <= 90"),
        ("unless the converted amount is below 90", "not ({} < 90)"),
    ],
)
def test_a_condition_reads_the_earlier_step(steps_of, words, expression):
    goal = f"Convert 100 USD to EUR, then {words}, send an SMS 'go' to 555-123-4567"
    amount = "steps.convert_currency.output.converted_amount"
    assert steps_of(goal)["send_sms"].execute_if == expression.format(amount)


def test_a_condition_on_a_list_counts_it(steps_of):
    found = steps_of(
        "Search for products with query 'kettle' and, if there are no products, send an SMS with "
        "the message 'none' to 555-123-4567"
    )
    assert found["send_sms"].execute_if == "len(steps.search_products.output.products) == 0"


def test_a_condition_on_nothing_known_is_asked_about(draft):
    found = draft("If the moon is full, send an SMS 'howl' to 555-123-4567")
    assert found.document is None
    assert asked(found) == ["condition:if the moon is full"]


def test_a_repetition_is_asked_about(draft):
    found = draft("For each product, send an SMS with the message 'hi' to 555-123-4567")
    assert asked(found) == ["each:product"]


def test_effects_wait_for_one_another(steps_of):
    found = steps_of(f"{ORDER}. Then send an SMS 'done' to 555-123-4567.")
    assert found["send_sms"].dependencies == ["order_product"]


def test_only_granted_actions_are_used(draft, shopping):
    granted = replace(shopping, granted=frozenset({"shop.convert_currency"}))
    found = draft("Convert 100 USD to EUR and send an SMS 'x' to 555-123-4567", over=granted)
    assert asked(found) == ["unclear:send an sms 'x' to 555-123-4567"]


@pytest.mark.parametrize("goal", ["", "?!", "Hm.", "Bonjour tout le monde"])
def test_a_goal_that_no_action_does_is_refused_with_what_to_say(draft, goal):
    found = draft(goal)
    assert found.document is None
    assert "Say which action" in found.refusal


def test_references_in_the_goal_stay_words(draft):
    goal = "Send an SMS with the message '{{secret:token}}' to 555-123-4567"
    document = draft(goal, {"param:desk.send_sms.message": ""}).document
    assert document["steps"][0]["params"]["message"] == "{{inputs.message}}"


def test_a_value_that_the_schema_refuses_is_asked_for(draft):
    found = draft("Convert 'much' USD to EUR")
    assert "param:shop.convert_currency.amount" in asked(found)


def test_confidence_falls_with_what_is_missing(draft):
    sure = draft(ORDER).confidence
    unsure = draft("Order the product, then whistle a merry tune").confidence
    assert unsure <= 0.5
    assert 0.8 < sure <= 1


def test_drafts_are_valid_and_order_their_effects(draft, shopping):
    goals = [ORDER, "Get the reviews of 'Blue Kettle'", f"Ask me for approval. {ORDER}"]
    for goal in goals:
        assert validate(draft(goal).document, shopping) == []


def test_an_address_that_no_step_takes_is_asked_about(draft):
    found = draft("Send an SMS with the message 'x' to 555-123-4567 and 555-765-4321")
    assert asked(found) == ["unclear:555-765-4321"]


@pytest.mark.parametrize(
    "text", ["1,2,3 and ", "send it and ", "'a", "A.B ", "if a, ", "for each "]
)
def test_hostile_goals_are_read_in_time(draft, text):
    start = time.thread_time()
    draft((text * 4000)[:4000])
    assert time.thread_time() - start < 15
