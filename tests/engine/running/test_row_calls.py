"""Batches of an AI step, on a worker and over a provider's protocol: each row keeps its answer."""

from dataclasses import replace
from decimal import Decimal

import pytest
from cryptography.fernet import Fernet

from pilot import db, strictjson, vault
from pilot.engine.life import executions, past_runs, replays, retrying, starts
from pilot.engine.providers.budgets import Limits
from pilot.reports import execution as report
from pilot.reports import replays as replay_report
from tests.engine import worker_process as wp
from tests.engine.acting.test_ai_steps import calls
from tests.engine.generation.asked import set_up
from tests.processes import run_until_killed

KIND = {
    "type": "object",
    "properties": {"kind": {"enum": ["order", "other"]}},
    "required": ["kind"],
    "additionalProperties": False,
}
ORDER, OTHER = {"kind": "order"}, {"kind": "other"}
AGAIN = "They are asked once more"


def classify(**batch):
    return {
        "id": "classify",
        "type": "ai_processing",
        "prompt": "Which kind of mail is each?",
        "output_schema": KIND,
        "batch": {"items": "inputs.mails"} | batch,
    }


def said(*answers):
    """Return a reply with these answers, each a row and what is answered to it."""
    return {"rows": [{"row": row, "answer": answer} for row, answer in answers]}


def all_of(*rows):
    return said(*((row, ORDER) for row in rows))


@pytest.fixture
def models(peer, database, world):
    """A cheap and a strong model at the peer."""
    vault.configure([Fernet.generate_key().decode()])
    set_up(peer)
    yield peer
    vault.configure([])


@pytest.fixture
def worker(models, database, redis_url, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path), hears=True) as resident:
        yield resident


def start(user, count, step, usd=None, **document):
    inputs = {"type": "object", "properties": {"mails": {"type": "array"}}}
    agent = wp.make_agent(
        user.id, [step], inputs=inputs, output="{{steps.classify.output}}", **document
    )
    asked = starts.Start(
        inputs={"mails": [f"mail {n}" for n in range(count)]},
        budget_usd=None if usd is None else Decimal(usd),
    )
    return starts.start(agent, asked, by=user.actor, user_id=user.id)


def run(database, user, count, step, **document):
    execution = start(user, count, step, **document)
    return execution, wp.wait_for(database, execution)[:3]


@pytest.mark.capability(283)
def test_rows_that_are_lost_doubled_or_misfit_are_asked_once_more(worker, models, database, world):
    first = said((0, ORDER), (2, ORDER), (2, OTHER), (3, {"kind": "spam"}), ("4", ORDER))
    first["rows"] += [{"row": 5}, {"row": 99, "answer": ORDER}, "row 6", {"row": 6, "answer": None}]
    rest = said(*((row, OTHER) for row in (6, 5, 4, 3, 2, 1)))
    models.script({"match": {"text": AGAIN}, "reply": rest}, {"reply": first})
    execution, (status, output, _) = run(database, world.operator, 7, classify())
    assert (status, output) == ("completed", {"items": [ORDER, *[OTHER] * 6], "errors": []})
    asked, again = [body["messages"][-1]["content"] for body in models.bodies()]
    assert all(f'"data":"mail {row}"' in asked for row in range(7))
    assert '"data":"mail 0"' not in again
    assert "row 1: the model left it out; row 2: the model answered it 2 times" in again
    assert wp.paths(database, execution) == dict.fromkeys(
        ("classify", "classify/call[1]", "classify/again[1]"), "completed"
    )
    assert [one["path"] for one in calls(database, execution)] == [
        "classify/call[1]",
        "classify/again[1]",
    ]
    with db.reading(world.operator.id) as session:
        agent = report.shown(session, execution).row.agent_id
        (step, *_) = session.execute(past_runs.RUNS, {"agent": agent}).all()
    assert (step.path, step.mean) == ("classify", models.bill())
    assert step.ms > 0


FAILING = [
    ("stop", "failed"),
    ({"tolerate": 1}, "failed"),
    ({"tolerate": "50%"}, "completed_with_errors"),
]


@pytest.mark.capability(283)
def test_rows_lost_twice_fail_by_their_number_as_the_policy_says(worker, models, database, world):
    lost = {"match": {"text": AGAIN}, "reply": said((1, ORDER), (1, ORDER))}
    models.script(lost, {"reply": all_of(0, 2, 4)})
    for failure, status in FAILING:
        execution, found = run(database, world.operator, 5, classify(failure=failure))
        assert found[0] == status, failure
        failed = [path for path, one in wp.paths(database, execution).items() if one == "failed"]
        assert {"classify/row[1]", "classify/row[3]"} <= {*failed}
        why = "Row 1: Asked twice, and the model answered it 2 times."
        if status == "failed":
            assert found[2]["message"] == f"{why} 1 more failed."
            assert found[2]["class"] == "schema"
        else:
            assert found[1]["items"] == [ORDER, None, ORDER, None, ORDER]
            named = [(one["index"], one["message"]) for one in found[1]["errors"]]
            assert named == [
                (1, "Asked twice, and the model answered it 2 times."),
                (3, "Asked twice, and the model left it out."),
            ]


@pytest.mark.capability(283)
def test_a_failed_row_is_named_and_a_retry_asks_about_it_alone(worker, models, database, world):
    user = world.operator
    models.script({"match": {"text": AGAIN}, "reply": said()}, {"reply": all_of(0, 2)})
    execution, (status, *_) = run(database, user, 3, classify(failure="collect"))
    assert status == "completed_with_errors"
    with db.reading(user.id) as session:
        (step, *inside) = report.shown(session, execution).steps
    assert step.attempts[-1].notes == [
        "3 rows in 1 call.",
        "Asked once more about row 1.",
        "Failed: row 1.",
    ]
    assert [(one.name, one.status, one.repeatable) for one in inside] == [
        ("Call 1", "completed", False),
        ("Call 1, asked again", "completed", False),
        ("Row 1", "failed", False),
    ]
    models.script({"reply": said((1, OTHER))})
    retrying.failed(execution, by=user.actor, user_id=user.id)
    status, output = wp.wait_for(database, execution)[:2]
    assert (status, output) == ("completed", {"items": [ORDER, OTHER, ORDER], "errors": []})
    (body,) = models.bodies()
    assert "mail 1" in body["messages"][-1]["content"]
    assert "mail 0" not in body["messages"][-1]["content"]
    _simulated_and_replayed(database, user, execution)
    assert len(models.requests()) == 1


def _simulated_and_replayed(database, user, execution):
    """Look at it without a model: rows that are made up, and the very rows of before."""
    who = {"by": user.actor, "user_id": user.id}
    with db.reading(user.id) as session:
        agent = report.shown(session, execution).row.agent_id
    asked = starts.Start(inputs={"mails": ["a", "b"]}, mode=starts.SIMULATE)
    status, output = wp.wait_for(database, starts.start(agent, asked, **who))[:2]
    assert (status, len(output["items"]), output["errors"]) == ("completed", 2, [])
    again = replays.begin(execution, replays.Asked(), **who)
    wp.wait_for(database, again)
    with db.reading(user.id) as session:
        shown = replay_report.shown(session, again)
    assert (shown.equal, shown.differences) == (True, ())


def test_a_call_without_any_answer_fails_its_rows_and_no_others(worker, models, database, world):
    refused = {"match": {"text": "mail 1"}, "fault": "refusal"}
    models.script(refused, {"reply": all_of(2, 3)})
    step = classify(size=2, failure="collect")
    _, (status, output, _) = run(database, world.operator, 4, step)
    assert status == "completed_with_errors"
    assert output["items"] == [None, None, ORDER, ORDER]
    assert [(one["index"], one["class"]) for one in output["errors"]] == [
        (0, "refusal"),
        (1, "refusal"),
    ]


@pytest.mark.capability(27, 245, 283)
def test_each_call_is_reserved_by_itself_and_a_raised_budget_repeats_none(
    worker, models, database, world, superuser
):
    user = world.operator
    models.script(
        {"match": {"text": "mail 1"}, "reply": all_of(0, 1), "usage": {"output": 900}},
        *({"match": {"text": f"mail {row}"}, "reply": all_of(row)} for row in (2, 3)),
    )
    step = classify(size=2) | {"max_output_tokens": 1_000}
    execution = start(user, 4, step, usd="0.0009", policies={"max_parallel": 1})
    assert wp.wait_for(database, execution, wp.END | {"budget_paused"})[0] == "budget_paused"
    assert len(models.requests()) == 1
    limit = Limits(Decimal("0.01"), None)
    executions.raise_budget(execution, limit, by=user.actor, user_id=user.id)
    status, output = wp.wait_for(database, execution)[:2]
    assert (status, output["items"]) == ("completed", [ORDER] * 4)
    asked = [body["messages"][-1]["content"] for body in models.bodies()]
    assert [sum(f"mail {row}" in one for one in asked) for row in range(4)] == [1] * 4
    spent = "SELECT spent_usd, reserved_usd FROM execution WHERE id = %s"
    assert superuser.execute(spent, [execution]).fetchone() == (models.bill(), 0)


@pytest.mark.crash
@pytest.mark.capability(283)
def test_after_kill_9_no_finished_call_is_asked_again(database, redis_url, world, tmp_path):
    rules = [{"match": {"text": f"mail {row}"}, "answer": all_of(row)} for row in range(4)]
    script = tmp_path / "answers.json"
    script.write_text(strictjson.dumps({"rules": rules}))
    wp.switch_on()
    execution = start(world.operator, 4, classify(size=1), policies={"max_parallel": 1})
    run_until_killed(
        DATABASE_URL=db.dsn(database),
        REDIS_URL=redis_url,
        PILOT_DATA=str(tmp_path),
        PILOT_SCRIPT=str(script),
        PILOT_FAILPOINT="effect.after:3:kill9",
    )
    facts = replace(wp.config(database, redis_url, tmp_path), script=script)
    with wp.working(facts):
        status, output, _, _ = wp.wait_for(database, execution)
    assert (status, output["items"]) == ("completed", [ORDER] * 4)
    settled = [one["path"] for one in calls(database, execution) if one["state"] == "settled"]
    assert settled == [f"classify/call[{number}]" for number in (1, 2, 3, 4)]
