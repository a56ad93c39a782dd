"""Agents shared, exported and imported over the API."""

import pytest

from pilot.engine.agents import sharing
from pilot.engine.agents.access import Level
from pilot.errors import StaleError
from tests.engine import worker_process as wp

STEP = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}


@pytest.fixture
def agent(world):
    return wp.make_agent(world.operator.id, [STEP])


@pytest.fixture
def one(program, world):
    return program(world.operator)


@pytest.mark.capability(226)
def test_an_agent_is_shared_listed_and_taken_back(one, program, agent, world):
    url, theirs = f"/agents/{agent}/shares", program(world.viewer)
    assert theirs.get(f"/agents/{agent}").status_code == 404
    for level in ("read", "run", "run"):
        given = one.post(url, {"email": f" {world.viewer.email.upper()}", "level": level})
        assert (given.status_code, given.json["level"]) == (200, level)
    assert one.get(url).json["items"] == [given.json]
    assert theirs.get(f"/agents/{agent}").status_code == 200
    for wrong, path in (("level", "all"), ("email", "nobody@pilot.test")):
        body = {"email": world.viewer.email, "level": "read"} | {wrong: path}
        refused = one.post(url, body)
        assert (refused.status_code, refused.json["errors"][0]["path"]) == (422, f"/{wrong}")
    path = f"{url}/{world.viewer.id}"
    etag = one.get(path).headers["ETag"]
    assert one.send("DELETE", path, etag=etag).json["shared"] is False
    assert one.send("DELETE", path, etag=etag).status_code == 404
    assert theirs.get(f"/agents/{agent}").status_code == 404
    assert program(world.stranger).get(url).status_code == 404


def test_a_share_is_taken_back_as_it_was_read(one, agent, world):
    url, person = f"/agents/{agent}/shares", world.viewer
    etag = one.post(url, {"email": person.email, "level": "read"}).headers["ETag"]
    path = f"{url}/{person.id}"
    read = one.get(path)
    assert (read.json["level"], read.headers["ETag"]) == ("read", etag)
    assert one.get(path, headers={"If-None-Match": etag}).status_code == 304
    one.post(url, {"email": person.email, "level": "run"})
    assert one.send("DELETE", path).status_code == 428
    late = one.send("DELETE", path, etag=etag)
    assert (late.status_code, late.json["present"]["level"]) == (412, "run")
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    with pytest.raises(StaleError):
        sharing.unshare(agent, person.id, seen=Level.READ, **who)
    assert one.get(f"{url}/{world.admin.id}").status_code == 404


@pytest.mark.capability(226)
def test_only_the_owner_shares(program, one, agent, world):
    body = {"email": world.stranger.email, "level": "run"}
    assert one.post(f"/agents/{agent}/shares", body).status_code == 200
    guest = program(world.stranger)
    body = {"email": world.admin.email, "level": "read"}
    assert guest.post(f"/agents/{agent}/shares", body).status_code == 403
    assert [each["email"] for each in guest.get(f"/agents/{agent}/shares").json["items"]] == [
        world.stranger.email
    ]


def test_what_was_exported_comes_in_once_and_switched_off(one, program, agent, world):
    text = one.get(f"/agents/{agent}/export").json["text"]
    body = {"text": text, "new_version": False}
    assert one.post("/agents/import", body).status_code == 409
    theirs = program(world.stranger)
    made = theirs.post("/agents/import", body)
    assert made.status_code == 201
    assert (made.json["version"], made.json["active"]) == (1, False)
    assert theirs.get(f"/agents/{made.json['id']}/export").json["text"] == text
    again = theirs.post("/agents/import", body | {"new_version": True})
    assert again.json["id"] == made.json["id"]
    for wrong in ("{", "pilot: 2"):
        assert theirs.post("/agents/import", body | {"text": wrong}).status_code == 422, wrong
    half = {"data": r'{"text": "\ud800"}', "content_type": "application/json"}
    refused = theirs.client.post("/api/v1/agents/import", headers=theirs.headers, **half)
    assert refused.status_code in {400, 422}
