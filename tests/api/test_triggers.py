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
    changed = one.client.put(f"/api/v1{path}", json=other, headers=one.headers)
    assert (changed.status_code, changed.json["version"]) == (200, 2)
    assert changed.json["in_words"].endswith("of any other agent: rejected")
    assert (changed.json["match"], changed.json["about_agent_id"]) == (None, None)
    strange = one.client.put(f"/api/v1{path}", json=BODY | {"event": "moon"}, headers=one.headers)
    assert (strange.status_code, one.get(url).json["items"]) == (422, [changed.json])
    assert one.patch(path, {"active": False}).json["active"] is False
    gone = one.client.delete(f"/api/v1{path}", headers=one.headers)
    assert (gone.json["deleted"], one.get(url).json["items"]) == (True, [])
    refused = one.post(url, {"event": "moon"})
    assert (refused.status_code, refused.json["errors"][0]["path"]) == (422, "/event")
    assert program(world.stranger).post(url, BODY).status_code == 404
