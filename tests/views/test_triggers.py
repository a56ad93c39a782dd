"""The page of the events that an agent follows, its API, and what executions tell of it."""

import re
from uuid import UUID

import pytest

from pilot.engine.life.preflight import UNTOLD
from pilot.engine.triggers import event_triggers, firing
from tests.engine import worker_process as wp
from tests.scheduling import STEP

SENT = {"event": "execution_finished:failed", "match": "payload.mode == 'run'", "inputs": ""}


def sent_by(page):
    """Return what a browser would send of the form as it is shown."""
    form = page.partition('id="follow-form"')[2].partition("</form>")[0]
    found = dict(re.findall(r'<input [^>]*?name="(\w+)"[^>]*?value="([^"]*)"', form))
    for name, options in re.findall(
        r'<select [^>]*?name="(\w+)"[^>]*>(.*?)</select>', form, re.DOTALL
    ):
        chosen = re.search(r'<option selected value="([^"]*)"', options)
        found[name] = chosen[1] if chosen else re.search(r'value="([^"]*)"', options)[1]
    inputs = re.search(r"<textarea[^>]*>\s*(.*?)</textarea>", form, re.DOTALL)
    return {name: found[name] for name in found if name != "csrf_token"} | {"inputs": inputs[1]}


@pytest.fixture
def follower(timed_agent, world):
    return wp.make_agent(world.operator.id, [STEP])


@pytest.fixture
def url(follower):
    return f"/agents/{follower}/triggers"


@pytest.fixture
def happened(timed_agent, world, superuser):
    """Give `happened()`: an execution of the other agent fails, and what follows it starts."""

    def happened():
        execution = wp.start(timed_agent, world.operator.id)
        superuser.execute(
            "UPDATE execution SET status = 'failed', finished_at = pilot_now() WHERE id = %s",
            [execution],
        )
        while firing.look(UNTOLD):
            pass
        return execution

    return happened


@pytest.mark.capability(203)
def test_an_agent_follows_another_and_both_executions_tell_it(
    browse, world, url, timed_agent, happened
):
    browser = browse(world.operator)
    assert "It follows nothing yet" in browser.get(url).text
    assert browser.post(url, SENT | {"about_agent_id": str(timed_agent)}).status_code == 303
    shown = browser.get(url).text
    assert "after an execution of Test: failed" in shown
    cause = happened()
    (fire,) = browser.get(f"{url}.json").json["fires"]
    assert fire["cause_execution_id"] == str(cause)
    made = f"/executions/{fire['execution_id']}"
    assert f'started <a href="{made}">another execution' in browser.get(f"/executions/{cause}").text
    assert f'because of <a href="/executions/{cause}">' in browser.get(made).text


def test_what_is_wrong_is_told_and_kept(browse, world, url):
    bad = SENT | {"match": "steps.x == 1", "inputs": "[1]", "about_agent_id": "x"}
    told = {"inputs": "The inputs are a JSON object.", "match": "There is no steps here"}
    browser = browse(world.operator)
    for name, text in (("about_agent_id", "Choose an agent of the list."), *told.items()):
        shown = browser.post(url, bad)
        assert shown.status_code == 422
        assert text in shown.text
        bad[name] = ""
        assert "steps.x == 1" in shown.text


@pytest.fixture
def one(browse, world, url, timed_agent):
    """The address of a trigger that the API gave two statuses."""
    about = event_triggers.Following(
        "execution_finished", timed_agent, ["failed", "cancelled"], "payload.cost_usd > 1"
    )
    follower = UUID(url.split("/")[2])
    owner = {"by": world.operator.actor, "user_id": world.operator.id}
    return f"{url}/{event_triggers.create(follower, about, **owner)}"


@pytest.mark.capability(203)
def test_the_form_changes_one_and_keeps_what_it_does_not_show(browse, world, url, one, timed_agent):
    browser = browse(world.operator)
    form = sent_by(browser.get(one).text)
    assert form["event"] == "execution_finished:failed,cancelled"
    assert (form["about_agent_id"], form["version"]) == (str(timed_agent), "1")
    assert browser.post(one, form | {"match": "", "inputs": '{"n": 1}'}).status_code == 303
    (row,) = browser.get(f"{url}.json").json["triggers"]
    assert (row["statuses"], row["match"], row["inputs"]) == (
        ["failed", "cancelled"],
        None,
        {"n": 1},
    )
    wrong = browser.post(one, form | {"match": "1 +", "version": "2"})
    assert wrong.status_code == 422
    assert 'value="1 +"' in wrong.text


def test_what_somebody_changed_meanwhile_is_shown_beside_what_was_typed(browse, world, url, one):
    browser = browse(world.operator)
    form = sent_by(browser.get(one).text)
    other = {"event": "approval_decided", "match": "payload.mode == 'run'"}
    browser.post(one, form | other)
    late = browser.post(one, form | {"match": "payload.cost_usd > 9"})
    assert late.status_code == 409
    assert "Somebody changed it meanwhile" in late.text
    assert "payload.mode == &#39;run&#39;" in late.text
    again = sent_by(late.text)
    assert again["event"] == "execution_finished:failed,cancelled"
    assert again["match"] == "payload.cost_usd &gt; 9"
    assert browser.post(one, again | {"match": "payload.cost_usd > 9"}).status_code == 303
    (row,) = browser.get(f"{url}.json").json["triggers"]
    assert row["match"] == "payload.cost_usd > 9"


def test_others_change_nothing_and_deleting_asks_first(browse, world, url, one):
    browser = browse(world.operator)
    asked = browser.get(f"{one}/delete").text
    assert "It starts nothing after an execution of Test: failed, cancelled any more" in asked
    assert browse(world.stranger).get(one).status_code == 404
    assert browse(world.stranger).post(one, SENT).status_code == 404
    assert browse(world.viewer).get(one).status_code == 403
    assert browser.get(f"{url}/{world.operator.id}").status_code == 404
    assert browser.get(one.replace("triggers", "schedules")).status_code == 404


def test_it_is_paused_and_deleted_by_its_owner_alone(browse, world, url):
    browser = browse(world.operator)
    browser.post(url, SENT)
    (row,) = browser.get(f"{url}.json").json["triggers"]
    one = f"{url}/{row['id']}"
    assert browse(world.stranger).post(f"{one}/delete").status_code == 404
    assert browse(world.viewer).post(url, SENT).status_code == 403
    assert browser.post(f"{one}/active", {"active": "off"}).status_code == 303
    assert browser.get(f"{url}.json").json["triggers"][0]["active"] is False
    assert browser.post(f"{one}/delete").status_code == 303
    assert browser.get(f"{url}.json").json["triggers"] == []
    schedules = url.replace("triggers", "schedules")
    assert browser.get(f"{schedules}/{row['id']}").status_code == 404
