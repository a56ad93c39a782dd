"""The page of an agent: preflight, inputs by their schema, one start a press, versions."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from pilot.engine import agents
from tests.engine import worker_process as wp

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
    sent = GOOD | {"input-amount": "a lot", "input-to": "", "input-more": "{"}
    answer = operator.post(f"{url(agent)}/start", sent)
    assert answer.status_code == 422
    assert 'value="a lot"' in answer.text
    assert "The input amount must be a number" in answer.text
    assert "The input to is missing" in answer.text
    assert "The input more must be an object" in answer.text
    assert operator.get("/executions.json").json["total"] == 0


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


@pytest.mark.capability(4, 6)
def test_a_start_may_be_a_test_or_the_simple_loop(operator, agent):
    answer = operator.post(f"{url(agent)}/start", GOOD | {"mode": "test", "simple": "1"})
    twin = operator.get(f"{answer.location}.json").json
    assert (twin["mode"], twin["runs"], twin["runs_reason"]) == ("test", "one_step", "override")


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


def test_switching_off_and_on(operator, agent):
    operator.post(f"{url(agent)}/active", {"active": "off"})
    assert operator.get(f"{url(agent)}.json").json["active"] is False
    operator.post(f"{url(agent)}/active", {"active": "on"})
    assert operator.get(f"{url(agent)}.json").json["active"] is True


@pytest.mark.capability(279)
def test_a_stranger_finds_no_agent(browse, world, agent):
    stranger = browse(world.stranger)
    for path in ("", ".json", "/workflow/1", "/workflow/edit"):
        assert stranger.get(url(agent) + path).status_code == 404
    for path in ("/start", "/inputs", "/active", "/workflow/edit", "/workflow/1/restore"):
        assert stranger.post(url(agent) + path, {"text": "{}"}).status_code == 404


@pytest.mark.browser
@pytest.mark.parametrize("look", [(375, "light"), (375, "dark"), (1280, "light"), (1280, "dark")])
def test_the_pages_are_accessible_and_quiet(window, world, agent, look):
    width, scheme = look
    page = window(world.operator, viewport={"width": width, "height": 900}, color_scheme=scheme)
    paths = ["", "/workflow/1", "/workflow/edit"]
    for path in ["/agents", *(url(agent) + one for one in paths)]:
        page.goto(path)
        assert Axe().run(page).violations_count == 0, Axe().run(page).generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert page.complaints == []
