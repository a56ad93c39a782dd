"""Executions over the API: started once, listed in pages, followed, paused, resumed, cancelled."""

import pytest

from tests.engine import worker_process as wp

STEP = {"id": "one", "type": "transform", "operation": "set", "config": {"value": "{{inputs.n}}"}}
INPUTS = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
REST = {"id": "rest", "type": "delay", "for_s": 600}


@pytest.fixture
def agent(world):
    wp.switch_on()
    return wp.make_agent(world.operator.id, [STEP], inputs=INPUTS)


@pytest.fixture
def one(program, world):
    return program(world.operator)


@pytest.fixture
def worker(database, redis_url, config):
    with wp.working(wp.config(database, redis_url, config.data)) as resident:
        yield resident


def test_the_same_key_starts_once_and_another_body_is_refused(one, agent):
    url, header = f"/agents/{agent}/executions", {"Idempotency-Key": "a-1"}
    first = one.post(url, {"inputs": {"n": 1}}, header)
    assert (first.status_code, first.json["status"]) == (202, "queued")
    again = one.post(url, {"inputs": {"n": 1}}, header)
    assert again.json["execution_id"] == first.json["execution_id"]
    assert one.post(url, {"inputs": {"n": 2}}, header).status_code == 422


@pytest.mark.capability(10)
def test_a_start_that_waits_answers_with_the_result(worker, one, agent):
    answer = one.post(f"/agents/{agent}/executions?wait=20", {"inputs": {"n": 7}})
    assert (answer.status_code, answer.json["success"], answer.json["output"]) == (200, True, 7)
    execution = answer.json["execution_id"]
    whole = one.get(f"/executions/{execution}").json
    assert [step["status"] for step in whole["steps"]] == ["completed"]
    kinds = [
        line["data"].get("status")
        for line in one.get(f"/executions/{execution}/events").json["items"]
    ]
    assert kinds[0] == "queued"
    assert kinds[-1] == "completed"


def test_missing_inputs_are_named(one, agent):
    answer = one.post(f"/agents/{agent}/executions", {})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["path"] == "/n"


def test_pause_receipt_resume_and_cancel(one, world):
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, [REST])
    url = f"/executions/{one.post(f'/agents/{agent}/executions').json['execution_id']}"
    assert one.post(f"{url}/pause").json["status"] == "paused"
    assert one.post(f"{url}/pause").status_code == 409
    sequence = one.get(f"{url}/receipt").json["sequence"]
    assert one.post(f"{url}/resume", {"sequence": sequence - 1}).status_code == 409
    assert one.post(f"{url}/resume", {"sequence": sequence}).json["status"] == "queued"
    assert one.post(f"{url}/cancel").json["status"] == "cancelled"
    assert one.post(f"{url}/retry").status_code == 409


def test_a_list_goes_on_where_the_page_before_ended(one, agent):
    made = [
        one.post(f"/agents/{agent}/executions", {"inputs": {"n": n}}).json["execution_id"]
        for n in range(5)
    ]
    first = one.get("/executions?limit=3").json
    second = one.get(f"/executions?limit=3&cursor={first['next']}").json
    assert [row["id"] for row in first["items"] + second["items"]] == made[::-1]
    assert second["next"] is None
    assert one.get(f"/executions?status=failed&cursor={first['next']}").status_code == 422
    assert one.get("/executions?cursor=nonsense").status_code == 422


def test_what_a_token_did_is_on_record_with_its_label(one, agent, superuser):
    one.post(f"/agents/{agent}/executions", {"inputs": {"n": 1}})
    query = "SELECT record::json -> 'details' ->> 'program' FROM audit WHERE event = %s"
    assert superuser.execute(query, ["PILOT_EXECUTION_STARTED"]).fetchall() == [("test",)]


def test_a_budget_and_a_mode_come_with_the_start(one, agent):
    body = {"inputs": {"n": 1}, "mode": "test", "budget_usd": "0.25"}
    execution = one.post(f"/agents/{agent}/executions", body).json["execution_id"]
    told = one.get(f"/executions/{execution}").json
    assert (told["mode"], told["trigger"]) == ("test", "api")
    assert told["budget_usd"]["amount"] == "0.250000000000"
    assert one.post(f"/agents/{agent}/executions", body | {"budget_usd": "x"}).status_code == 422
