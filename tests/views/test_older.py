"""Pages of agents that older builders made: converted steps, every change, the original."""

import json
import re

import pytest

from pilot.engine.language import yaml_text
from tests.engine import worker_process as wp
from tests.engine.life.test_older_agents import FIELDS, REMINDERS
from tests.older.stored import store
from tests.pages import check_looks
from tests.views.test_portable import send

BUNDLE = {"pilot": 1, "kind": "agent", "name": "Old reminders", "document": REMINDERS}


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


@pytest.fixture
def url(world, superuser):
    agent = store(superuser, world.operator, REMINDERS, inputs=FIELDS)
    return f"/agents/{agent}"


@pytest.mark.capability(175)
def test_the_workflow_page_shows_converted_steps_every_change_and_the_original(operator, url):
    answer = operator.get(f"{url}/workflow")
    page = answer.text
    assert "Written by an older builder, converted: 9 changes" in page
    assert '<li dir="auto">nobody: continueOnError became on_error.</li>' in page
    assert 'id="step-doubled"' in page
    assert "&#34;iterateOver&#34;" in page, "the original is shown"
    original = operator.get(f"{url}/workflow/1/download?as=original")
    assert json.loads(original.text) == REMINDERS
    assert "-original.json" in original.headers["Content-Disposition"]
    ours = operator.get(f"{url}/workflow/1/download?as=json").json
    twin = operator.get(f"{url}/workflow.json").json
    assert (twin["document"], twin["original"]) == (ours, REMINDERS)
    assert [one["id"] for one in twin["workflow_steps"]][:2] == ["step1", "many"]
    assert len(twin["conversion"]) == 9


@pytest.mark.capability(175)
def test_saving_in_the_editor_saves_our_format(operator, url):
    editor = operator.get(f"{url}/workflow/edit").text
    assert "&#34;format&#34;: 1" in editor
    ours = operator.get(f"{url}/workflow/1/download?as=json").text
    form = {"text": ours, "reason": "Ours from here on", "base": "1"}
    assert operator.post(f"{url}/workflow/edit", form).status_code == 303
    page = operator.get(f"{url}/workflow?diff=1..2").text
    assert "Written by an older builder" not in page
    assert "Both versions hold the same workflow." in page


@pytest.mark.capability(175)
def test_an_older_agent_comes_in_by_the_import_page(operator):
    text = yaml_text.dumps(BUNDLE).encode()
    look = send(operator, text, do="check")
    assert look.status_code == 200
    assert "Written by an older builder, converted: " in look.text
    made = send(operator, text).location
    kept = operator.get(f"{made}/workflow/1/download?as=original")
    assert json.loads(kept.text) == REMINDERS
    broken = BUNDLE | {"name": "Broken", "document": [{"id": "call", "step_type": "api_call"}]}
    refused = send(operator, yaml_text.dumps(broken).encode())
    assert refused.status_code == 422
    assert "The step call, api_call, names no action" in refused.text


@pytest.mark.capability(175)
def test_what_cannot_be_converted_is_a_to_do_on_the_agents_page(operator, world, superuser):
    wp.switch_on()
    agent = store(superuser, world.operator, [{"id": "call", "step_type": "api_call"}])
    page = operator.get(f"/agents/{agent}").text
    assert re.search(r"The step call, api_call, names no action: give it plugin and action", page)
    assert f'href="/agents/{agent}/workflow/edit"' in page


@pytest.mark.browser
def test_the_page_of_an_older_workflow_looks_right(window, world, url):
    page = window(world.operator)
    page.goto(f"{url}/workflow")
    page.click("text=Every change")
    page.click("text=The original")
    check_looks(page)
