"""Drafting, approvals, costs and settings over the API."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest

from pilot import db, jobs, vault
from pilot.engine.demo import make_demo
from pilot.engine.folders import private
from pilot.engine.secrets import connections
from tests.engine import worker_process as wp
from tests.pages import check_accessible
from tests.reports.ledger_rows import UNPRICED, book

GOAL = (
    "From the Gantt sheet, mail me tasks with priority Critical or High that end in the next three "
    "full days, soonest first, none otherwise"
)
ASK = {"id": "ask", "type": "human_approval", "title": "Pay?", "approvers": ["owner"]}


@pytest.fixture
def one(program, world):
    return program(world.operator)


@pytest.mark.capability(116)
def test_a_goal_becomes_an_agent(one, world, config):
    make_demo(private(config.data, world.operator.id), db.now().date(), world.operator.email)
    first = one.post("/generations", {"goal": GOAL}, {"Idempotency-Key": "g1"})
    assert (first.status_code, first.json["stage"], first.json["questions"]) == (202, "done", [])
    again = one.post("/generations", {"goal": GOAL}, {"Idempotency-Key": "g1"})
    assert again.json["id"] == first.json["id"]
    assert first.json["forecast"]["asks"] == 0
    saved = one.post(f"/generations/{first.json['id']}/accept", {"name": "Tasks"}).json
    assert one.get(f"/agents/{saved['agent_id']}").json["name"] == "Tasks"
    assert one.get(f"/generations/{first.json['id']}").json["agent_id"] == saved["agent_id"]


def test_questions_are_answered_by_their_ids(one, world, config):
    make_demo(private(config.data, world.operator.id), db.now().date(), world.operator.email)
    asked = one.post("/generations", {"goal": "Mail me the rows"}).json
    assert asked["questions"]
    answers = {each["id"]: each["options"][0] for each in asked["questions"] if each["options"]}
    assert one.post(f"/generations/{asked['id']}/answers", {"answers": answers}).status_code == 200


def test_an_approval_is_read_and_not_decided(one, world, database, redis_url, config):
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, [ASK])
    with wp.working(wp.config(database, redis_url, config.data)):
        execution = wp.start(agent, world.operator.id)
        wp.wait_for(database, execution, {"waiting"})
    (row,) = one.get("/approvals").json["items"]
    told = one.get(f"/approvals/{row['id']}").json
    assert (told["title"], told["status"], told["execution_id"]) == (
        "Pay?",
        "pending",
        str(execution),
    )
    assert one.get("/approvals?tab=decided").json["items"] == []
    assert one.post(f"/approvals/{row['id']}").status_code == 405


@pytest.mark.capability(292)
def test_costs_are_the_sums_of_the_ledger(one, world, superuser):
    book(superuser, world.operator.id)
    book(superuser, world.operator.id, **UNPRICED)
    book(superuser, world.admin.id)
    told = one.get("/costs?group=model").json
    assert told["total"]["calls"] == 2
    assert told["total"]["cost_usd"]["amount"].startswith("0.001")
    assert {line["key"] for line in told["lines"]} == {"cheap-2026", "own"}
    for wrong in (
        "group=colour",
        "zone=Mars",
        "zone=localtime",
        "since=2026-02-01&until=2026-01-01",
        "since=x",
    ):
        assert one.get(f"/costs?{wrong}").status_code == 422, wrong


def test_costs_end_with_today_in_their_zone(one, world, superuser, monkeypatch):
    late = superuser.execute("SELECT date_trunc('day', now()) + interval '20 hours'").fetchone()[0]
    monkeypatch.setattr(db, "now", lambda: late)
    book(superuser, world.operator.id)
    superuser.execute("UPDATE call SET at = %s", [late])  # 05:00 of the next day in Tokyo
    tomorrow = (late.date() + timedelta(days=1)).isoformat()
    assert one.get("/costs?zone=Asia/Tokyo").json["lines"][-1]["key"] == tomorrow
    assert one.get("/costs?zone=Asia/Tokyo&until=2020-01-30").json["lines"] == []
    assert one.get("/costs").json["total"]["calls"] == 1


def sheet(answer):
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.capability(292)
def test_calls_are_listed_one_by_one(one, world, superuser):
    book(superuser, world.operator.id)
    book(superuser, world.operator.id, **UNPRICED)
    book(superuser, world.admin.id)
    told = one.get("/calls?limit=1").json
    (newest,), (oldest,) = told["items"], one.get(f"/calls?cursor={told['next']}").json["items"]
    assert {newest["unpriced"], oldest["unpriced"]} == {True, False}
    assert {newest["cost_usd"] is None, oldest["cost_usd"] is None} == {True, False}
    (own,) = one.get("/calls?model=own").json["items"]
    assert own["unpriced"]
    assert one.get("/calls?until=2000-01-01").json["items"] == []


def test_lists_are_sheets_for_who_accepts_one(one, world, superuser):
    wp.switch_on()
    wp.start(wp.make_agent(world.operator.id, [ASK]), world.operator.id)
    book(superuser, world.operator.id)
    superuser.execute("UPDATE execution SET agent_name = '=1+1'")
    accept = one.headers | {"Accept": "text/csv"}
    for name in ("executions", "calls", "costs"):
        rows = sheet(one.client.get(f"/api/v1/{name}", headers=accept))
        assert rows == sheet(one.get(f"/{name}.csv"))
        assert len(rows) == 1, name
    assert sheet(one.get("/executions.csv"))[0]["agent_name"] == "'=1+1"
    cost = sheet(one.get("/calls.csv"))[0]["cost_usd"]
    assert Decimal(cost) > 0
    assert one.get("/calls.csv?colour=red").status_code == 422


def test_drafts_are_listed_and_reported(one, world, config):
    make_demo(private(config.data, world.operator.id), db.now().date(), world.operator.email)
    made = one.post("/generations", {"goal": GOAL}).json
    (row,) = one.get("/generations").json["items"]
    assert (row["id"], row["goal"], row["stage"]) == (made["id"], GOAL, "done")
    assert one.get("/generations?stage=queued").json["items"] == []
    report = one.get("/generations/report").json
    assert report["generations_30_days"] == 1
    assert {"stages_30_days", "feedback_30_days"} <= report.keys()


def test_the_health_names_what_is_missing(program, world, redis_url):
    jobs.configure("redis://127.0.0.1:1")
    answer = program(world.admin).get("/health")
    assert (answer.status_code, answer.json["ready"]) == (200, False)
    assert answer.json["missing"] == ["worker", "queue"]


def test_settings_and_prices_are_for_administrators(program, world):
    admin = program(world.admin)
    assert admin.get("/settings").json["version"] == 0
    known = {row["id"]: row for row in admin.get("/prices").json["items"]}
    assert known["gpt-6-luna"]["skipped"] == "OpenAI has no key."
    assert program(world.operator).get("/settings").status_code == 403


def test_the_audit_is_for_administrators_and_shows_what_is_theirs(program, world):
    wp.switch_on()
    admin = program(world.admin)
    agent = wp.make_agent(world.admin.id, [ASK])
    execution = wp.start(agent, world.admin.id)
    (record,) = admin.get(f"/audit?object={execution}").json["items"]
    assert (record["event"], record["object_id"]) == ("PILOT_EXECUTION_STARTED", str(execution))
    foreign = wp.start(wp.make_agent(world.operator.id, [ASK]), world.operator.id)
    assert admin.get(f"/audit?object={foreign}").json["items"] == []
    assert program(world.operator).get("/audit").status_code == 403
    assert admin.get("/audit?severity=loud").status_code == 422


@pytest.mark.browser
def test_the_page_of_the_api_is_accessible_and_fits(window, world):
    for width in (375, 1280):
        page = window(world.viewer, viewport={"width": width, "height": 900})
        page.goto("/api/docs")
        page.get_by_text("/api/v1/agents/{agent_id}/executions").first.click()
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.complaints == []


def test_connections_are_told_without_what_is_secret(one, program, world, config):
    fields = {"smtp_host": "mail.peer.test", "user": "ann", "sender": "ann@peer.test"}
    given = connections.Given("House", fields, "canary-password", shared=True)
    vault.configure(config.secret_keys)
    person = world.admin
    connections.create("mail", given, by=person.actor, owner_id=person.id)
    vault.configure([])
    answer = program(person).get("/connections")
    (told,) = answer.json["items"]
    assert (told["label"], told["state"], told["fields"]["user"]) == ("House", "untested", "ann")
    assert "canary" not in answer.text
    assert "word" not in str(told.values())
    assert one.get("/connections").status_code == 403
