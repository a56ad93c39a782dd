"""The overview: attention first, the goal box, the demo, counts that link to their rows."""

from decimal import Decimal

import pytest

from pilot.engine.demo import loading
from pilot.engine.life import starts
from tests.engine import worker_process as wp
from tests.pages import check_looks
from tests.reports.ledger_rows import UNPRICED, book


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
    assert "Demo loaded: 4 agents and" in page
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
    assert 'class="tiles few"' in admin.fragment("/").text


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
    states = {"failed", "needs_attention"}
    assert all(f"/executions?status={one}&amp;within=24h" in page for one in states)


@pytest.mark.capability(273)
def test_spend_is_the_sum_of_the_calls_and_leads_to_them(admin, world, superuser):
    for ago, cost in (("0 s", "0.000000000001"), ("0 s", "1.24"), ("40 days", "5")):
        book(superuser, world.operator.id, ago=ago, cost=Decimal(cost))
    book(superuser, world.operator.id, **UNPRICED)
    twin, page = admin.get("/index.json").json, admin.get("/").text
    assert twin["today"]["cost_usd"]["amount"] == "1.240000000001"
    assert page.count("&gt;= $1.24 + 1 unpriced") == 2
    for name in ("today", "month"):
        days = twin[name]
        url = f"/costs?since={days['since']}&until={days['until']}&zone=UTC"
        assert f'href="{url.replace("&", "&amp;")}"' in page
        total = admin.get(url.replace("/costs?", "/costs.json?")).json["total"]
        assert total["cost_usd"] == days["cost_usd"]


def test_what_has_no_price_asks_for_attention_and_links_to_its_calls(browse, world, superuser):
    book(superuser, world.operator.id, **UNPRICED)
    operator = browse(world.operator)
    (one,) = operator.get("/index.json").json["attention"]
    assert (one["title"], one["status"]) == ("own", "unpriced")
    assert operator.get(one["url"].replace("/costs?", "/costs.json?")).json["total"]["calls"] == 1
    assert "Has no price: 1 call of the last 7 days in no sum" in operator.get("/").text
    assert browse(world.stranger).get("/index.json").json["attention"] == []


def test_a_chosen_model_without_a_key_is_told_to_administrators(admin, browse, world, superuser):
    told = {one["status"]: one for one in admin.get("/index.json").json["attention"]}
    assert "No provider has a key" in told["no_key"]["reason"]
    superuser.execute("UPDATE model SET retired_on = '2026-01-01' WHERE id = 'gpt-6-luna'")
    superuser.execute(
        "UPDATE provider SET sealed = 'x', key_ending = 'x', key_set_at = now()"
        " WHERE name = 'openai'"
    )
    told = {one["title"]: one for one in admin.get("/index.json").json["attention"]}
    assert told["gpt-6-luna"]["status"] == "retired"
    assert told["claude-sonnet-5-5"]["status"] == "no_key"
    assert browse(world.operator).get("/index.json").json["attention"] == []


def test_states_of_executions_lead_to_as_many_rows(admin, world, app, superuser):
    by = world.admin.actor
    made = loading.load(data=app.config["DATA"], by=by, user_id=world.admin.id)
    for _ in range(3):
        starts.start(made.agents["Urgent tasks"], starts.Start(), by=by, user_id=world.admin.id)
    old = starts.start(made.agents["Urgent tasks"], starts.Start(), by=by, user_id=world.admin.id)
    superuser.execute(
        "UPDATE execution SET created_at = now() - interval '25 hours' WHERE id = %s", [old]
    )
    states = admin.get("/index.json").json["day"]["by_status"]
    assert states == {"queued": 3}
    assert admin.get("/executions.json?status=queued&within=24h").json["total"] == 3


def test_a_dead_worker_is_told_with_what_it_holds(admin, superuser):
    superuser.execute(
        "INSERT INTO worker (id, number, host, pid, version, lease_until)"
        " VALUES (gen_random_uuid(), 999, 'box', 7, '1', now() - interval '1 min')"
    )
    (one,) = admin.get("/index.json").json["workers"]
    assert (one["host"], one["state"], one["executions"]) == ("box", "dead", 0)
    page = admin.get("/").text
    assert "1 dead" in page
    assert "No worker is running" in page


@pytest.mark.browser
def test_axe_finds_nothing_with_worries_spend_and_workers(window, world, app, superuser):
    by = world.admin.actor
    made = loading.load(data=app.config["DATA"], by=by, user_id=world.admin.id)
    starts.start(made.agents["Urgent tasks"], starts.Start(), by=by, user_id=world.admin.id)
    book(superuser, world.admin.id, **UNPRICED)
    superuser.execute(
        "INSERT INTO worker (id, number, host, pid, version, lease_until)"
        " VALUES (gen_random_uuid(), 999, 'box', 7, '1', now() - interval '1 min')"
    )
    page = window(world.admin, bypass_csp=True)
    for url in ("/", "/executions?money=unpriced", "/agents"):
        page.goto(url)
        check_looks(page)


@pytest.mark.browser
def test_the_figures_stay_true_while_one_looks(window, world, superuser):
    page = window(world.admin)
    page.goto("/")
    page.locator("#counters").get_by_text("no model called").wait_for()
    book(superuser, world.admin.id, role="step", cost=Decimal("1.25"))
    page.locator("#counters").get_by_text("$1.25").first.wait_for(timeout=20_000)
    assert page.complaints == []


@pytest.mark.capability(273)
def test_what_a_person_paused_says_so_in_words(world, browse):
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, [wp.put("first", 1)])
    paused = f"/executions/{wp.start(agent, world.operator.id)}"
    operator = browse(world.operator)
    assert operator.post(f"{paused}/pause").status_code == 303
    (told,) = [one for one in operator.get("/index.json").json["attention"] if one["url"] == paused]
    assert told["reason"] == "Paused by a person"
