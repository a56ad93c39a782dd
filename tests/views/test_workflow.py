"""Versions of a workflow: shown, compared, downloaded, restored; none ever changes."""

import json

import pytest

from pilot.engine.workflow import document
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


def save(operator, url, base, **step):
    form = {"text": text(base + 1, **step), "reason": f"Change {base}", "base": str(base)}
    assert operator.post(f"{url}/edit", form).status_code == 303


@pytest.mark.capability(218)
def test_versions_say_who_why_and_how_often_they_ran(operator, url, world):
    agent = url.split("/")[2]
    wp.switch_on()
    wp.start(agent, world.operator.id)
    save(operator, url, 1)
    first, second = reversed(operator.get(f"{url}.json").json["versions"])
    (execution,) = operator.get("/executions.json").json["items"]
    assert execution["version_number"] == 1, "it keeps its version"
    assert (first["executions"], first["under_way"], second["executions"]) == (1, 1, 0)
    assert (second["reason"], second["author"]) == ("Change 1", "Operator")
    page = operator.get(f"{url}/1").text
    assert "This is not the newest version" in page
    assert "1 under way" in page


@pytest.mark.capability(218)
def test_two_versions_are_compared_field_by_field_and_line_by_line(operator, url):
    save(operator, url, 1)
    page = operator.get(f"{url}?diff=1..2").text
    assert "<del>-" in page
    assert "<ins>+" in page
    (step,) = operator.get(f"{url}.json?diff=1..2").json["differences"]["steps"]
    change = {"field": "/config/value", "before": "1", "after": "2"}
    assert step == {"id": "one", "kind": "changed", "changes": [change]}
    assert "No difference" in operator.get(f"{url}?diff=1..1").text


@pytest.mark.parametrize("query", ["diff=1..9", "diff=x", "diff=1..", "as=xml", "before=-1"])
def test_what_the_url_cannot_mean_is_named(operator, url, query):
    answer = operator.get(f"{url}?{query}")
    assert answer.status_code == 200
    assert "Ignored filter" in answer.text


@pytest.mark.capability(218)
def test_an_earlier_version_becomes_the_newest_and_back(operator, url):
    save(operator, url, 1)
    operator.post(f"{url}/1/restore")
    newest = operator.get(f"{url}.json").json
    assert (newest["number"], newest["origin"]) == (3, "restored")
    assert newest["document"]["steps"][0]["config"]["value"] == 1
    assert f'action="{url}/2/restore"' in operator.get(url).text  # undo
    assert operator.post(f"{url}/3/restore").status_code == 303
    assert operator.get(f"{url}.json").json["number"] == 3


@pytest.mark.parametrize("syntax", ["json", "yaml"])
def test_a_download_is_what_the_editor_takes(operator, url, syntax):
    answer = operator.get(f"{url}/1/download?as={syntax}")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="test-v1.{syntax}"'
    assert document.decode(answer.text) == operator.get(f"{url}.json").json["document"]
    assert operator.get(f"{url}?as={syntax}").text.count('id="line-1"') == 1


def test_a_step_tells_its_parameters_and_their_sources(operator, world):
    steps = [
        STEPS[0],
        {
            "id": "send",
            "type": "action",
            "plugin": "mail",
            "action": "send",
            "execute_if": "steps.one.output == 1",
            "params": {"to": ["{{inputs.to}}"], "subject": "<b>", "text": "{{steps.one.output}}"},
        },
    ]
    schema = {"type": "object", "properties": {"to": {"type": "string"}}}
    agent = wp.make_agent(world.operator.id, steps, inputs=schema)
    page = operator.get(f"/agents/{agent}/workflow?step=send").text
    for told in ("from input to", 'href="#step-one">step one', "&lt;b&gt;", "Only if", "Retry"):
        assert told in page


def test_many_versions_are_paged(operator, url, superuser):
    superuser.execute(
        "INSERT INTO workflow_version (owner_id, agent_id, number, document, document_hash, "
        "workflow_steps, author_id, reason, origin) SELECT owner_id, agent_id, n, document, "
        "document_hash, workflow_steps, author_id, reason, origin "
        "FROM workflow_version, generate_series(2, 60) n"
    )
    superuser.execute("UPDATE agent SET version_number = 60")
    assert f'href="{url}/10"' not in operator.get(url).text
    assert f'href="{url}?before=11"' in operator.get(url).text
    assert f'href="{url}/10"' in operator.get(f"{url}?before=11").text
