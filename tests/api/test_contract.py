"""What holds for all operations: keys, ETags, where a 202 goes on, fields by name."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.fernet import Fernet

from pilot import vault
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
def agent(world):
    return wp.make_agent(world.operator.id, [STEP])


@pytest.mark.parametrize("part", BODIES)
def test_the_same_key_makes_one_and_says_that_it_repeats(one, agent, part):
    url, headers = f"/agents/{agent}/{part}", {"Idempotency-Key": f"once {part}"}
    first, again = (one.post(url, BODIES[part], headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json == first.json | ({"secret": None} if part == "hooks" else {})
    told = [answer.headers.get("Idempotency-Replayed") for answer in (first, again)]
    assert told == [None, "true"]
    assert len(one.get(url).json["items"]) == 1
    other = one.post(url, BODIES[part] | {"inputs": {"a": 1}}, headers=headers)
    assert (other.status_code, other.json["errors"][0]["code"]) == (422, "idempotency_key_reused")


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
