"""Schedules over the API: make, read, change, delete; ETags; what is refused."""

import pytest

from pilot.engine.triggers import triggers
from tests.scheduling import minutes

BODY = {"cron": "0 8 * * 1-5", "zone": "Europe/Berlin"}


@pytest.fixture
def url(timed_agent):
    return f"/agents/{timed_agent}/schedules"


def send(one, method, url, body=None, etag=None):
    headers = one.headers | ({"If-Match": etag} if etag else {})
    return one.client.open(f"/api/v1{url}", method=method, json=body or {}, headers=headers)


@pytest.mark.capability(201)
def test_a_schedule_is_made_read_changed_and_deleted(program, world, url, set_clock):
    one = program(world.operator)
    made = one.post(url, BODY | {"starts_at": "2026-12-01T00:00:00Z"})
    assert (made.status_code, made.json["in_words"]) == (
        201,
        "every weekday at 08:00 Europe/Berlin",
    )
    assert made.json["next_times"][0] == "2026-12-01T08:00:00+01:00"
    path = f"{url}/{made.json['id']}"
    read = one.get(path)
    assert read.json == one.get(url).json["items"][0]
    body = {"every_s": 3600, "active": False}
    assert send(one, "PUT", path, body).status_code == 428
    changed = send(one, "PUT", path, body, read.headers["ETag"])
    assert (changed.status_code, changed.json["active"], changed.json["next_times"]) == (
        200,
        False,
        [],
    )
    assert send(one, "PUT", path, body, read.headers["ETag"]).status_code == 412
    gone = send(one, "DELETE", path, etag=changed.headers["ETag"])
    assert (gone.status_code, one.get(url).json["items"]) == (200, [])


def test_what_it_fired_is_told(program, world, url, schedule, pass_time):
    made = schedule()
    pass_time(*minutes(1, 2))
    items = program(world.operator).get(f"{url}/{made}/fires").json["items"]
    assert [(one["status"], one["execution_status"]) for one in items] == [
        ("skipped", None),
        ("started", "queued"),
    ]


def test_one_past_its_end_says_that_it_is_over(program, browse, world, url, schedule, pass_time):
    schedule(ends_at=minutes(2)[0])
    pass_time(*minutes(3))
    (told,) = program(world.operator).get(url).json["items"]
    assert (told["active"], told["next_times"]) == (True, [])
    assert told["off_reason"] == triggers.OVER
    assert triggers.OVER in browse(world.operator).get(url).text


def test_what_is_wrong_is_named_by_its_field(program, world, url):
    answer = program(world.operator).post(
        url, {"cron": "0 8 31 2 *", "zone": "Mars", "overlap": "x"}
    )
    assert answer.status_code == 422
    assert [one["path"] for one in answer.json["errors"]] == ["/zone", "/overlap", "/cron"]
    assert program(world.operator).post(url, {"starts_at": 5}).status_code == 422
    assert program(world.stranger).post(url, BODY).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"every_s": 3600, "starts_at": "9999-12-31T23:59:59Z"}, "starts_at"),
        ({"cron": "0 8 * * *", "starts_at": "9999-12-31T23:59:59Z"}, "starts_at"),
        ({"every_s": 31622400, "starts_at": "9999-06-01T00:00:00Z"}, "starts_at"),
        ({"every_s": 60, "starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at"),
        ({"every_s": 60, "ends_at": "9999-12-31T23:59:59-14:00"}, "ends_at"),
        (
            {
                "cron": "0 8 * * *",
                "zone": "Pacific/Kiritimati",
                "starts_at": "9999-12-31T00:00:00Z",
            },
            "starts_at",
        ),
    ],
)
def test_a_moment_at_the_end_of_the_calendar_is_refused(program, world, url, body, field):
    answer = program(world.operator).post(url, body)
    assert (answer.status_code, answer.json["errors"][0]["path"]) == (422, f"/{field}")
    assert answer.json["errors"][0]["message"] == f"{field} is a moment from 1900 to 8999."
