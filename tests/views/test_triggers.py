"""The page of the events that an agent follows, its API, and what executions tell of it."""

import pytest

from pilot.engine.life.preflight import UNTOLD
from pilot.engine.triggers import firing
from tests.engine import worker_process as wp
from tests.scheduling import STEP

SENT = {"event": "execution_finished:failed", "match": "payload.mode == 'run'", "inputs": ""}


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
