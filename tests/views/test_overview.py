"""The overview: attention first, the goal box, the demo, counts that link to their rows."""

import pytest

from pilot.engine import starts
from pilot.engine.demo import loading


@pytest.fixture
def admin(browse, world):
    return browse(world.admin)


def test_an_empty_installation_offers_the_demo_and_the_goal_box(admin):
    page = admin.get("/").text
    assert 'action="/demo"' in page
    assert 'action="/agents/new"' in page
    assert "No worker is running" in page
    assert "Nothing was started yet" in page


def test_the_demo_is_loaded_by_one_press_and_says_so(admin):
    answer = admin.post("/demo")
    assert (answer.status_code, answer.location) == (303, "/agents")
    page = admin.get("/").text
    assert 'action="/demo"' not in page
    assert "Demo loaded: 3 agents and" in page
    assert "Run pilot steps: on." in page


def test_a_started_execution_is_counted_and_listed(admin, world, app):
    by = world.admin.actor
    made = loading.load(data=app.config["DATA"], by=by, user_id=world.admin.id)
    asked = starts.Start()
    agent = made.agents["Urgent tasks"]
    execution = starts.start(agent, asked, by=by, user_id=world.admin.id)
    twin = admin.get("/index.json").json
    assert twin["day"]["by_status"] == {"queued": 1}
    assert twin["recent"][0]["id"] == str(execution)
    assert f'href="/executions/{execution}"' in admin.get("/").text
    assert 'class="tiles"' in admin.fragment("/").text


def test_a_viewer_gets_no_forms_and_a_stranger_no_rows(browse, world, app):
    by = world.admin.actor
    loading.load(data=app.config["DATA"], by=by, user_id=world.admin.id)
    page = browse(world.viewer).get("/").text
    assert 'action="/agents/new"' not in page
    assert 'action="/demo"' not in page
    assert browse(world.stranger).get("/index.json").json["recent"] == []


@pytest.mark.capability(273)
def test_what_needs_somebody_stands_first_with_its_reason_and_link(admin, world, app, superuser):
    by = world.admin.actor
    made = loading.load(data=app.config["DATA"], by=by, user_id=world.admin.id)
    agent = made.agents["Urgent tasks"]
    failed, unclear = (
        starts.start(agent, starts.Start(), by=by, user_id=world.admin.id) for _ in range(2)
    )
    error = '{"message": "The mail server is away", "step": "send"}'
    superuser.execute(
        "UPDATE execution SET status = 'failed', error = %s, finished_at = now() WHERE id = %s",
        [error, failed],
    )
    superuser.execute("UPDATE execution SET status = 'needs_attention' WHERE id = %s", [unclear])
    page = admin.get("/").text
    assert page.index("Needs attention") < page.index("What shall be done?")
    assert page.index(str(unclear)) < page.index(str(failed))
    assert "The mail server is away" in page
    assert "No worker is running" in page
    tiles = {"/executions", "/executions?status=failed", "/executions?status=waiting"}
    assert all(f'href="{url}"' in page for url in tiles)
