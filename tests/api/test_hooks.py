"""Webhooks over the API: made with a secret that is told once, and answering where they say."""

import pytest
from cryptography.fernet import Fernet

from pilot import vault
from tests.engine import worker_process as wp
from tests.scheduling import STEP


@pytest.fixture(autouse=True)
def key():
    vault.configure([Fernet.generate_key().decode()])
    yield
    vault.configure([])


@pytest.mark.capability(202)
def test_a_webhook_is_made_called_rotated_switched_and_deleted(program, app, world):
    wp.switch_on()
    url = f"/agents/{wp.make_agent(world.operator.id, [STEP])}/hooks"
    one = program(world.operator)
    made = one.post(url, {"proof": "bearer", "match": "payload.kind == 'paid'", "inputs": {}})
    assert (made.status_code, made.json["proof"], made.json["active"]) == (201, "bearer", True)
    (kept,) = one.get(url).json["items"]
    assert kept == {name: value for name, value in made.json.items() if name != "secret"}

    def call(secret, kind="paid"):
        headers = {"Authorization": f"Bearer {secret}"}
        return app.test_client().post(made.json["url"], json={"kind": kind}, headers=headers)

    started = call(made.json["secret"])
    assert started.status_code == 202
    assert call(made.json["secret"], "open").status_code == 200
    assert call("whsec_guess").status_code == 401
    path = f"{url}/{made.json['id']}"
    newer = one.post(f"{path}/rotate").json
    assert (newer["version"], newer["secret"] != made.json["secret"]) == (2, True)
    assert call(newer["secret"]).status_code == 202
    statuses = [came["status"] for came in one.get(f"{url}/deliveries").json["items"]]
    assert statuses == [202, 401, 200, 202]
    assert one.patch(path, {"active": False}).status_code == 428
    etag = one.get(path).headers["ETag"]
    off = one.send("PATCH", path, {"active": False}, etag)
    assert off.json["active"] is False
    late = one.send("DELETE", path, etag=etag)
    assert (late.status_code, late.json["code"]) == (412, "stale")
    assert call(newer["secret"]).status_code == 404
    gone = one.send("DELETE", path, etag=off.headers["ETag"])
    assert (gone.json["deleted"], one.get(url).json["items"]) == (True, [])
    assert one.post(f"{path}/rotate").status_code == 404


def test_what_is_wrong_makes_none_and_others_see_none(program, world):
    url = f"/agents/{wp.make_agent(world.operator.id, [STEP])}/hooks"
    refused = program(world.operator).post(url, {"match": "payload.("})
    assert (refused.status_code, refused.json["errors"][0]["path"]) == (422, "/match")
    assert program(world.operator).get(url).json["items"] == []
    for body in ({}, {"proof": "bearer"}):
        assert program(world.stranger).post(url, body).status_code == 404
    assert program(world.operator, "agents:read").post(url).status_code == 403


def test_its_address_is_the_configured_one_whatever_host_the_request_names(
    program, app, config, world
):
    url = f"/agents/{wp.make_agent(world.operator.id, [STEP])}/hooks"
    one = program(world.operator)
    made = one.post(url, headers={"Host": "evil.test"})
    assert made.json["url"].startswith(f"{config.url}/hooks/")
    one.headers |= {"Host": "evil.test"}
    assert [each["url"] for each in one.get(url).json["items"]] == [made.json["url"]]
