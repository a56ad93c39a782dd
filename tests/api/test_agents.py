"""Agents over the API: listed, read with their workflow, versions; a document is checked."""

import pytest

from tests.engine import worker_process as wp

STEP = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}


@pytest.fixture
def agent(world):
    return wp.make_agent(world.operator.id, [STEP])


@pytest.fixture
def one(program, world):
    return program(world.operator)


def test_an_agent_is_listed_and_read_with_its_workflow(one, agent):
    (row,) = one.get("/agents?q=test").json["items"]
    assert row["id"] == str(agent)
    told = one.get(f"/agents/{agent}").json
    assert told["document"]["steps"] == [STEP]
    assert (told["version"], told["workflow_steps"][0]["id"]) == (1, "one")
    assert [one["number"] for one in one.get(f"/agents/{agent}/versions").json["items"]] == [1]
    assert one.get("/agents?active=false").json["items"] == []


def test_a_document_is_checked_and_nothing_is_stored(one, superuser):
    wrong = {"format": 1, "steps": [{"id": "x", "type": "rocket"}]}
    told = one.post("/workflows/validate", {"document": wrong}).json
    assert (told["valid"], told["issues"][0]["code"]) == (False, "E_UNKNOWN_TYPE")
    good = {"format": 1, "steps": [STEP]}
    assert one.post("/workflows/validate", {"document": good}).json == {"valid": True, "issues": []}
    assert superuser.execute("SELECT count(*) FROM agent").fetchone() == (0,)
