"""Forms: who is named fills one in, once; nothing typed is lost where it does not fit."""

from uuid import uuid4

import pytest

from pilot import db
from pilot.engine.life import executions
from pilot.reports import execution as report
from tests.engine import worker_process as wp
from tests.views.test_approval_links import give

FIELDS = {
    "type": "object",
    "properties": {
        "amount": {"type": "integer", "minimum": 1, "title": "Amount in EUR"},
        "reason": {"type": "string", "x-widget": "textarea"},
        "urgent": {"type": "boolean"},
    },
    "required": ["amount"],
}
FORM = {"id": "ask", "type": "form", "title": "What may it <b>cost</b>?", "fields": FIELDS}
GOOD = {"inputs": "all", "input-amount": "7", "input-reason": "New", "input-urgent": "true"}


@pytest.fixture
def worker(database, redis_url, config):
    with wp.working(wp.config(database, redis_url, config.data), hears=True) as resident:
        yield resident


@pytest.fixture
def ask(worker, database, world, superuser):
    """Give `ask(**fields)`: the ids of a form that waits, and of its execution."""
    wp.switch_on()

    def ask(**fields):
        step = FORM | {"assignees": ["role:approver"]} | fields
        execution = wp.start(wp.make_agent(world.operator.id, [step]), world.operator.id)
        wp.wait_for(database, execution, {"waiting"})
        query = "SELECT id FROM approval WHERE execution_id = %s"
        return superuser.execute(query, [execution]).fetchone()[0], execution

    return ask


@pytest.mark.capability(205)
def test_who_is_named_fills_it_in_once(ask, browse, world, database, superuser):
    form, execution = ask()
    approver, owner = browse(world.approver), browse(world.operator)
    assert f'href="/forms/{form}"' in approver.get("/approvals").text
    page = approver.get(f"/forms/{form}").text
    assert "What may it &lt;b&gt;cost&lt;/b&gt;?" in page
    assert "Amount in EUR" in page
    wrong = approver.post(f"/forms/{form}", GOOD | {"input-amount": "much"})
    assert wrong.status_code == 422
    assert 'value="much"' in wrong.text
    assert "New</textarea>" in wrong.text
    missing = {name: value for name, value in GOOD.items() if name != "input-amount"}
    assert approver.post(f"/forms/{form}", missing).status_code == 422
    assert wp.row(database, execution)[0] == "waiting"
    refused = owner.post(f"/forms/{form}", GOOD)
    assert (refused.status_code, "others are asked" in refused.text) == (403, True)
    assert browse(world.stranger).get(f"/forms/{form}").status_code == 404
    assert approver.post(f"/forms/{form}", GOOD).status_code == 303
    output = wp.wait_for(database, execution)[1]
    assert output["values"] == {"amount": 7, "reason": "New", "urgent": True}
    assert (output["submitted_by"], output["timed_out"]) == (world.approver.email, False)
    again = approver.post(f"/forms/{form}", GOOD)
    assert (again.status_code, "submitted already, by Approver on " in again.text) == (409, True)
    told = superuser.execute("SELECT event FROM audit WHERE event LIKE 'FORM%' ORDER BY at")
    assert [row[0] for row in told] == ["FORM_REQUESTED", "FORM_SUBMITTED"]
    told = "SELECT count(*) FROM audit WHERE event = 'APPROVAL_DECISION_REFUSED'"
    assert superuser.execute(told).fetchone() == (2,)


def test_the_link_of_the_mail_is_for_its_person_and_one_use(ask, browse, world, superuser):
    late = {"id": "late", "type": "delay", "for_s": 90}
    form, execution = ask(on_timeout={"branch": [late]})
    with db.reading(world.operator.id) as session:
        shown = report.shown(session, execution)
    assert shown.why.startswith("ask: a form that Approver can fill in, until 20")
    assert shown.question == ("Fill in", f"/forms/{form}")
    token, approver = give(world.approver, form), browse(world.approver)
    assert browse(world.admin).get(f"/forms/links/{token}").status_code == 404
    assert browse().get(f"/forms/links/{token}").status_code == 303, "to the sign-in"
    page = approver.get(f"/forms/links/{token}").text
    assert f'name="link" value="{token}"' in page
    assert "Wait 90 seconds." in page, "what runs if nobody fills it in"
    assert approver.post(f"/forms/{form}", GOOD | {"link": token}).status_code == 303
    late = approver.get(f"/forms/links/{token}")
    assert (late.status_code, "You used this link already, on " in late.text) == (410, True)
    kept = superuser.execute("SELECT kind, about FROM outbox").fetchall()
    assert kept == [("approval_requested", form)]


def test_a_form_is_no_approval_nor_the_other_way_round(ask, browse, world):
    form, execution = ask()
    approver = browse(world.approver)
    moved = approver.get(f"/approvals/{form}")
    assert (moved.status_code, moved.location) == (303, f"/forms/{form}")
    decided = approver.post(f"/approvals/{form}", {"decision": "approve", "seen": "x"})
    assert (decided.status_code, "This is a form" in decided.text) == (409, True)
    assert approver.get(f"/forms/{uuid4()}").status_code == 404
    executions.cancel(execution, by=world.operator.actor, user_id=world.operator.id)
    assert approver.post(f"/forms/{form}", GOOD).status_code == 410


def test_its_time_runs_out(ask, worker, database, superuser):
    form, execution = ask(on_timeout="continue")
    superuser.execute("UPDATE approval SET expires_at = pilot_now()")
    superuser.execute("SELECT expire_approval(%s)", [form])
    worker.poke()
    assert wp.wait_for(database, execution)[1]["timed_out"]
    assert superuser.execute("SELECT decision FROM approval").fetchall() == [("expired",)]
    names = superuser.execute("SELECT event FROM audit WHERE event = 'FORM_TIMEOUT'").fetchall()
    assert len(names) == 1
