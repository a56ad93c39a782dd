"""The page of an agent's schedules: what it shows, the form, the next times while typing."""

import re

import pytest

from pilot.engine.agents import agents
from pilot.engine.triggers import event_triggers
from pilot.engine.triggers.event_triggers import Following
from tests.engine import worker_process as wp
from tests.pages import check_looks
from tests.scheduling import INPUTS, STEP, minutes

WEEKDAYS = {"cron": "0 8 * * 1-5", "zone": "Europe/Berlin", "overlap": "skip", "catch_up": "one"}
SENT = WEEKDAYS | {"unit": "minute"}


@pytest.fixture
def url(timed_agent):
    return f"/agents/{timed_agent}/schedules"


@pytest.mark.capability(201)
def test_a_schedule_is_made_shown_in_words_and_changed(browse, world, url, set_clock):
    browser = browse(world.operator)
    assert "No schedules yet" in browser.get(url).text
    assert browser.post(url, SENT).status_code == 303
    shown = browser.get(url).text
    assert "every weekday at 08:00 Europe/Berlin" in shown
    assert "Mon 23 Nov 2026, 08:00 CET" in shown
    (row,) = browser.get(f"{url}.json").json["schedules"]
    assert row["next_times"][0] == "2026-11-23T08:00:00+01:00"
    form = browser.get(f"{url}/{row['id']}").text
    assert 'value="0 8 * * 1-5"' in form
    assert "every weekday at 08:00 Europe/Berlin" in browser.get("/agents").text
    changed = SENT | {"cron": "", "every": "2", "unit": "hour", "version": "1"}
    assert browser.post(f"{url}/{row['id']}", changed).status_code == 303
    assert "every 2 hours" in browser.get(url).text
    wrong = browser.post(f"{url}/{row['id']}", changed | {"every": "two"})
    assert (wrong.status_code, 'name="version" type="hidden" value="1"' in wrong.text) == (
        422,
        True,
    )
    late = browser.post(f"{url}/{row['id']}", changed | {"every": "3"})
    assert (late.status_code, 'value="3"' in late.text) == (409, True)
    assert "It starts every 2 hours now." in late.text
    seen = re.search(r'name="version" type="hidden" value="(\d)"', late.text)[1]
    again = changed | {"every": "3", "version": seen}
    assert browser.post(f"{url}/{row['id']}", again).status_code == 303


@pytest.mark.capability(201)
def test_the_next_times_follow_what_is_typed_over_a_clock_change(browse, world, url, monkeypatch):
    monkeypatch.setattr("pilot.views.schedules.db.now", lambda: minutes(60 * 24 * 123)[0])
    browser = browse(world.operator)
    typed = "cron=30+2+*+*+*&zone=Europe/Berlin&overlap=skip&catch_up=one&unit=minute&every="
    part = browser.fragment(f"{url}/preview?{typed}").text
    assert part.lstrip().startswith('<div id="next-times"')
    assert re.findall(r">(\w+ \d+ Mar 2027, .*?)<", part) == [
        "Thu 25 Mar 2027, 02:30 CET",
        "Fri 26 Mar 2027, 02:30 CET",
        "Sat 27 Mar 2027, 02:30 CET",
        "Sun 28 Mar 2027, 03:00 CEST",
        "Mon 29 Mar 2027, 02:30 CEST",
    ]
    wrong = browser.fragment(f"{url}/preview?{typed.replace('30+2', '99+2')}").text
    assert "is no number from 0 to 59" in wrong
    without_script = browser.post(url, SENT | {"preview": "1"})
    assert without_script.status_code == 200
    assert "every weekday at 08:00" in without_script.text


@pytest.mark.parametrize("moment", ["0001-01-01T00:00", "9999-12-31T23:59"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
def test_a_moment_at_the_end_of_the_calendar_is_refused(browse, world, url, moment, zone):
    browser = browse(world.operator)
    for field in ("starts_at", "ends_at"):
        shown = browser.post(url, SENT | {"zone": zone, field: moment})
        assert shown.status_code == 422
        assert f"{field} is a moment from 1900" in shown.text or "Give day and time" in shown.text


def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(browse, world, url):
    bad = SENT | {"cron": "0 8 31 2 *", "every": "x", "starts_at": "soon", "jitter_s": "-1"}
    shown = browse(world.operator).post(url, bad)
    assert shown.status_code == 422
    for typed in ('value="0 8 31 2 *"', 'value="x"', 'value="soon"', 'value="-1"'):
        assert typed in shown.text
    assert "Give a whole number." in shown.text
    assert "Give day and time" in shown.text
    never = browse(world.operator).post(url, SENT | {"cron": "0 8 31 2 *"})
    assert "It never fires: there is no day 31 in February." in never.text


def test_inputs_of_its_own_are_checked_like_those_of_a_start(browse, world, set_clock):
    made = wp.make_agent(world.operator.id, [STEP], inputs=INPUTS)
    browser, url = browse(world.operator), f"/agents/{made}/schedules"
    refused = browser.post(url, SENT | {"inputs": "all", "input-day": "Monday"})
    assert refused.status_code == 422
    assert "The input day is missing" in refused.text
    assert "Monday" in refused.text
    own = {"inputs": "all", "input-day": "Monday", "own_inputs": "y"}
    assert browser.post(url, SENT | own).status_code == 303
    assert browser.get(f"{url}.json").json["schedules"][0]["inputs"] == {"day": "Monday"}


def test_fires_are_listed_and_it_is_paused_and_deleted(browse, world, url, schedule, pass_time):
    made = schedule(zone="Asia/Tokyo")
    pass_time(*minutes(1, 2))
    browser = browse(world.operator)
    shown = browser.get(url).text
    assert "Sat 21 Nov 2026, 21:01 JST" in shown
    assert "The execution before was still under way." in shown
    assert browser.post(f"{url}/{made}/active", {"active": "off"}).status_code == 303
    assert browser.get(f"{url}.json").json["schedules"][0]["active"] is False
    assert "Delete this schedule?" in browser.get(f"{url}/{made}/delete").text
    assert browser.post(f"{url}/{made}/delete").status_code == 303
    assert browser.get(f"{url}.json").json["schedules"] == []


def test_others_see_nothing_of_it_and_change_nothing(browse, world, url, schedule):
    made = schedule()
    assert browse(world.stranger).get(url).status_code == 404
    assert browse(world.stranger).post(f"{url}/{made}/delete").status_code == 404
    assert browse(world.viewer).post(url, SENT).status_code == 403
    other = wp.make_agent(world.operator.id, [STEP])
    crossed = f"/agents/{other}/schedules/{made}"
    assert browse(world.operator).get(crossed).status_code == 404
    assert browse(world.operator).post(f"{crossed}/delete").status_code == 404


@pytest.mark.browser
@pytest.mark.capability(201)
def test_they_look_right_and_follow_the_keys(window, world, url, schedule, pass_time, timed_agent):
    schedule(zone="Europe/Berlin")
    pass_time(*minutes(1, 2))
    page = window(world.operator)
    page.goto(url)
    page.get_by_label("Cron expression").fill("0 8 * * 1-5")
    page.get_by_text("every weekday at 08:00 UTC").wait_for()
    check_looks(page)
    follows = Following("execution_finished", match="payload.status == 'failed'")
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    event_triggers.create(timed_agent, follows, **who)
    page.goto(url.replace("schedules", "triggers"))
    check_looks(page)
    assert page.complaints == []


def test_a_generated_workflow_says_that_a_person_starts_it_first(browse, world, timed_agent):
    mail = {"to": ["a@pilot.test"], "subject": "S", "text": "T"}
    step = {"id": "go", "type": "action", "plugin": "mail", "action": "send", "params": mail}
    new, document = agents.NewAgent("Made", origin="generated"), {"format": 1, "steps": [step]}
    made = agents.create(new, document, owner_id=world.operator.id, by=wp.BY).agent_id
    for page in ("schedules", "triggers"):
        shown = browse(world.operator).get(f"/agents/{made}/{page}").text
        assert "A person starts it first" in shown
