"""The workflow as text: checked, mended, saved with a reason; whatever happens, nothing is lost."""

import html
import json
import re

import pytest

from tests.engine import worker_process as wp
from tests.older.test_older import FOUR_STEPS

STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


@pytest.fixture
def url(world):
    return f"/agents/{wp.make_agent(world.operator.id, STEPS)}/workflow"


def text(value, **step):
    changed = STEPS[0] | {"config": {"value": value}} | step
    return json.dumps({"format": 1, "name": "Test", "steps": [changed]})


def kept(answer):
    """Return the text in the editor."""
    found = re.search(
        r'<textarea[^>]*name="text"[^>]*>\r?\n(.*?)</textarea>', answer.text, re.DOTALL
    )
    return html.unescape(found[1])


@pytest.mark.capability(218)
def test_a_save_makes_the_next_version_and_the_old_one_stays(operator, url):
    form = {"text": text(2), "reason": "Two is better", "base": "1"}
    assert operator.post(f"{url}/edit", form).status_code == 303
    assert operator.get(f"{url}/1.json").json["document"]["steps"][0]["config"]["value"] == 1
    newest = operator.get(f"{url}/2.json").json
    assert (newest["reason"], newest["document"]["steps"][0]["config"]["value"]) == (
        "Two is better",
        2,
    )
    assert operator.post(f"{url}/edit", form).status_code == 303, "pressed twice"
    assert operator.get(f"{url}/3").status_code == 404


def test_a_newer_version_is_never_overwritten_unseen(operator, url):
    operator.post(f"{url}/edit", {"text": text(2), "reason": "first", "base": "1"})
    answer = operator.post(f"{url}/edit", {"text": text(3), "reason": "second", "base": "1"})
    assert answer.status_code == 409
    assert "Version 2 was saved meanwhile" in answer.text
    assert kept(answer) == text(3)
    assert "What they changed, from version 1 to 2" in answer.text
    assert "&#34;value&#34;: 2" in answer.text  # theirs
    form = {"text": kept(answer), "reason": "second", "base": "2"}
    assert 'name="base" type="hidden" value="2"' in answer.text
    assert operator.post(f"{url}/edit", form).status_code == 303


@pytest.mark.parametrize("base", ["", "x", "-1", "٣", "9" * 30])
def test_a_text_that_began_nowhere_is_shown_beside_the_newest(operator, url, base):
    answer = operator.post(f"{url}/edit", {"text": text(3), "reason": "x", "base": base})
    assert answer.status_code == 409
    assert kept(answer) == text(3)


BAD = (
    *("", "{", "[]", "steps: [", '{"steps": [{"id": "a", "type": "odd"}]}', "x" * 300_000),
    *("[" * 70_000, '{"a":1,"a":2}', "&a [*a, *a]", "!!python/object:os.system {}"),
    *('{"steps": {"id": 1}}', '{"steps": [[], 1, null]}', "<script>alert(1)</script>", "\n\n{"),
)


@pytest.mark.capability(274)
@pytest.mark.parametrize("do", ["save", "check", "convert"])
def test_a_wrong_text_is_kept_with_its_issues(operator, url, do):
    for bad in BAD:
        answer = operator.post(f"{url}/edit", {"text": bad, "reason": "x", "base": "1", "do": do})
        assert answer.status_code == (200 if do == "check" else 422), bad[:80]
        assert 'class="issues"' in answer.text
        assert kept(answer) == bad
    assert operator.get(f"{url}/2").status_code == 404


def test_an_issue_names_line_column_pointer_and_code(operator, url):
    bad = json.dumps({"format": 1, "steps": [STEPS[0] | {"operation": "odd"}]}, indent=1)
    page = operator.post(f"{url}/edit", {"text": bad, "do": "check", "base": "1"}).text
    line = 1 + next(n for n, one in enumerate(bad.splitlines()) if "operation" in one)
    assert f"{line}, column 17" in page
    assert "<code>/steps/0/operation</code>" in page
    assert re.search(r"<code>E_\w+</code>", page)


def test_a_reason_is_asked_for(operator, url):
    answer = operator.post(f"{url}/edit", {"text": text(2), "reason": " ", "base": "1"})
    assert answer.status_code == 422
    assert "Say why it was changed." in answer.text


@pytest.mark.capability(274)
def test_one_click_applies_a_fix_and_shows_it_and_saves_nothing(operator, url):
    wrong = text(2, typ="odd")
    page = operator.post(f"{url}/edit", {"text": wrong, "do": "check", "base": "1"})
    fix = html.unescape(re.search(r'name="fix" value="([^"]+)"', page.text)[1])
    form = {"text": kept(page), "fix": fix, "base": "1", "reason": "Typed so far"}
    fixed = operator.post(f"{url}/edit", form)
    assert json.loads(kept(fixed)) == json.loads(text(2))
    assert "<del>-" in fixed.text
    assert 'value="Typed so far"' in fixed.text
    assert operator.get(f"{url}/2").status_code == 404
    again = operator.post(f"{url}/edit", form | {"text": kept(fixed)})
    assert (again.status_code, kept(again)) == (422, kept(fixed))


@pytest.mark.capability(163)
def test_an_older_format_is_converted_before_the_eyes(operator, url):
    older = json.dumps(FOUR_STEPS)
    page = operator.post(f"{url}/edit", {"text": older, "do": "check", "base": "1"})
    assert "format of an older builder" in page.text
    converted = operator.post(f"{url}/edit", {"text": older, "do": "convert", "base": "1"})
    assert json.loads(kept(converted))["format"] == 1
    assert "got the id step1" in converted.text
    assert operator.get(f"{url}/2").status_code == 404


@pytest.mark.capability(14)
def test_one_model_step_becomes_the_simple_loop_with_its_prompt(operator, url):
    step = {"id": "ask", "type": "llm_decision", "prompt": "Say hello", "actions": ["mail.send"]}
    body = json.dumps({"format": 1, "steps": [step]})
    operator.post(f"{url}/edit", {"text": body, "reason": "simpler", "base": "1"})
    agent = operator.get(f"{url.removesuffix('/workflow')}.json").json
    assert (agent["document"], agent["prompt"], agent["runs"]) == (None, "Say hello", "one_step")
    editor = operator.get(f"{url}/edit")
    assert json.loads(kept(editor))["steps"][0]["prompt"] == "Say hello"
    form = {"text": kept(editor), "reason": "the same", "base": "2"}
    assert operator.post(f"{url}/edit", form).status_code == 303
    assert operator.get(f"{url}.json").json["number"] == 2


def test_yaml_is_read_too(operator, url):
    step = "{id: one, type: transform, operation: set, config: {value: 9}}"
    yaml = f"format: 1\nname: Test\nsteps:\n  - {step}"
    answer = operator.post(f"{url}/edit", {"text": yaml, "reason": "x", "base": "1"})
    assert answer.status_code == 303
