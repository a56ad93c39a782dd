"""Executions over the API: started once, listed in pages, followed, paused, resumed, cancelled."""

import json

import pytest

from pilot import db, progress
from pilot.engine.agents import agents
from pilot.engine.people import api_tokens
from pilot.views import watch
from tests.engine import worker_process as wp

STEP = {"id": "one", "type": "transform", "operation": "set", "config": {"value": "{{inputs.n}}"}}
INPUTS = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
REST = {"id": "rest", "type": "delay", "for_s": 600}
NO_VERSION = 2**53  # which is no integer of the database


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


def test_a_start_that_does_not_wait_says_202_whatever_came_of_it(worker, one, world):
    wp.switch_on()
    stop = {"id": "s", "type": "stop", "outcome": "failed", "message": "no"}
    url = f"/agents/{wp.make_agent(world.operator.id, [stop])}/executions"
    header = {"Idempotency-Key": "once"}
    first = one.post(url, {}, header)
    ended = one.get(f"/executions/{first.json['execution_id']}/result?wait=20").json
    assert (first.status_code, ended["success"]) == (202, False)
    again = one.post(url, {}, header)
    assert (again.status_code, again.json["execution_id"]) == (202, first.json["execution_id"])
    assert one.post(f"{url}?wait=20", {}).status_code == 500


@pytest.mark.capability(8, 174, 266)
def test_what_stands_in_the_way_refuses_the_start_with_step_and_link(one, world, superuser):
    wp.switch_on()
    read = {"id": "read", "type": "action", "plugin": "mail", "action": "search", "params": {}}
    refused = wp.make_agent(world.operator.id, [read | {"connection": "Sales"}], inputs=INPUTS)
    answer = one.post(f"/agents/{refused}/executions", {}, {"Idempotency-Key": "k"})
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    names = ("code", "step", "path", "link")
    assert [tuple(issue[name] for name in names) for issue in answer.json["errors"]] == [
        ("E_INPUT_MISSING", "", "/n", f"/agents/{refused}#start"),
        ("E_NOT_CONNECTED", "read", "/steps/0/connection", "/connections"),
    ]
    assert superuser.execute("SELECT count(*) FROM execution").fetchone() == (0,)


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


@pytest.mark.capability(217)
def test_a_retry_starts_at_a_step_once_its_receipt_was_read(one, agent, worker, program, world):
    made = one.post(f"/agents/{agent}/executions?wait=20", {"inputs": {"n": 5}}).json
    url = f"/executions/{made['execution_id']}"
    receipt = one.get(f"{url}/receipt?kind=retry&from_step=one").json
    assert (receipt["reused"], receipt["runs"], receipt["repeats"]) == ([], ["one"], [])
    assert one.get(f"{url}/receipt?kind=retry&from_step=nowhere").status_code == 404
    body = {"from_step": "one", "sequence": receipt["sequence"]}
    assert program(world.viewer).post(f"{url}/retry", body).status_code in {403, 404}
    again = {"headers": {"Idempotency-Key": "again"}}
    for _ in range(2):
        assert one.post(f"{url}/retry", body, **again).status_code == 200
    assert one.get(f"{url}/result?wait=20").json["status"] == "completed"
    (step,) = one.get(url).json["steps"]
    assert [attempt["status"] for attempt in step["attempts"]] == ["replaced", "completed"]


@pytest.mark.capability(217, 254)
def test_a_fork_says_what_it_reuses_and_begins_once(one, agent, worker, program, world):
    made = one.post(f"/agents/{agent}/executions?wait=20", {"inputs": {"n": 5}}).json
    url = f"/executions/{made['execution_id']}/fork"
    receipt = one.post(f"{url}/receipt", {"inputs": {"n": 6}}).json
    assert (receipt["reused"], receipt["runs"]) == ([], ["one"])
    again = {"headers": {"Idempotency-Key": "again"}}
    body = {"inputs": {"n": 6}, "sequence": receipt["sequence"]}
    found = {one.post(url, body, **again).json["execution_id"] for _ in range(2)}
    assert len(found) == 1
    (new,) = found
    assert one.get(f"/executions/{new}/result?wait=20").json["output"] == 6
    assert one.get(f"/executions/{new}").json["forked_from"] == made["execution_id"]
    assert one.post(f"{url}/receipt").json["reused"] == ["one"]
    for asked in (url, f"{url}/receipt"):
        assert one.post(asked, {"version": NO_VERSION}).status_code == 422
    assert program(world.stranger).post(url).status_code == 404
    assert program(world.viewer).post(url).status_code == 403


@pytest.mark.capability(219)
def test_a_queued_one_moves_to_another_version_if_it_fits(one, agent, world):
    execution = wp.start(agent, world.operator.id, n=5)
    url = f"/executions/{execution}/migrate"
    assert one.post(f"{url}/receipt").status_code == 409
    assert one.post(url, {"version": NO_VERSION}).status_code == 422
    document = {"format": 1, "name": "Test", "inputs": INPUTS, "steps": [STEP, REST]}
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    agents.save_version(agent, document, reason="Rest.", base=1, **who)
    receipt = one.post(f"{url}/receipt").json
    assert (receipt["reused"], receipt["runs"]) == ([], ["one", "rest"])
    assert one.post(url, {"sequence": receipt["sequence"] + 1}).status_code == 409
    assert one.post(url, {"sequence": receipt["sequence"]}).json["status"] == "queued"


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


@pytest.mark.capability(218)
def test_a_start_may_name_an_earlier_version(one, agent, world):
    document = {"format": 1, "name": "Test", "steps": [STEP | {"config": {"value": 2}}]}
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    agents.save_version(agent, document, reason="Two.", base=1, **who)
    url, key = f"/agents/{agent}/executions", {"Idempotency-Key": "of 1"}
    newest, first = one.post(url), one.post(url, {"inputs": {"n": 1}, "version": 1}, key)
    for begun, number in ((newest, 2), (first, 1)):
        told = one.get(f"/executions/{begun.json['execution_id']}").json
        assert told["version_number"] == number
    assert one.post(url, {"version": 1}).json["errors"][0]["path"] == "/n"
    assert one.post(url, {"inputs": {"n": 1}}, key).status_code == 422
    assert one.post(url, {"version": 3}).status_code == 404
    assert one.post(url, {"version": NO_VERSION}).status_code == 422


def test_a_budget_and_a_mode_come_with_the_start(one, agent):
    body = {"inputs": {"n": 1}, "mode": "test", "budget_usd": "0.25"}
    execution = one.post(f"/agents/{agent}/executions", body).json["execution_id"]
    told = one.get(f"/executions/{execution}").json
    assert (told["mode"], told["trigger"]) == ("test", "api")
    assert told["budget_usd"]["amount"] == "0.250000000000"
    assert one.post(f"/agents/{agent}/executions", body | {"budget_usd": "x"}).status_code == 422


def messages(text):
    return [
        dict(line.split(": ", 1) for line in part.splitlines() if ": " in line)
        for part in text.split("\n\n")
        if part
    ]


def test_events_are_a_stream_for_who_accepts_one(one, agent, redis_url):
    progress.configure(redis_url)
    execution = one.post(f"/agents/{agent}/executions", {"inputs": {"n": 1}}).json["execution_id"]
    one.post(f"/executions/{execution}/cancel")
    url, kind = f"/api/v1/executions/{execution}/events", {"Accept": "text/event-stream"}
    answer = one.client.get(url, headers=one.headers | kind)
    assert answer.mimetype == "text/event-stream"
    told = messages(answer.text)
    known = one.get(f"/executions/{execution}/events").json["items"]
    assert [json.loads(each["data"]) for each in told if "data" in each] == known
    assert [each["id"] for each in told if "id" in each] == [str(each["seq"]) for each in known]
    assert told[-1] == {"event": "done"}
    late = kind | {"Last-Event-ID": str(known[0]["seq"])}
    rest = messages(one.client.get(url, headers=one.headers | late).text)
    assert [each["id"] for each in rest if "id" in each] == [str(e["seq"]) for e in known[1:]]


def test_a_stream_ends_once_its_token_is_revoked(one, agent, world, redis_url, monkeypatch):
    progress.configure(redis_url)
    monkeypatch.setattr(watch, "SESSION_S", 0)
    execution = one.post(f"/agents/{agent}/executions", {"inputs": {"n": 1}}).json["execution_id"]
    headers = one.headers | {"Accept": "text/event-stream"}
    url = f"/api/v1/executions/{execution}/events"
    with one.client.get(url, headers=headers, buffered=False) as answer:
        parts = iter(answer.response)
        while b"id: " not in (part := next(parts)) and "id: " not in str(part):
            pass
        with db.reading(world.operator.id) as session:
            (token,) = api_tokens.listed(session)
        api_tokens.revoke(token.id, owner_id=world.operator.id, by=world.operator.actor)
        assert not [part for part in parts if "id: " in str(part)]


def test_outputs_why_and_forecast_of_one(one, agent, world):
    wp.switch_on()
    rest = wp.make_agent(world.operator.id, [REST])
    url = f"/executions/{one.post(f'/agents/{rest}/executions').json['execution_id']}"
    alone = "for a worker: none is there, start one"
    assert one.get(f"{url}/why").json == {"status": "queued", "why": alone}
    one.post(f"{url}/pause")
    assert one.get(f"{url}/why").json == {"status": "paused", "why": "by a person"}
    assert one.get(f"{url}/outputs").json == {"output": None, "steps": {}}
    told = one.get(f"{url}/forecast").json
    assert (told["forecast"]["timers"], told["cost_usd"]["amount"]) == (1, "0")


def test_an_answer_needs_an_open_question(one, agent):
    execution = one.post(f"/agents/{agent}/executions", {"inputs": {"n": 1}}).json["execution_id"]
    body = {"path": "one", "said": "skip"}
    assert one.post(f"/executions/{execution}/answer", body).status_code == 409
    assert one.post(f"/executions/{execution}/answer", body | {"said": "maybe"}).status_code == 422


def test_one_key_is_for_one_press_and_one_answer(one, agent, world, superuser):
    execution = one.post(f"/agents/{agent}/executions", {"inputs": {"n": 1}}).json["execution_id"]
    url, keyed = f"/executions/{execution}", {"Idempotency-Key": "p"}
    for _ in range(2):
        assert one.post(f"{url}/pause", headers=keyed).json["status"] == "paused"
    refused = one.post(f"{url}/cancel", headers=keyed)
    assert refused.status_code == 422
    assert refused.json["errors"][0]["code"] == "idempotency_key_reused"
    superuser.execute("UPDATE execution SET status = 'needs_attention'")
    superuser.execute(
        "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, fence, "
        "started_at) SELECT %s, path, 1, %s, 'transform', 'unknown', 1, now() "
        "FROM unnest(ARRAY['one', 'two']) AS path",
        [execution, world.operator.id],
    )
    body, keyed = {"path": "one", "said": "skip"}, {"Idempotency-Key": "a"}
    for _ in range(2):
        assert one.post(f"{url}/answer", body, keyed).status_code == 200
    assert one.post(f"{url}/answer", body | {"path": "two"}, keyed).status_code == 422


@pytest.mark.capability(214)
def test_a_key_is_of_one_receipt(one, agent):
    execution = one.post(f"/agents/{agent}/executions", {"inputs": {"n": 1}}).json["execution_id"]
    url, keyed = f"/executions/{execution}", {"Idempotency-Key": "r"}
    one.post(f"{url}/pause")
    seen = one.get(f"{url}/receipt").json["sequence"]
    for _ in range(2):
        assert one.post(f"{url}/resume", {"sequence": seen}, keyed).status_code == 200
    assert one.post(f"{url}/resume", {"sequence": seen + 1}, keyed).status_code == 422
    keyed = {"Idempotency-Key": "f"}
    seen = one.get(f"{url}").json["event_seq"]
    for _ in range(2):
        assert one.post(f"{url}/fork", {"sequence": seen}, keyed).status_code == 202
    assert one.post(f"{url}/fork", {"sequence": seen + 1}, keyed).status_code == 422


@pytest.mark.capability(310)
def test_a_large_output_is_a_digest_and_whole_at_its_own_address(worker, program, one, world):
    wp.switch_on()
    large = STEP | {"config": {"value": ["{{inputs.text}}"] * 3}}
    given = {"type": "object", "properties": {"text": {"type": "string"}}}
    agent = wp.make_agent(world.operator.id, [large], inputs=given)
    text = "x" * 100_000
    answer = one.post(f"/agents/{agent}/executions?wait=20", {"inputs": {"text": text}})
    assert answer.json["output"]["size_bytes"] == 300_010
    url = f"/executions/{answer.json['execution_id']}"
    assert one.get(f"{url}/outputs").json["steps"]["one"] == answer.json["output"]
    assert one.get(f"{url}/outputs/one").json == one.get(f"{url}/output").json == [text] * 3
    assert one.get(f"{url}/outputs/two").status_code == 404
    for path in ("output", "outputs/one"):
        assert program(world.stranger).get(f"{url}/{path}").status_code == 404
