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


def test_an_agent_is_made_changed_and_versioned(one):
    new = {"name": "Nightly", "document": {"format": 1, "steps": [STEP]}}
    made = one.post("/agents", new)
    assert (made.status_code, made.json["version"]) == (201, 1)
    url, etag = f"/agents/{made.json['id']}", made.headers["ETag"]
    assert one.get(url).headers["ETag"] == etag
    changed = one.patch(url, {"name": "Daily", "active": False}, {"If-Match": etag})
    assert (changed.json["name"], changed.json["active"]) == ("Daily", False)
    off = changed.headers["ETag"]
    on = one.patch(url, {"active": True}, {"If-Match": off})
    assert (on.json["active"], on.headers["ETag"] != off) == (True, True)
    other = {"format": 1, "steps": [STEP | {"config": {"value": 2}}]}
    body = {"document": other, "reason": "Two is right", "base": 1}
    assert one.post(f"{url}/versions", body).json["version"] == 2
    assert one.post(f"{url}/versions", body | {"document": new["document"]}).status_code == 409


def test_a_change_has_to_say_what_it_was_made_from(one, agent):
    url = f"/agents/{agent}"
    etag = one.get(url).headers["ETag"]
    assert one.patch(url, {"name": "A"}).status_code == 428
    assert one.patch(url, {"name": "A"}, {"If-Match": etag}).status_code == 200
    stale = one.patch(url, {"name": "B"}, {"If-Match": etag})
    assert (stale.status_code, stale.json["present"]["name"]) == (412, "A")
    assert one.patch(url, {"colour": 1}, {"If-Match": "*"}).status_code == 422


def test_what_is_known_is_not_sent_again(one, agent):
    url = f"/agents/{agent}"
    etag = one.get(url).headers["ETag"]
    headers = one.headers | {"If-None-Match": etag}
    again = one.client.get(f"/api/v1{url}", headers=headers)
    assert (again.status_code, again.data) == (304, b"")


def test_a_wrong_document_makes_no_agent(one, superuser):
    wrong = {"name": "X", "document": {"format": 1, "steps": [{"id": "x", "type": "rocket"}]}}
    answer = one.post("/agents", wrong)
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "E_UNKNOWN_TYPE")
    assert superuser.execute("SELECT count(*) FROM agent").fetchone() == (0,)
