"""The page of an agent: preflight, inputs by their schema, one start a press, versions."""

import re

import pytest

from pilot.engine.agents import agents
from pilot.engine.demo import loading
from tests.engine import worker_process as wp
from tests.pages import LOOKS, check_accessible

SCHEMA = {
    "type": "object",
    "required": ["amount", "to"],
    "properties": {
        "amount": {"type": "number", "title": "Amount"},
        "to": {"type": "array", "items": {"type": "string", "format": "email"}, "minItems": 1},
        "kind": {"enum": ["big", "small"], "default": "small"},
        "urgent": {"type": "boolean", "default": True},
        "day": {"type": "string", "format": "date"},
        "more": {"type": "object"},
        "data": {"type": "string", "default": "<b>"},
    },
}
GOOD = {
    "inputs": "all",  # the whole form: what is empty has no value
    "input-amount": "12.5",
    "input-to": "ann@example.com\nbob@example.com",
    "input-kind": "big",
    "input-day": "2026-11-21",
    "input-more": '{"a": 1}',
}
STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


@pytest.fixture
def agent(world):
    wp.switch_on()
    return wp.make_agent(world.operator.id, STEPS, inputs=SCHEMA)


def url(agent):
    return f"/agents/{agent}"


@pytest.mark.capability(8)
def test_inputs_get_their_types_from_the_schema(operator, agent):
    answer = operator.post(f"{url(agent)}/start", GOOD)
    assert answer.status_code == 303
    inputs = operator.get(f"{answer.location}.json").json["inputs"]
    assert inputs == {
        "amount": 12.5,
        "to": ["ann@example.com", "bob@example.com"],
        "kind": "big",
        "urgent": False,  # the box was not ticked
        "day": "2026-11-21",
        "more": {"a": 1},
        "data": "<b>",
    }


@pytest.mark.capability(8)
def test_what_is_missing_or_wrong_is_said_at_its_field_and_nothing_is_lost(operator, agent):
    wrong = {"input-amount": "a lot", "input-to": "", "input-more": "{", "prompt": "Mine"}
    sent = GOOD | wrong | {"simple": "1"}
    answer = operator.post(f"{url(agent)}/start", sent)
    assert answer.status_code == 422
    assert 'value="a lot"' in answer.text
    assert "The input amount must be a number" in answer.text
    assert "The input to is missing" in answer.text
    assert "The input more must be an object" in answer.text
    assert "Mine</textarea>" in answer.text
    assert 'name="simple" value="1" checked' in answer.text
    assert operator.get("/executions.json").json["total"] == 0


def test_an_agent_without_inputs_offers_to_save_none(operator, world):
    page = operator.get(url(wp.make_agent(world.operator.id, STEPS))).text
    assert "It takes no inputs." in page
    assert "Save inputs" not in page


def test_a_choice_that_is_no_text_and_a_type_that_may_be_null_fit(operator, world):
    odd = {
        "a/b c": {"enum": [1, 2.5, True]},
        "n": {"type": ["null", "integer"]},
        "any": True,
        "flag": {"type": "boolean", "enum": [True]},
    }
    agent = wp.make_agent(world.operator.id, STEPS, inputs={"type": "object", "properties": odd})
    sent = {"inputs": "all", "input-a/b c": "2.5", "input-n": "7", "input-any": "x"}
    wp.switch_on()
    answer = operator.post(f"{url(agent)}/start", sent)
    assert operator.get(f"{answer.location}.json").json["inputs"] == {
        "a/b c": 2.5,
        "n": 7,
        "any": "x",
    }
    refused = operator.post(f"{url(agent)}/start", sent | {"input-a/b c": "3"})
    assert "The input a/b c must be one of [1,2.5,true]" in refused.text


@pytest.mark.capability(7)
def test_a_field_that_was_emptied_does_not_come_back_from_what_was_saved(operator, agent):
    operator.post(f"{url(agent)}/inputs", GOOD)
    answer = operator.post(f"{url(agent)}/start", GOOD | {"input-day": ""})
    assert "day" not in operator.get(f"{answer.location}.json").json["inputs"]
    answer = operator.post(f"{url(agent)}/start")  # without the form: what was saved
    assert operator.get(f"{answer.location}.json").json["inputs"]["day"] == "2026-11-21"


@pytest.mark.capability(214)
def test_start_pressed_twice_starts_once(operator, agent):
    first, second = (
        operator.post(f"{url(agent)}/start", GOOD | {"request_id": "one press"}) for _ in range(2)
    )
    assert first.location == second.location
    assert operator.get("/executions.json").json["total"] == 1


@pytest.mark.capability(7)
def test_saved_inputs_fill_the_form_and_the_next_run(operator, agent):
    operator.post(f"{url(agent)}/inputs", {"input-amount": "7"})
    assert 'value="7"' in operator.get(url(agent)).text
    refused = operator.post(f"{url(agent)}/inputs", {"input-amount": "seven"})
    assert refused.status_code == 422


@pytest.mark.capability(6)
def test_a_test_start_saves_nothing(operator, agent, superuser):
    operator.post(f"{url(agent)}/start", GOOD | {"mode": "test"})
    count = "SELECT count(*) FROM agent_configuration"
    assert superuser.execute(count).fetchone() == (0,)


@pytest.mark.capability(4, 6)
def test_a_start_may_be_a_test_or_the_simple_loop(app, operator, agent):
    app.config["HAS_MODELS"] = True
    answer = operator.post(f"{url(agent)}/start", GOOD | {"mode": "test", "simple": "1"})
    twin = operator.get(f"{answer.location}.json").json
    assert (twin["mode"], twin["runs"], twin["runs_reason"]) == ("test", "one_step", "override")


@pytest.mark.capability(174, 266)
def test_a_start_past_the_disabled_button_is_refused_and_keeps_what_was_typed(operator, world):
    wp.switch_on()
    step = {"id": "one", "type": "action", "plugin": "mail", "action": "search", "params": {}}
    agent = wp.make_agent(world.operator.id, [step | {"connection": "Sales"}], inputs=SCHEMA)
    answer = operator.post(f"{url(agent)}/start", GOOD)
    assert answer.status_code == 422
    assert answer.text.count("There is no connection") == 2  # before it starts, and at the form
    assert 'value="12.5"' in answer.text
    assert operator.get("/executions.json").json["items"] == []


@pytest.mark.capability(245)
def test_a_start_may_have_a_budget_of_its_own(operator, agent):
    answer = operator.post(f"{url(agent)}/start", GOOD | {"budget": "0.25"})
    told = operator.get(f"{answer.location}.json").json
    assert told["budget_usd"]["amount"] == "0.250000000000"
    wrong = operator.post(f"{url(agent)}/start", GOOD | {"budget": "little"})
    assert wrong.status_code == 422
    assert "Give the budget as an amount in USD" in wrong.text
    assert 'value="little"' in wrong.text


@pytest.mark.capability(262)
def test_what_a_start_will_take_is_said_before_it(operator, agent):
    page = operator.get(url(agent)).text
    assert page.index("What it will take") < page.index('id="start"')
    assert "$0: no step asks a model" in page


@pytest.mark.capability(174, 266)
def test_preflight_names_what_stands_in_the_way(operator, agent, world, superuser):
    page = operator.get(url(agent)).text
    assert "No worker is running" in page
    assert "The input amount is missing" in page
    agents.set_active(agent, False, by=world.operator.actor, user_id=world.operator.id)
    superuser.execute("DELETE FROM setting")
    page = operator.get(url(agent)).text
    assert "The agent is switched off." in page
    assert "Pilot steps are switched off" in page
    assert re.search(r'<button class="primary" disabled', page)
    assert operator.post(f"{url(agent)}/start", GOOD).status_code == 409


def test_an_obstacle_leads_to_where_it_is_removed(operator, agent):
    page = operator.get(url(agent)).text
    (field,) = re.findall(r'<a class="button small" href="#(input-0)">Fill it in', page)
    assert f'id="{field}"' in page


def test_switching_off_can_be_undone(operator, agent):
    operator.post(f"{url(agent)}/active", {"active": "off"})
    page = operator.get(url(agent)).text
    assert operator.get(f"{url(agent)}.json").json["active"] is False
    (undo,) = re.findall(r'action="([^"]*active=on)"', page)
    operator.post(undo)
    assert operator.get(f"{url(agent)}.json").json["active"] is True


@pytest.mark.capability(225)
def test_details_are_saved_found_and_refused_with_the_text_kept(operator, agent):
    sent = {"name": "Mornings", "goal": "Less mail", "prompt": "Be short", "tags": "Inbox, daily"}
    assert operator.post(f"{url(agent)}/details", sent).status_code == 303
    twin = operator.get(f"{url(agent)}.json").json
    assert [twin[one] for one in sent] == ["Mornings", "Less mail", "Be short", ["inbox", "daily"]]
    assert operator.get("/agents.json?q=DAILY").json["total"] == 1
    refused = operator.post(f"{url(agent)}/details", sent | {"name": "", "goal": "Other words"})
    assert refused.status_code == 422
    assert "Give the agent a name." in refused.text
    assert "Other words</textarea>" in refused.text


@pytest.mark.capability(225)
def test_details_of_an_older_page_overwrite_nothing_unseen(operator, agent):
    def seen(page):
        return re.search(r'name="seen"[^>]*value="(\w+)"', page).group(1)

    older = seen(operator.get(url(agent)).text)
    sent = {"name": "One", "goal": "", "prompt": "Be short", "tags": ""}
    assert operator.post(f"{url(agent)}/details", sent | {"seen": older}).status_code == 303
    stale = sent | {"name": "Two", "prompt": ""}
    refused = operator.post(f"{url(agent)}/details", stale | {"seen": older})
    assert refused.status_code == 409
    assert "Prompt now: Be short" in refused.text
    assert 'value="Two"' in refused.text
    assert operator.get(f"{url(agent)}.json").json["prompt"] == "Be short"
    again = operator.post(f"{url(agent)}/details", stale | {"seen": seen(refused.text)})
    assert again.status_code == 303


@pytest.mark.capability(174)
def test_a_step_that_asks_a_model_is_named_where_none_is_set_up(operator, world):
    step = {"id": "ask", "type": "ai_processing", "prompt": "Shorten", "input": "'x'"}
    steps = [step, STEPS[0]]
    wp.switch_on()
    page = operator.get(url(wp.make_agent(world.operator.id, steps))).text
    assert "This step would fail. No model can be asked." in page
    assert '<a href="#step-ask">ask</a>' in page


def test_a_duplicate_is_an_agent_of_its_own(operator, agent):
    first, second = (
        operator.post(f"{url(agent)}/duplicate", {"request_id": "one press"}) for _ in range(2)
    )
    assert first.location == second.location != url(agent)
    copied, source = (operator.get(f"{one}.json").json for one in (first.location, url(agent)))
    same = ("document", "grants", "prompt", "inputs_schema", "goal")
    assert [copied[one] for one in same] == [source[one] for one in same]
    assert (copied["name"], copied["version"]) == ("Copy of Test", 1)


def test_graph_and_list_lead_to_each_other(operator, agent):
    page = operator.get(f"{url(agent)}?step=one").text
    assert f'href="{url(agent)}?step=one#step-one"' in page  # the node
    assert f'href="{url(agent)}?step=one#graph"' in page  # the line
    assert 'id="step-one" class="depth-0 selected"' in page


def test_who_may_only_look_sees_no_controls(browse, world, agent):
    page = browse(world.admin).get(url(agent)).text  # the agent is the operator's
    assert "It belongs to somebody else" in page
    for act in ("start", "active", "duplicate", "details", "inputs"):
        assert f"{url(agent)}/{act}" not in page
    assert browse(world.admin).post(f"{url(agent)}/start", GOOD).status_code == 404


def test_a_stranger_finds_no_agent(browse, world, agent):
    stranger = browse(world.stranger)
    for path in ("", ".json", "/workflow", "/workflow/1", "/workflow/1/download", "/workflow/edit"):
        assert stranger.get(url(agent) + path).status_code == 404
    for path in (
        "/start",
        "/inputs",
        "/active",
        "/duplicate",
        "/workflow/edit",
        "/workflow/1/restore",
    ):
        sent = {"text": "{}"} if path == "/workflow/edit" else {}
        assert stranger.post(url(agent) + path, sent).status_code == 404


@pytest.mark.browser
@pytest.mark.parametrize("look", LOOKS)
def test_the_pages_are_accessible_and_quiet(window, world, agent, look):
    width, scheme = look
    page = window(world.operator, viewport={"width": width, "height": 900}, color_scheme=scheme)
    paths = ["", "/workflow?as=yaml&step=one", "/workflow?diff=1..1", "/workflow/edit"]
    for path in ["/agents", *(url(agent) + one for one in paths)]:
        page.goto(path)
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert page.complaints == []


@pytest.mark.browser
def test_a_start_from_the_keyboard_and_what_is_refused_are_accessible(window, world, agent):
    page = window(world.operator, viewport={"width": 375, "height": 900})
    page.goto(url(agent))
    page.locator("#input-0").fill("a lot")
    page.keyboard.press("Enter")
    page.get_by_text("2 fields need a change").wait_for()
    assert page.locator(":focus").get_attribute("role") == "alert"
    check_accessible(page)
    page.locator("#input-0").fill("3")
    page.locator("#input-1").fill("ann@example.com")
    assert page.locator("#input-3").is_checked()
    page.locator("#input-0").press("Enter")
    page.wait_for_url("**/executions/*")
    assert page.locator("h1").inner_text() == "Test"


@pytest.mark.browser
def test_the_editor_works_in_a_window(window, world, agent):
    page = window(world.operator, color_scheme="dark")
    page.goto(f"{url(agent)}/workflow/edit")
    text = page.locator("[name=text]")
    text.fill(text.input_value().replace('"transform"', '"transforn"'))
    page.get_by_role("button", name="Check").click()
    page.get_by_role("button", name="Fix").first.click()
    page.get_by_text("Changed, not saved yet").wait_for()
    check_accessible(page)
    text.fill(text.input_value().replace('"value": 1', '"value": 2'))
    page.locator("[name=base]").evaluate("field => field.value = 0")
    page.locator("[name=reason]").fill("Two is better")
    page.get_by_role("button", name="Save version").click()
    page.get_by_text("Version 1 was saved meanwhile").wait_for()
    check_accessible(page)
    page.get_by_role("button", name="Save version").click()
    page.get_by_role("heading", name="Workflow, version 2").wait_for()


@pytest.mark.capability(275)
def test_a_demo_agent_that_would_ask_a_model_is_labelled(browse, world, app):
    made = loading.load(
        data=app.config["DATA"], by=world.admin.actor, user_id=world.admin.id
    ).agents
    admin = browse(world.admin)
    label = "It runs on recorded answers"
    assert label in admin.get(f"/agents/{made[loading.SUMMARY]}").text
    assert label not in admin.get(f"/agents/{made['Leads in stage 4']}").text
