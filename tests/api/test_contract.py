"""What holds for all operations: keys, ETags, where a 202 goes on, fields by name."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import db, vault
from pilot.engine import idempotency
from pilot.engine.generation import drafts
from tests.engine import worker_process as wp
from tests.scheduling import STEP

BODIES = {
    "schedules": {"every_s": 3600},
    "hooks": {"proof": "bearer"},
    "triggers": {"event": "execution_finished"},
}
TIMES = 6


@pytest.fixture(autouse=True)
def key():
    vault.configure([Fernet.generate_key().decode()])
    yield
    vault.configure([])


@pytest.fixture
def one(program, world):
    wp.switch_on()
    return program(world.operator)


@pytest.fixture
def worker(one, database, redis_url, config):
    with wp.working(wp.config(database, redis_url, config.data)) as resident:
        yield resident


@pytest.fixture
def agent(world):
    return wp.make_agent(world.operator.id, [STEP])


@pytest.mark.parametrize("part", BODIES)
def test_the_same_key_makes_one_and_says_that_it_repeats(one, agent, part):
    url, headers = f"/agents/{agent}/{part}", {"Idempotency-Key": f"once {part}"}
    first, again = (one.post(url, BODIES[part], headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json == first.json | ({"secret": None} if part == "hooks" else {})
    said = [answer.headers.get("Idempotency-Replayed") for answer in (first, again)]
    assert said == [None, "true"]
    assert len(one.get(url).json["items"]) == 1
    other = one.post(url, BODIES[part] | {"inputs": {"a": 1}}, headers=headers)
    assert (other.status_code, other.json["errors"][0]["code"]) == (422, "idempotency_key_reused")


@pytest.fixture
def ended(worker, agent, world, database):
    execution = wp.start(agent, world.operator.id)
    wp.wait_for(database, execution)
    return execution


def repeats(one, url, body, other):
    """Send a body twice with one key, then another one; returns both answers."""
    headers = {"Idempotency-Key": f"once {url}"}
    first, again = (one.post(url, body, headers=headers) for _ in range(2))
    assert first.status_code == again.status_code < 300, first.json
    said = [answer.headers.get("Idempotency-Replayed") for answer in (first, again)]
    assert said == [None, "true"]
    refused = one.post(url, other, headers=headers)
    assert (refused.status_code, refused.json["errors"][0]["code"]) == (
        422,
        "idempotency_key_reused",
    )
    return first.json, again.json


def test_a_version_an_import_a_share_an_event_are_kept_by_their_key(one, agent, world):
    document = {"format": 1, "name": "Test", "steps": [STEP | {"config": {"value": 9}}]}
    body = {"document": document, "reason": "Nine.", "base": 1}
    first, again = repeats(one, f"/agents/{agent}/versions", body, body | {"reason": "Ten."})
    assert (first["version"], again["version"]) == (2, 2)
    text = one.get(f"/agents/{agent}/export").json["text"].replace("name: Test", "name: Else")
    first, again = repeats(
        one, "/agents/import", {"text": text}, {"text": text, "new_version": True}
    )
    assert first == again
    body = {"email": world.viewer.email, "level": "run"}
    first, again = repeats(one, f"/agents/{agent}/shares", body, body | {"level": "read"})
    assert first == again
    first, again = repeats(one, "/events", {"name": "paid", "id": "e"}, {"name": "paid", "id": "f"})
    assert (first["repeated"], again["repeated"]) == (False, True)


def test_a_replay_and_a_simulation_are_kept_by_their_key(one, agent, ended):
    first, again = repeats(one, f"/executions/{ended}/replay", {}, {"version": 1})
    assert (first["id"], first["execution_id"]) == (again["id"], str(ended))
    first, again = repeats(one, f"/agents/{agent}/simulate", {}, {"each": True})
    assert first["id"] == again["id"]


def test_answers_and_the_save_of_a_draft_are_kept_by_their_key(one, config, world):
    drafted = one.post("/generations", {"goal": "Mail me the rows"}).json["id"]
    url = f"/generations/{drafted}"
    given = {"answers": {"a": "b"}}
    first, again = repeats(one, f"{url}/answers", given, {"answers": {"a": "c"}})
    assert first == again
    text = json.dumps({"format": 1, "name": "Rows", "steps": [STEP]})
    drafts.edit(drafted, text, data=config.data, user_id=world.operator.id)
    first, again = repeats(one, f"{url}/accept", {"name": "Rows"}, {"name": "Other"})
    assert first == again
    headers = {"Idempotency-Key": f"once {url}/answers"}
    assert one.post(f"{url}/answers", given, headers=headers).status_code == 200


@contextmanager
def held(person, key):
    """Let another request have the key, as long as this lasts."""
    with Session(db.engine()) as session:
        db.act_as(session, person.id)
        idempotency.open_request(session, person.id, key, "execution.start", {})
        yield session.rollback


@pytest.mark.capability(214)
def test_a_key_whose_first_request_goes_on_is_in_progress_until_that_ends(one, agent, world):
    url, headers = f"/agents/{agent}/executions", {"Idempotency-Key": "slow"}
    with held(world.operator, "slow") as dies:
        begun = time.monotonic()
        late = one.post(url, {}, headers=headers)
        assert time.monotonic() - begun > 1.9
        assert (late.status_code, late.json["code"]) == (409, "in_progress")
        assert (late.mimetype, late.headers["Retry-After"]) == ("application/problem+json", "1")
        with ThreadPoolExecutor(1) as pool:
            soon = pool.submit(one.post, url, {}, headers=headers)
            time.sleep(0.3)
            dies()
            assert soon.result().status_code == 202
    assert one.post(url, {}, headers=headers).headers["Idempotency-Replayed"] == "true"


def test_a_key_changes_how_long_locks_are_waited_for_only_until_it_is_taken(world):
    with Session(db.engine()) as session:
        db.act_as(session, world.operator.id)
        idempotency.open_request(session, world.operator.id, "k", "route", {})
        assert session.scalar(text("SHOW lock_timeout")) == db.LOCK_TIMEOUT


@pytest.mark.parametrize("part", BODIES)
def test_what_is_known_by_its_etag_is_not_told_again(one, agent, part):
    made = one.post(f"/agents/{agent}/{part}", BODIES[part])
    url, etag = f"/agents/{agent}/{part}/{made.json['id']}", made.headers["ETag"]
    known = one.get(url, headers={"If-None-Match": etag})
    assert (known.status_code, known.data, known.headers["ETag"]) == (304, b"", etag)
    assert one.get(url, headers={"If-None-Match": '"other"'}).status_code == 200


def told(spec, operation, status):
    """Return the members of an answer and its headers, as described."""
    answers = next(
        one["responses"]
        for methods in spec["paths"].values()
        for one in methods.values()
        if one["operationId"] == operation
    )
    name = answers[status]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return set(spec["components"]["schemas"][name]["properties"]), answers[status]["headers"]


@pytest.mark.capability(229)
def test_answers_have_the_members_and_tags_that_are_described(one, agent):
    spec, url = one.get("/openapi.json").json, f"/agents/{agent}"
    document = {"format": 1, "name": "Test", "steps": [STEP | {"config": {"value": 9}}]}
    body = {"document": document, "reason": "Nine.", "base": 1}
    made = one.post(f"{url}/schedules", BODIES["schedules"])
    path = f"{url}/schedules/{made.json['id']}"
    answers = {
        "agents_save_version": one.post(f"{url}/versions", body),
        "agents_diff": one.get(f"{url}/versions/1/diff"),
        "generations_begin": one.post("/generations", {"goal": "Mail me the rows"}),
        "generations_report": one.get("/generations/report"),
        "schedules_create": made,
        "schedules_delete": one.send("DELETE", path, etag=made.headers["ETag"]),
    }
    for operation, answer in answers.items():
        members, headers = told(spec, operation, str(answer.status_code))
        assert set(answer.json) == members, operation
        assert ("ETag" in answer.headers) == ("ETag" in headers), operation


def test_a_start_says_where_it_goes_on_and_whether_it_repeats(one, agent):
    url, headers = f"/agents/{agent}/executions", {"Idempotency-Key": "start"}
    for told in (None, "true"):
        begun = one.post(url, {}, headers=headers)
        assert (begun.status_code, begun.headers.get("Idempotency-Replayed")) == (202, told)
        followed = one.client.get(begun.headers["Location"], headers=one.headers)
        assert followed.json["execution_id"] == begun.json["execution_id"]
    for url, body in ((f"/agents/{agent}/simulate", {}), ("/generations", {"goal": "Mail me"})):
        begun = one.post(url, body)
        followed = one.client.get(begun.headers["Location"], headers=one.headers)
        assert (begun.status_code, followed.json["id"]) == (202, begun.json["id"])


def test_what_was_made_is_found_where_its_answer_says(one, agent):
    url = f"/agents/{agent}"
    document = {"format": 1, "name": "Test", "steps": [STEP | {"config": {"value": 9}}]}
    made = one.post("/agents", {"name": "Test", "document": document})
    saved = one.post(f"{url}/versions", {"document": document, "reason": "Nine.", "base": 1})
    assert saved.headers["Location"] == f"/api/v1{url}/versions/2"
    exported = one.get(f"{url}/export").json["text"]
    answers = [
        made,
        one.post(f"{url}/duplicate", {}),
        one.post("/agents/import", {"text": exported.replace("Test", "Another")}),
        *(one.post(f"{url}/{part}", body) for part, body in BODIES.items()),
    ]
    for answer in answers:
        found = one.client.get(answer.headers["Location"], headers=one.headers)
        assert (answer.status_code, found.status_code) == (201, 200)
        assert found.json["id"] == answer.json["id"]


@pytest.mark.parametrize("name", ["steps", "data"])
def test_a_start_with_a_workflow_is_refused(one, agent, name):
    answer = one.post(f"/agents/{agent}/executions", {name: [STEP]})
    assert (answer.status_code, answer.json["code"]) == (400, "bad_json")
    assert one.get("/executions").json["items"] == []


def test_an_unknown_field_is_named_with_those_that_there_are(one, agent):
    (error,) = one.post(f"/agents/{agent}/executions", {"moon": 1}).json["errors"]
    known = "mode, inputs, prompt, version, simple, budget_usd"
    assert error["message"] == f"There is no field moon; the fields are: {known}."
    assert error["fix"] == [{"op": "remove", "path": "/moon"}]
    body = {"action": "cancel", "filters": {"a/b": 1}}
    (inner,) = one.post("/executions/bulk", body).json["errors"]
    assert (inner["path"], "status" in inner["expected"]) == ("/filters/a~1b", True)


def at_once(send):
    with ThreadPoolExecutor(TIMES) as pool:
        return sorted(answer.status_code for answer in pool.map(send, range(TIMES)))


def test_of_equal_changes_at_once_one_is_made_and_the_others_are_late(app, one, agent):
    def changes(method, url, body):
        etag = one.get(url).headers["ETag"]
        headers = one.headers | {"If-Match": etag}

        def send(number):
            more = {"json": body(number), "headers": headers}
            return app.test_client().open(f"/api/v1{url}", method=method, **more)

        assert at_once(send) == [200] + [412] * (TIMES - 1)

    changes("PATCH", f"/agents/{agent}", lambda number: {"active": number % 2 == 0})
    made = one.post(f"/agents/{agent}/schedules", BODIES["schedules"]).json["id"]
    url = f"/agents/{agent}/schedules/{made}"
    changes("PUT", url, lambda number: {"every_s": 3600 + number, "active": number % 2 == 0})
