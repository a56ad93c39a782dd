"""Links of one use: readable before the step waits, a page for people, an address for programs."""

import hashlib
from urllib.parse import urlsplit

import pytest

from pilot.engine.life import executions, retrying
from pilot.engine.waits import events
from tests.engine import worker_process as wp
from tests.pages import check_looks

SCHEMA = {
    "type": "object",
    "properties": {"amount": {"type": "integer", "title": "Amount"}, "note": {"type": "string"}},
    "required": ["amount"],
}
TELL = {
    "id": "tell",
    "type": "validation",
    "input": "steps.ok.resume_url",
    "rules": [{"condition": True, "message": "It is handed on as it is."}],
}
OK = {"id": "ok", "type": "wait_for_event", "event": "order.ok", "dependencies": ["tell"]}


@pytest.fixture
def worker(database, redis_url, config, app, monkeypatch):
    monkeypatch.setattr("pilot.engine.worker.chores.EVENTS_EVERY_S", 0.2)
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, config.data), hears=True) as resident:
        yield resident


@pytest.fixture
def begin(worker, database, world):
    """Give `begin(steps)`: the execution that waits, and the paths of its links by their step."""

    def begin(steps=(), tells=("tell",), **ok):
        made = list(steps) or [TELL, OK | ok]
        execution = wp.start(wp.make_agent(world.operator.id, made), world.operator.id)
        wp.wait_for(database, execution, {"waiting"})
        told = {path: output for path, _, _, output in wp.attempts(database, execution) if output}
        return execution, *(urlsplit(told[path]["data"]).path for path in tells)

    return begin


@pytest.mark.capability(203)
def test_a_program_resolves_a_step_by_its_link_once(begin, browse, database, superuser):
    execution, link = begin(schema=SCHEMA)
    anybody = browse().client
    stored = superuser.execute("SELECT token_hash, l::text FROM resume_link l").fetchone()
    token = link.rpartition("/")[2]
    assert (len(token), stored[0]) == (43, hashlib.sha256(token.encode()).digest())
    assert token not in stored[1]
    refused = anybody.post(link, json={"amount": "much"})
    assert (refused.status_code, refused.json["errors"][0]["path"]) == (422, "/payload/amount")
    assert anybody.post(link, data="{", content_type="application/json").status_code == 400
    assert wp.row(database, execution)[0] == "waiting"
    assert anybody.post(link, json={"amount": 7, "more": 1}).json == {"resumed": True}
    output = wp.wait_for(database, execution)[1]
    assert output["payload"] == {"amount": 7, "more": 1}
    again = anybody.post(link, json={"amount": 8})
    assert (again.status_code, "used already, on 20" in again.json["detail"]) == (410, True)
    assert anybody.post("/resume/unknown", json={}).status_code == 404
    told = superuser.execute("SELECT record FROM audit WHERE event = 'WAIT_RESOLVED'").fetchone()
    assert '"actor": "link"' in told[0] or '"actor":"link"' in told[0]


def test_a_person_fills_in_its_page(begin, browse, world, database, superuser):
    execution, link = begin(schema=SCHEMA, name="The <b>boss</b>")
    boss = browse(world.approver)
    query = "SELECT l::text, w.resolved_at, w.consumed_at FROM resume_link l, wait w"
    before = superuser.execute(query).fetchall()
    page = boss.get(link).text
    assert "The &lt;b&gt;boss&lt;/b&gt;" in page
    assert superuser.execute(query).fetchall() == before, "looking changes nothing"
    wrong = boss.post(link, {"inputs": "all", "input-amount": "much", "input-note": "Kept"})
    assert (wrong.status_code, 'value="Kept"' in wrong.text) == (422, True)
    done = boss.post(link, {"inputs": "all", "input-amount": "7"})
    assert (done.status_code, "it goes on" in done.text) == (200, True)
    assert wp.wait_for(database, execution)[1]["payload"] == {"amount": 7}
    late = browse().get(link)
    assert (late.status_code, "by Approver" in late.text) == (410, True)


@pytest.mark.capability(204)
def test_what_comes_before_the_step_waits_is_kept(begin, browse, world, database, superuser):
    ask = {"id": "ask", "type": "form", "title": "First", "fields": {"type": "object"}}
    ask["assignees"] = ["role:approver"]
    execution, link = begin(
        [TELL, ask, OK | {"dependencies": ["tell", "ask"], "schema": {"type": "string"}}]
    )
    anybody = browse()
    assert "It will wait" in anybody.get(link).text
    bad = anybody.post(link, {"payload": "{"})
    assert (bad.status_code, "This is no JSON" in bad.text) == (422, True)
    assert "{</textarea>" in bad.text, "what was typed stays"
    assert anybody.post(link, {"payload": '"early"'}).status_code == 200
    assert anybody.post(link, {"payload": '"twice"'}).status_code == 410
    form = superuser.execute("SELECT id FROM approval").fetchone()[0]
    assert browse(world.approver).post(f"/forms/{form}", {"inputs": "all"}).status_code == 303
    assert wp.wait_for(database, execution)[1]["payload"] == "early"


def test_each_round_of_a_loop_has_a_link_of_its_own(begin, browse, database):
    each = {"id": "each", "type": "scatter_gather", "items": [1, 2], "steps": [TELL, OK]}
    execution, first, second = begin([each], tells=("each[0]/tell", "each[1]/tell"))
    anybody = browse().client
    assert first != second
    for link, payload in ((second, "b"), (first, "a")):
        assert anybody.post(link, json=payload).status_code == 200
    items = wp.wait_for(database, execution)[1]["items"]
    assert [one["payload"] for one in items] == ["a", "b"]


def test_a_link_ends_with_its_step(begin, browse, world, database):
    execution, link = begin()
    assert browse().post(link, {"payload": "Fine"}).status_code == 200
    assert wp.wait_for(database, execution)[1]["payload"] == "Fine", "without a schema a text"
    execution, link = begin()
    events.send(events.Sent("order.ok"), by=world.operator.actor, user_id=world.operator.id)
    wp.wait_for(database, execution)
    gone = browse().client.post(link, json=1)
    assert (gone.status_code, "an event came" in gone.json["detail"]) == (410, True)
    other, link = begin()
    executions.cancel(other, by=world.operator.actor, user_id=world.operator.id)
    assert browse().client.post(link, json=1).status_code == 410


@pytest.mark.capability(204)
def test_who_is_asked_anew_gets_another_link(begin, browse, world, database):
    delay = {"id": "later", "type": "delay", "for_s": 1, "dependencies": ["tell"]}
    later = OK | {"dependencies": ["later"]}
    execution, link = begin([TELL, delay, later])
    anybody = browse().client
    assert anybody.post(link, json=1).status_code == 200
    wp.wait_for(database, execution)
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    retrying.from_step(execution, "tell", **who)
    wp.wait_for(database, execution, {"waiting"})
    told = [one[-1] for one in wp.attempts(database, execution) if one[0] == "tell"]
    anew = urlsplit(told[-1]["data"]).path
    assert anew != link
    assert anybody.post(link, json=2).status_code == 410
    assert anybody.post(anew, json=3).status_code == 200, "also before the step waits anew"
    assert wp.wait_for(database, execution)[1]["payload"] == 3


@pytest.mark.browser
def test_axe_finds_nothing_and_nothing_overflows(begin, window, world, superuser):
    """Here and on the page of a form."""
    ask = {"id": "ask", "type": "form", "title": "May it?", "fields": SCHEMA}
    _, link = begin([TELL, ask | {"assignees": ["role:approver"]}, OK | {"schema": SCHEMA}])
    form = superuser.execute("SELECT id FROM approval").fetchone()[0]
    page = window(world.approver, bypass_csp=True)
    for url, name in ((link, "Go on"), (f"/forms/{form}", "Submit")):
        page.goto(url)
        page.get_by_label("Amount").fill("much")
        page.get_by_role("button", name=name).click()
        page.get_by_role("alert").wait_for()
        check_looks(page)
