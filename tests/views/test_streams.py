"""Live pages: nothing is lost on the way, and nobody follows who may not."""

import re
import threading
import time
from http.client import HTTPConnection
from threading import Thread
from urllib.parse import urlsplit

import pytest

from pilot import progress
from pilot.engine.life import executions
from pilot.engine.people import users
from pilot.reports import standing
from pilot.views import execution as page
from pilot.views import streams, watch
from tests.engine import worker_process as wp
from tests.patience import LONG_S, until

ONE = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}
IDS = re.compile(r"^id: (\d+)$", re.MULTILINE)


class Follower(Thread):
    """A browser that follows a stream: what came, and when."""

    def __init__(self, browser, url, last=None) -> None:
        super().__init__()
        self.open, self.url, self.came = browser.client.get, url, []
        self.headers = {"Last-Event-ID": last} if last else {}
        self.start()

    def run(self):
        for part in self.open(self.url, headers=self.headers).iter_encoded():
            self.came.append((time.monotonic(), part.decode()))

    @property
    def text(self):
        return "".join(part for _, part in list(self.came))

    def until(self, text):
        """Return when the text had come."""
        until(lambda: text in self.text, shown=lambda: self.text[-500:])
        return self.came[-1][0]


@pytest.fixture(autouse=True)
def _watched_alone():
    """Wait for the thread that looked for the test before: its database is gone."""
    for thread in threading.enumerate():
        if thread.name == "watch":
            thread.join(LONG_S)


@pytest.fixture
def execution(world, redis_url):
    progress.configure(redis_url)
    wp.switch_on()
    return wp.start(wp.make_agent(world.operator.id, [ONE]), world.operator.id)


@pytest.fixture
def person(browse, world):
    return browse(world.operator)


@pytest.fixture
def who(world):
    return {"by": world.operator.actor, "user_id": world.operator.id}


def url(execution, after=0):
    return f"/executions/{execution}/stream?after={after}"


@pytest.mark.capability(37)
def test_a_stream_begins_at_once_and_ends_with_the_execution(person, execution, who):
    follower = Follower(person, url(execution))
    follower.until("Queued")
    executions.cancel(execution, **who)
    follower.join(LONG_S)
    assert follower.text.startswith("retry: 2000\n\nid: ")
    assert follower.text.endswith("event: done\ndata:\n\n")
    ids = [int(one) for one in IDS.findall(follower.text)]
    assert ids == sorted(set(ids))


@pytest.mark.capability(37)
def test_what_the_page_shows_already_is_not_sent_again(person, execution, who):
    seq = person.get(f"/executions/{execution}.json").json["event_seq"]
    follower = Follower(person, url(execution, after=1), last=str(seq))
    follower.until("retry")
    time.sleep(0.3)
    assert "data:" not in follower.text
    executions.pause(execution, **who)
    follower.until("by a person")
    executions.cancel(execution, **who)
    follower.join(LONG_S)


@pytest.mark.capability(37)
def test_reconnects_after_every_message_lose_nothing(
    served, person, world, database, redis_url, config
):
    wp.switch_on()
    chain = [ONE | {"id": f"s{n}", "dependencies": [f"s{n - 1}"] if n else []} for n in range(40)]
    execution = wp.start(wp.make_agent(world.operator.id, chain), world.operator.id)
    cookie = person.client.application.config["SIGN_IN_COOKIE"]
    headers = {"Cookie": f"{cookie}={world.operator.sign_in()}"}
    seen, text = [0], ""
    with wp.working(wp.config(database, redis_url, config.data)):
        while len(seen) < 3 or seen[-1] != seen[-2]:  # only an end is told twice
            text = first_message(served, url(execution), headers)
            seen += [int(one) for one in IDS.findall(text)]
            headers["Last-Event-ID"] = str(seen[-1])
    assert seen[:-1] == sorted(set(seen[:-1]))
    assert seen[-1] == person.get(f"/executions/{execution}.json").json["event_seq"]
    assert "40 of 40 steps done" in text


def first_message(served, path, headers):
    """Return a stream's text up to the end of its first message."""
    connection = HTTPConnection(urlsplit(served).netloc, timeout=LONG_S)
    connection.request("GET", path, headers=headers)
    answer, text = connection.getresponse(), ""
    while not re.search(r"^id: .*?\n\n", text, re.DOTALL | re.MULTILINE):
        text += answer.readline().decode()
    connection.close()
    return text


def test_many_changes_in_a_moment_are_few_messages(person, world, execution, database, who):
    follower = Follower(person, url(execution))
    follower.until("Queued")
    for _ in range(20):
        executions.pause(execution, **who)
        executions.resume(execution, **who)
    executions.cancel(execution, **who)
    follower.join(LONG_S)
    gaps = [b - a for (a, _), (b, _) in zip(follower.came[1:], follower.came[2:], strict=False)]
    assert len(IDS.findall(follower.text)) < 20
    assert all(gap > streams.MERGE_S for gap in gaps[:-1])


def test_without_signals_a_change_is_seen_too(person, execution, who):
    progress.configure("redis://127.0.0.1:1/0")  # nobody answers there
    follower = Follower(person, url(execution))
    follower.until("Queued")
    executions.cancel(execution, **who)
    follower.until("Cancelled")
    follower.join(LONG_S)


@pytest.mark.capability(279)
def test_the_stream_of_a_deactivated_person_closes(person, world, execution, monkeypatch):
    monkeypatch.setattr(watch, "SESSION_S", 0.1)
    follower = Follower(person, url(execution))
    follower.until("Queued")
    users.set_active(world.operator.id, False, by=world.admin.actor)
    follower.join(LONG_S)
    assert not follower.is_alive()
    assert "event: done" not in follower.text


@pytest.mark.parametrize("limit", ["MOST_IN_PROCESS", "MOST_OF_USER"])
def test_over_the_cap_a_page_is_told_that_it_is_late(person, execution, who, limit, monkeypatch):
    monkeypatch.setattr(streams, limit, 1)
    first = Follower(person, url(execution))
    first.until("Queued")
    late = Follower(person, url(execution))
    late.join(LONG_S)
    assert late.text.startswith("retry: 10000\n\nid: ")
    assert "Queued" in late.text
    assert late.text.endswith("event: delayed\ndata:\n\n")
    executions.cancel(execution, **who)
    first.join(LONG_S)
    assert Follower(person, url(execution)).until("event: done")


def test_a_quiet_stream_gives_signs_of_life(person, execution, who, monkeypatch):
    monkeypatch.setattr(streams, "PING_S", 0.1)
    follower = Follower(person, url(execution))
    follower.until("event: ping\ndata:\n\n")
    executions.cancel(execution, **who)
    follower.join(LONG_S)


def test_screen_readers_are_told_every_few_seconds_and_at_the_end(person, execution, who):
    follower = Follower(person, url(execution))
    follower.until("Queued")
    executions.pause(execution, **who)
    follower.until("by a person")
    executions.cancel(execution, **who)
    follower.join(LONG_S)
    said = [part.count('id="said"') for _, part in follower.came if part.startswith("id:")]
    assert said == [1, 0, 1]


def test_no_script_attributes_are_pushed(person, execution, who):
    executions.cancel(execution, **who)
    answer = person.get(url(execution))
    assert not re.search(r'\shx-(?!target|swap)[a-z:-]+="', answer.text)
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Cache-Control"] == "no-store"


def test_readers_of_one_kind_share_looks_and_renderings(
    world, browse, execution, who, superuser, monkeypatch
):
    superuser.execute(
        "INSERT INTO agent_grant (agent_id, user_id, owner_id, level) "
        "SELECT agent_id, u.id, owner_id, 'read' FROM execution, app_user u WHERE u.id = ANY (%s)",
        [[world.viewer.id, world.approver.id]],
    )
    rendered = []
    parts = page._parts
    monkeypatch.setattr(page, "_parts", lambda *facts: rendered.append(facts) or parts(*facts))
    people = [*[world.viewer] * 5, *[world.approver] * 5]
    followers = [Follower(browse(person), url(execution)) for person in people]
    for one in followers:
        one.until("Queued")
    rendered.clear()
    executions.cancel(execution, **who)
    for one in followers:
        one.join(LONG_S)
    told = {one.text[one.text.rindex("\nid: ") :] for one in followers}
    assert len(told) == 1
    assert "Cancelled" in told.pop()
    assert len(rendered) == 1


def test_what_one_reader_sees_without_a_signal_wakes_the_others(
    person, execution, who, monkeypatch
):
    progress.configure("redis://127.0.0.1:1/0")  # nobody answers there
    followers = [Follower(person, url(execution)) for _ in range(8)]
    for one in followers:
        one.until("Queued")
    executions.cancel(execution, **who)
    for one in followers:
        one.until("Cancelled")
        one.join(LONG_S)


@pytest.fixture
def another(execution, world):
    return wp.start(wp.make_agent(world.operator.id, [ONE]), world.operator.id)


def test_one_query_looks_at_all_that_is_followed(person, execution, another, who, monkeypatch):
    monkeypatch.setattr(watch, "LOOK_S", 0.05)
    asked, real = [], standing.executions
    looks = lambda session, ids: asked.append(set(ids)) or real(session, ids)  # noqa: E731
    monkeypatch.setattr(standing, "executions", looks)
    followers = [Follower(person, url(one)) for one in (execution, another) for _ in range(3)]
    for one in followers:
        one.until("Queued")
    asked.clear()
    until(lambda: asked.count({execution, another}) >= 4)
    assert (
        len(asked) <= 4 + 2
    )  # a signal of each start may come late: one look, for all its readers
    for one in (execution, another):
        executions.cancel(one, **who)
    for one in followers:
        one.join(LONG_S)


@pytest.mark.capability(279)
def test_streams_end_when_nobody_can_look_at_rights(person, execution, monkeypatch):
    monkeypatch.setattr(watch, "LOOK_S", 0.05)
    follower = Follower(person, url(execution))
    follower.until("Queued")
    monkeypatch.setattr(users, "session_user", lambda *_, **__: 1 / 0)
    monkeypatch.setattr(watch, "SESSION_S", 0)
    follower.join(LONG_S)
    assert not follower.is_alive()
    assert "event: done" not in follower.text


def test_a_browser_that_goes_gives_its_seat_back(served, person, execution, world):
    cookie = person.client.application.config["SIGN_IN_COOKIE"]
    headers = {"Cookie": f"{cookie}={world.operator.sign_in()}"}
    for _ in range(2):
        first_message(served, url(execution), headers)
    until(lambda: not streams.SEATS.taken.total(), streams.PING_S / 2)
