"""Events that start agents, over the API."""

import pytest

from tests.engine import worker_process as wp
from tests.scheduling import STEP

BODY = {"event": "execution_finished", "statuses": ["failed"], "match": "payload.cost_usd != '1'"}


@pytest.mark.capability(203)
def test_a_trigger_is_made_switched_and_deleted(program, world, timed_agent):
    url = f"/agents/{wp.make_agent(world.operator.id, [STEP])}/triggers"
    one = program(world.operator)
    made = one.post(url, BODY | {"about_agent_id": str(timed_agent)})
    assert (made.status_code, made.json["in_words"]) == (201, "after an execution of Test: failed")
    assert one.get(url).json["items"] == [made.json]
    path = f"{url}/{made.json['id']}"
    other = {"event": "approval_decided", "statuses": ["rejected"]}
    assert one.send("PUT", path, other).status_code == 428
    etag = one.get(path).headers["ETag"]
    changed = one.send("PUT", path, other, etag)
    assert one.send("PUT", path, other, etag).status_code == 412
    etag = changed.headers["ETag"]
    assert (changed.status_code, changed.json["version"]) == (200, 2)
    assert changed.json["in_words"].endswith("of any other agent: rejected")
    assert (changed.json["match"], changed.json["about_agent_id"]) == (None, None)
    strange = one.send("PUT", path, BODY | {"event": "moon"}, etag)
    assert (strange.status_code, one.get(url).json["items"]) == (422, [changed.json])
    off = one.send("PATCH", path, {"active": False}, etag)
    assert off.json["active"] is False
    assert one.send("DELETE", path, etag=etag).status_code == 412
    gone = one.send("DELETE", path, etag=off.headers["ETag"])
    assert (gone.json["deleted"], one.get(url).json["items"]) == (True, [])
    refused = one.post(url, {"event": "moon"})
    assert (refused.status_code, refused.json["errors"][0]["path"]) == (422, "/event")
    assert program(world.stranger).post(url, BODY).status_code == 404


def test_a_token_for_one_agent_follows_no_other(program, world, timed_agent):
    mine = wp.make_agent(world.operator.id, [STEP])
    one = program(world.operator, agent_ids=[mine])
    other = one.post(f"/agents/{mine}/triggers", BODY | {"about_agent_id": str(timed_agent)})
    assert (other.status_code, other.json["code"]) == (404, "not_found")
    assert one.post(f"/agents/{mine}/triggers", BODY).status_code == 403
    assert one.get(f"/agents/{mine}/triggers").json["items"] == []
