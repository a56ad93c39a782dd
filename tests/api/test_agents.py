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
    assert (stale.status_code, stale.json["present"]) == (412, one.get(url).json)
    etag = one.get(url).headers["ETag"]
    changed = {"prompt": "Sum it up", "tags": ["daily"]}
    assert one.patch(url, changed, {"If-Match": etag}).status_code == 200
    assert changed.items() <= one.get(url).json.items()
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


def test_a_version_is_read_compared_and_restored(one, agent):
    url = f"/agents/{agent}"
    document = one.get(url).json["document"]
    other = document | {"steps": [STEP | {"config": {"value": 2}}]}
    one.post(f"{url}/versions", {"document": other, "reason": "Two", "base": 1})
    told = one.get(f"{url}/versions/1").json
    assert (told["number"], told["document"]["steps"]) == (1, [STEP])
    differs = one.get(f"{url}/versions/1/diff").json
    assert (differs["from"], differs["to"], differs["document"]) == (1, 2, [])
    (change,) = differs["steps"][0]["changes"]
    assert (change["field"], change["before"], change["after"]) == ("/config/value", "1", "2")
    assert one.get(f"{url}/versions/2/diff?to=2").json["steps"] == []
    keyed = {"Idempotency-Key": "r"}
    back = one.post(f"{url}/versions/1/restore", headers=keyed)
    assert (back.status_code, back.json["version"]) == (201, 3)
    one.post(f"{url}/versions/2/restore")
    again = one.post(f"{url}/versions/1/restore", headers=keyed)
    assert (again.status_code, again.json["version"]) == (201, 4)
    assert one.post(f"{url}/versions/2/restore", headers=keyed).status_code == 422
    assert back.json["document"]["steps"] == [STEP]
    page = one.get(f"{url}/versions?limit=2").json
    rest = one.get(f"{url}/versions?limit=2&cursor={page['next']}").json
    numbers = [each["number"] for part in (page, rest) for each in part["items"]]
    assert (numbers, rest["next"]) == ([4, 3, 2, 1], None)
    for wrong in ("versions/9", "versions/9/diff", "versions/1/diff?to=9"):
        assert one.get(f"{url}/{wrong}").status_code == 404, wrong


def test_an_agent_is_duplicated_once_per_key(one, agent):
    first = one.post(f"/agents/{agent}/duplicate", headers={"Idempotency-Key": "d"})
    again = one.post(f"/agents/{agent}/duplicate", headers={"Idempotency-Key": "d"})
    assert (first.status_code, first.json["name"]) == (201, "Copy of Test")
    assert again.json["id"] == first.json["id"] != str(agent)


def test_the_same_key_makes_one_agent(one, superuser):
    new = {"name": "Nightly", "document": {"format": 1, "steps": [STEP]}}
    made = [one.post("/agents", new, {"Idempotency-Key": "n"}).json["id"] for _ in range(2)]
    assert made[0] == made[1]
    assert one.post("/agents", new | {"name": "B"}, {"Idempotency-Key": "n"}).status_code == 422
    assert superuser.execute("SELECT count(*) FROM agent").fetchone() == (1,)


def test_an_archived_agent_is_on_no_list_and_leaves_its_executions(one, agent, world):
    wp.switch_on()
    execution = wp.start(agent, world.operator.id)
    assert one.post(f"/agents/{agent}/archive").json["present"] == {"under_way": 1}
    one.post(f"/executions/{execution}/cancel")
    key = {"Idempotency-Key": "a"}
    for _ in range(2):
        assert one.post(f"/agents/{agent}/archive", headers=key).json["archived"]
    assert one.get(f"/agents/{agent}").status_code == 404
    assert one.get("/agents").json["items"] == []
    assert one.post(f"/agents/{agent}/executions").status_code == 404
    assert one.get(f"/executions/{execution}").json["status"] == "cancelled"


def test_what_an_execution_will_take_is_foretold(one, agent):
    told = one.get(f"/agents/{agent}/forecast").json["forecast"]
    assert (told["asks"], told["likely_usd"]["amount"]) == (0, "0")
