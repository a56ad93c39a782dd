"""Rules of actions on a real worker: a large mail stops for a person, limits hold."""

import pytest
from pydantic import Field

from pilot.engine.acting import rules
from pilot.engine.approvals import approvals
from pilot.engine.life import retrying
from pilot.errors import StepError
from pilot.plugins import Block, Call, Category, Effect, Model, Plugin, Warn
from tests.engine import worker_process as wp
from tests.engine.steps.surroundings import context

OUTSIDERS = [f"person{number}@example.com" for number in range(50)]
SEND = {"id": "send", "type": "action", "plugin": "mail", "action": "send"}


def mail(to, **fields):
    return SEND | {"params": {"to": to, "subject": "Hello", "text": "Text"}} | fields


@pytest.fixture
def worker(database, redis_url, world, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident


@pytest.fixture
def run(worker, database, world):
    """Give `run(steps, statuses)`: the execution and how it stands."""

    def run(steps, statuses=wp.END):
        execution = wp.start(wp.make_agent(world.operator.id, steps), world.operator.id)
        return execution, wp.wait_for(database, execution, statuses)

    return run


def decide(superuser, world, decision, number=0):
    query = "SELECT id, payload_hash, payload FROM approval ORDER BY requested_at OFFSET %s"
    approval, seen, payload = superuser.execute(query, [number]).fetchone()
    person = world.operator
    approvals.decide(approval, decision, seen_hash=seen, by=person.actor, user_id=person.id)
    return payload


def received(folder):
    return len(list(folder.glob("users/*/mail/person*/INBOX/new/*")))


@pytest.mark.capability(253)
def test_a_mail_to_fifty_outsiders_stops_for_a_person(run, database, world, superuser, tmp_path):
    execution, _ = run([mail(OUTSIDERS)], {"waiting"})
    assert received(tmp_path) == 0
    payload = decide(superuser, world, "approved")
    assert "Send this mail to more than 20 people?" in payload
    assert OUTSIDERS[49] in payload
    assert wp.wait_for(database, execution)[0] == "completed"
    assert received(tmp_path) == 50
    assert [one[1:3] for one in wp.attempts(database, execution)] == [
        (1, "superseded"),
        (2, "completed"),
    ]


def test_refused_it_is_not_sent_and_a_retry_asks_again(run, database, world, superuser, tmp_path):
    execution, _ = run([mail(OUTSIDERS)], {"waiting"})
    decide(superuser, world, "rejected")
    _, _, error, _ = wp.wait_for(database, execution)
    assert error["class"] == "rejected"
    retrying.failed(execution, by=world.operator.actor, user_id=world.operator.id)
    wp.wait_for(database, execution, {"waiting"})
    assert received(tmp_path) == 0
    decide(superuser, world, "approved", 1)
    assert wp.wait_for(database, execution)[0] == "completed"
    assert received(tmp_path) == 50


def test_what_was_approved_runs_although_the_clock_went_on(
    run, database, world, superuser, tmp_path
):
    step = mail(OUTSIDERS)
    step["params"]["text"] = "Made at {{now()}}"
    execution, _ = run([step], {"waiting"})
    payload = decide(superuser, world, "approved")
    assert wp.wait_for(database, execution)[0] == "completed"
    query = "SELECT input ->> 'text' FROM step_execution WHERE attempt = 2"
    assert superuser.execute(query).fetchone()[0] in payload


def test_nobody_is_asked_twice_about_the_same(run, database, world, superuser, tmp_path):
    ask = {"id": "ask", "type": "human_approval", "title": "Send?", "approvers": ["owner"]}
    execution, _ = run([ask, mail(OUTSIDERS, dependencies=["ask"])], {"waiting"})
    decide(superuser, world, "approved")
    assert wp.wait_for(database, execution)[0] == "completed"
    assert superuser.execute("SELECT count(*) FROM approval").fetchone() == (1,)
    assert received(tmp_path) == 50


def test_a_small_mail_asks_nobody(run, tmp_path):
    _, (status, _, _, _) = run([mail(OUTSIDERS[:3])])
    assert status == "completed"
    assert received(tmp_path) == 3


def use(superuser, owner, at="now()", count=500):
    superuser.execute(
        "INSERT INTO action_use (owner_id, key, rule, action, execution_id, amount, at) "  # noqa: S608 - constants
        f"SELECT %s, uuidv7(), 1, 'mail.send', uuidv7(), 1, {at} FROM generate_series(1, {count})",
        [owner],
    )


def test_the_five_hundred_and_first_mail_of_a_day_is_refused(run, world, superuser, tmp_path):
    use(superuser, world.operator.id, count=499)
    assert run([mail(OUTSIDERS[:1])])[1][0] == "completed"
    _, (status, _, error, _) = run([mail(OUTSIDERS[:1])])
    assert (status, error["class"]) == ("failed", "limit")
    assert "500 times a day" in error["message"]
    assert received(tmp_path) == 1


def test_mails_of_yesterday_and_of_others_do_not_count(run, world, superuser, tmp_path):
    use(superuser, world.operator.id, at="now() - interval '25 hours'")
    use(superuser, world.stranger.id)
    assert run([mail(OUTSIDERS[:1])])[1][0] == "completed"


def test_a_rule_that_warns_stops_nothing_and_is_noted():
    plugin = Plugin(name="p", version="1", title="P", category=Category.OTHER, summary="S.")

    class Told(Model):
        text: str = Field(description="A text.")

    @plugin.action(
        effect=Effect.PURE,
        success="{text}",
        guidance="Use it.",
        rules=(
            Warn("len(params.text) > 3", "Long."),
            Block("params.text == 'no'", "Not that."),
        ),
    )
    def tell(call: Call, params: Told) -> Told:
        """Tell a text."""
        return params

    action = plugin.actions["tell"]
    assert rules.warnings(action, {"text": "four"}, context()) == ["Long."]
    assert rules.warnings(action, {"text": "one"}, context()) == []
    with pytest.raises(StepError, match="Not that"):
        rules.refuse(action, {"text": "no"}, context())
