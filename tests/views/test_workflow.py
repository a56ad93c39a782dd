"""The workflow editor: no text is lost, a save needs its reason and its base, versions stay."""

import json

import pytest

from tests.engine import worker_process as wp

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


@pytest.mark.capability(218)
def test_versions_are_compared_and_restored(operator, url):
    operator.post(f"{url}/edit", {"text": text(2), "reason": "x", "base": "1"})
    page = operator.get(f"{url}/2?against=1").text
    assert "<del>-" in page
    assert "<ins>+" in page
    operator.post(f"{url}/1/restore")
    assert operator.get(f"{url}/3.json").json["origin"] == "restored"


def test_a_newer_version_is_never_overwritten_unseen(operator, url):
    operator.post(f"{url}/edit", {"text": text(2), "reason": "first", "base": "1"})
    answer = operator.post(f"{url}/edit", {"text": text(3), "reason": "second", "base": "1"})
    assert answer.status_code == 409
    assert "Version 2 was saved meanwhile" in answer.text
    assert "&#34;value&#34;: 3" in answer.text
    assert 'value="2"' in answer.text


@pytest.mark.parametrize(
    "bad", ["{", "[]", "steps: [", '{"steps": [{"id": "a", "type": "odd"}]}', "x" * 300_000]
)
def test_a_wrong_text_is_kept_with_its_issues(operator, url, bad):
    answer = operator.post(f"{url}/edit", {"text": bad, "reason": "x", "base": "1"})
    assert answer.status_code == 422
    assert 'class="issues"' in answer.text
    assert operator.get(f"{url}/2").status_code == 404


def test_a_reason_is_asked_for(operator, url):
    answer = operator.post(f"{url}/edit", {"text": text(2), "reason": " ", "base": "1"})
    assert answer.status_code == 422
    assert "Say why it was changed." in answer.text


def test_checking_and_fixing_save_nothing(operator, url):
    wrong = text(2, operation="filterr", config={"condition": "true"}, input="inputs.rows")
    page = operator.post(f"{url}/edit", {"text": wrong, "do": "check", "base": "1"}).text
    assert 'name="fix" value="' in page
    fix = page.partition('name="fix" value="')[2].partition('"')[0]
    fixed = operator.post(f"{url}/edit", {"text": wrong, "fix": fix, "base": "1"})
    assert "<ins>+" in fixed.text
    assert operator.get(f"{url}/2").status_code == 404


def test_yaml_is_read_too(operator, url):
    step = "{id: one, type: transform, operation: set, config: {value: 9}}"
    yaml = f"format: 1\nname: Test\nsteps:\n  - {step}"
    answer = operator.post(f"{url}/edit", {"text": yaml, "reason": "x", "base": "1"})
    assert answer.status_code == 303
