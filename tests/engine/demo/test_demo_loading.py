"""The demo: data, agents that run at once, and the switch, all visible and made only once."""

from decimal import Decimal

import pytest

from pilot import db, settings
from pilot.engine.demo import loading
from pilot.models.agent import Agent
from pilot.plugins.tables.books import read
from pilot.reports import execution as execution_report
from tests.engine import worker_process as wp


@pytest.fixture
def worker(database, redis_url, tmp_path):
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident


def load(world, tmp_path):
    return loading.load(data=tmp_path, by=world.admin.actor, user_id=world.admin.id)


def test_it_makes_data_agents_and_switches_pilot_on(world, tmp_path, superuser):
    loaded = load(world, tmp_path)
    assert set(loaded.agents) == set(loading.GOALS)
    assert loaded.switched_on
    with db.reading(world.admin.id) as session:
        assert settings.value(session, "pilot_enabled") is True
        assert all(session.get_one(Agent, one).demo for one in loaded.agents.values())
        assert loading.is_loaded(session, world.admin.id)
        assert not loading.is_loaded(session, world.operator.id)


def test_a_second_load_makes_nothing(world, tmp_path):
    load(world, tmp_path)
    again = load(world, tmp_path)
    assert (again.files, again.agents, again.switched_on) == ([], {}, False)


def test_the_leads_arrive_by_mail_once_a_person(worker, database, world, tmp_path):
    agent = load(world, tmp_path).agents["Leads in stage 4"]
    execution = wp.start(agent, world.admin.id)
    assert wp.wait_for(database, execution)[0] == "completed"
    mails = tmp_path / "users" / str(world.admin.id) / "mail"
    for person in ("ann@example.com", "bob@example.com"):
        (mail,) = (mails / person).glob("INBOX/new/*")
        assert b"Cole Cycles" in mail.read_bytes()


def test_complaints_are_added_to_the_table_once(worker, database, world, tmp_path):
    agent = load(world, tmp_path).agents["Angry customers"]
    counts = []
    for _ in range(2):
        assert wp.wait_for(database, wp.start(agent, world.admin.id))[0] == "completed"
        path = tmp_path / "users" / str(world.admin.id) / "tables" / "Support.xlsx"
        counts.append(len(read(path, path.read_bytes()).tabs["UrgentEmails"]))
    assert counts[0] > 2
    assert counts[0] == counts[1]


@pytest.mark.capability(275)
def test_the_summary_runs_on_recorded_answers_at_no_cost(
    worker, database, world, tmp_path, superuser
):
    agent = load(world, tmp_path).agents[loading.SUMMARY]
    execution = wp.start(agent, world.admin.id)
    assert wp.wait_for(database, execution)[0] == "completed"
    rows = superuser.execute("SELECT provider, model_asked, cost, wasted FROM call").fetchall()
    assert rows == [("scripted", "recorded answers", Decimal(0), False)]
    folder = tmp_path / "users" / str(world.admin.id) / "mail" / world.admin.email / "INBOX"
    mails = [path.read_bytes() for path in folder.glob("new/*")]
    (summary,) = [one for one in mails if b"Subject: Mail summary" in one]
    assert b"Dora Finch wants a refund" in summary
    assert b"recorded answers" in summary
    with db.reading(world.admin.id) as session:
        (attempt,) = execution_report.shown(session, execution).steps[1].attempts
    assert "Recorded answer, no model was asked" in attempt.notes[0]
