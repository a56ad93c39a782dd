"""Workflows of older builders over the API: kept as they were sent, read as ours, never a 5xx."""

import pytest

from pilot.engine.workflow import document as documents
from tests.engine import worker_process as wp
from tests.engine.life.test_older_agents import FIELDS, READ, REMINDERS
from tests.older.stored import store

OLDER = {"pilot_steps": REMINDERS, "input_schema": FIELDS}


@pytest.fixture
def one(program, world):
    return program(world.operator)


@pytest.mark.capability(175)
@pytest.mark.parametrize("written", [OLDER, REMINDERS])
def test_an_older_workflow_is_taken_in_and_read_as_ours(one, written):
    made = one.post("/agents", {"name": "Old", "document": written})
    assert made.status_code == 201, made.text
    assert [step["id"] for step in made.json["document"]["steps"]] == READ
    assert any("tell (plugin_action) is now action" in note for note in made.json["conversion"])
    url = f"/agents/{made.json['id']}"
    version = one.get(f"{url}/versions/1").json
    assert version["original"] == written
    assert version["hash"] == documents.content_hash(written)
    assert version["document"] == made.json["document"]
    ours = {"document": version["document"], "reason": "Edited", "base": 1}
    second = one.post(f"{url}/versions", ours).json
    assert (second["version"], second["conversion"]) == (2, None)
    difference = one.get(f"{url}/versions/1/diff?to=2").json
    assert (difference["steps"], difference["document"]) == ([], []), "both read the same"
    third = one.post(f"{url}/versions", {"document": written, "reason": "Back", "base": 2}).json
    assert third["conversion"] == made.json["conversion"]
    assert one.get(f"{url}/forecast").json["forecast"] is not None


@pytest.mark.capability(175)
def test_an_older_workflow_is_checked_by_what_becomes_of_it(one):
    told = one.post("/workflows/validate", {"document": OLDER}).json
    assert told["valid"]
    assert told["conversion"]
    broken = [{"id": "call", "step_type": "api_call", "operation": "x"}]
    told = one.post("/workflows/validate", {"document": broken}).json
    assert (told["valid"], told["issues"][0]["path"]) == (False, "/steps/0/step_type")
    assert told["issues"][0]["message"].startswith("The step call, api_call, names no action: give")


@pytest.mark.capability(175)
def test_work_is_started_on_a_stored_older_agent(one, world, superuser):
    wp.switch_on()
    agent = store(superuser, world.operator, REMINDERS, inputs=FIELDS)
    begun = one.post(f"/agents/{agent}/executions", {"inputs": {"to": "a@pilot.test", "most": 1}})
    assert begun.status_code == 202, begun.text
    missing = one.post(f"/agents/{agent}/executions", {"inputs": {"to": "a@pilot.test"}})
    assert missing.status_code == 422
    assert "most" in missing.text


def nested(depth):
    steps = [{"type": "delay", "duration": 1}]
    for _ in range(depth):
        steps = [{"type": "loop", "iterateOver": [1], "loopSteps": steps}]
    return steps


HOSTILE = {
    "no steps": [],
    "numbers": [1, None, "x", [[]]],
    "types": [{"type": 5, "plugin_action": {"a": 1}, "params": "x", "id": []}],
    "ids": [{"id": "a" * 5_000, "type": "delay", "duration": 1}, {"id": "", "executeIf": []}],
    "doubled": [{"id": "a", "type": "summarize"}, {"id": "a", "type": "summarize"}],
    "values": [{"type": "delay", "duration": -(2**53), "retryPolicy": {"backoffMs": 2**53}}],
    "routes": [{"type": "conditional", "trueBranch": {"a": 1}, "falseBranch": ["x", 5]}],
    "cases": [{"type": "switch", "cases": {"a": 5}, "default": {}}],
    "group": [{"type": "parallel_group", "steps": [1, {"type": "delay", "dependsOn": "x"}]}],
    "scatter": [{"type": "scatter_gather", "scatter": {"steps": {"a": 1}}, "gather": "x"}],
    "within": [{"type": "sub_workflow", "workflowSteps": [{"type": "sub_workflow"}, 5]}],
    "deep steps": nested(20),
    "deep condition": [{"type": "conditional", "condition": {"not": {"not": {"not": "{{"}}}}],
    "braces": [{"type": "summarize", "operation": "{{" * 20_000}],
    "key": {"workflow_steps": [{"type": "summarize"}], "policies": 5, "metadata": [], "inputs": 7},
    "fields": {"pilot_steps": [{"type": "summarize"}], "input_schema": [1, {"name": "\u0000x"}]},
}


@pytest.mark.capability(175)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_older_workflow_is_refused_in_words(one, world, superuser, browse, name):
    written = HOSTILE[name]
    told = one.post("/workflows/validate", {"document": written})
    assert told.status_code in {200, 400, 422}, told.text
    made = one.post("/agents", {"name": "Old", "document": written})
    assert made.status_code in {400, 422}, made.text
    if name == "fields":  # no such text gets into the database
        return
    wp.switch_on()
    agent = store(superuser, world.operator, written)
    assert one.post(f"/agents/{agent}/executions", {"inputs": {}}).status_code in {409, 422}
    for url in ("", "/versions/1", "/forecast", "/export"):
        assert one.get(f"/agents/{agent}{url}").status_code == 200
    operator = browse(world.operator)
    for url in ("", ".json", "/workflow", "/workflow.json", "/workflow/edit", "/export"):
        assert operator.get(f"/agents/{agent}{url}").status_code == 200, url
