"""Shared agents on the pages: what is offered, what is refused, streams."""

import pytest

from pilot.engine.agents import sharing
from pilot.views import watch
from tests.engine import worker_process as wp
from tests.pages import check_looks
from tests.patience import LONG_S
from tests.views.test_streams import Follower, url

STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]


@pytest.fixture
def shared(world):
    """Give an agent with an execution of the operator, and their pages."""
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, STEPS)
    return agent, wp.start(agent, world.operator.id)


def grant(agent, world, person, level):
    owner = world.operator
    sharing.share(agent, person.email, level, by=owner.actor, user_id=owner.id)


@pytest.mark.capability(226)
def test_the_owner_shares_and_takes_back(shared, browse, world):
    owner, page = browse(world.operator), f"/agents/{shared[0]}"
    assert "Only its owner and administrators see it." in owner.get(page).text
    form = {"email": world.viewer.email, "level": "read"}
    assert owner.post(f"{page}/shares", form).location == f"{page}#access"
    assert world.viewer.email in owner.get(page).text
    theirs = browse(world.viewer)
    seen = theirs.get(page)
    assert seen.status_code == 200
    assert "/start" not in seen.text
    assert "/shares" not in seen.text
    assert "Duplicate" not in seen.text
    assert owner.post(f"{page}/shares/{world.viewer.id}/remove").status_code == 303
    assert theirs.get(page).status_code == 404
    again = owner.post(f"{page}/shares", {"email": "nobody@pilot.test", "level": "read"})
    assert again.status_code == 422
    assert 'value="nobody@pilot.test"' in again.text


@pytest.mark.capability(226)
def test_who_was_granted_read_gets_403_for_every_press(shared, browse, world, superuser):
    agent, execution = shared
    for person in (world.viewer, world.stranger):
        grant(agent, world, person, "read")
        browser = browse(person)
        assert browser.get(f"/executions/{execution}").status_code == 200
        assert "Cancel" not in browser.get(f"/executions/{execution}").text
        for path in (
            *(f"/executions/{execution}/{act}" for act in ("pause", "resume", "retry", "cancel")),
            *(f"/agents/{agent}/{act}" for act in ("start", "details", "active", "inputs")),
            f"/agents/{agent}/workflow/1/restore",
            f"/agents/{agent}/workflow/edit",
            f"/agents/{agent}/shares",
        ):
            act = path.rpartition("/")[2]
            form = {"details": {"name": "x"}, "shares": {"email": person.email, "level": "run"}}
            assert browser.post(path, form.get(act)).status_code == 403, path
    kept = "SELECT status, cancel_requested_at, pause_requested_at FROM execution"
    assert superuser.execute(kept).fetchall() == [("queued", None, None)]
    denied = "SELECT count(*) FROM audit WHERE event = 'SECURITY_UNAUTHORIZED_ACCESS'"
    assert superuser.execute(denied).fetchone()[0] == 2 * 11


@pytest.mark.capability(226)
def test_who_was_granted_run_starts_and_cancels(shared, browse, world):
    agent, execution = shared
    grant(agent, world, world.stranger, "run")
    browser = browse(world.stranger)
    page = browser.get(f"/agents/{agent}").text
    assert f"/agents/{agent}/start" in page
    assert f"/agents/{agent}/details" not in page
    started = browser.post(f"/agents/{agent}/start", {"inputs": "all"})
    assert browser.get(f"{started.location}.json").json["started_by"] == "Stranger"
    assert browser.post(f"/executions/{execution}/cancel").status_code == 303
    assert browser.get(f"/executions/{execution}.json").json["status"] == "cancelled"
    assert browser.get("/executions.json").json["total"] == 2


def test_a_stream_ends_when_the_grant_is_taken_back(shared, browse, world, monkeypatch):
    monkeypatch.setattr(watch, "SESSION_S", 0.1)
    grant(shared[0], world, world.viewer, "read")
    follower = Follower(browse(world.viewer), url(shared[1]))
    follower.until("Queued")
    owner = world.operator
    sharing.unshare(shared[0], world.viewer.id, by=owner.actor, user_id=owner.id)
    follower.join(LONG_S)
    assert not follower.is_alive()
    assert "event: done" not in follower.text


@pytest.mark.browser
def test_the_section_is_accessible_and_fits(shared, window, world):
    grant(shared[0], world, world.viewer, "read")
    page = window(world.operator)
    page.goto(f"/agents/{shared[0]}#access")
    check_looks(page)
    assert page.complaints == []
