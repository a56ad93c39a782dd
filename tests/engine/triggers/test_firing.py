"""What schedules start: once each time; what overlaps, what is refused."""

from datetime import timedelta
from itertools import product

import pytest

from pilot import db
from pilot.engine.agents import agents, archiving
from pilot.engine.life.preflight import UNTOLD
from pilot.engine.triggers import firing, triggers
from pilot.engine.upkeep import retention
from pilot.failpoints import InjectedFaultError
from tests.engine import worker_process as wp
from tests.engine.together import at_once
from tests.scheduling import INPUTS, START, STEP, count, events, minutes


@pytest.mark.capability(201)
def test_each_time_starts_one_execution_as_the_owner(schedule, pass_time, superuser, world, fires):
    schedule(overlap="allow")
    pass_time(START, *minutes(1, 2))
    rows = superuser.execute("SELECT trigger, mode, owner_id, started_by FROM execution").fetchall()
    assert rows == [("schedule", "run", world.operator.id, world.operator.id)] * 2
    assert fires() == [("12:01", "started", ""), ("12:02", "started", "")]
    assert events(superuser, "TRIGGER%") == ["TRIGGER_FIRED"] * 2
    assert events(superuser, "AGENT_SCHEDULE%") == ["AGENT_SCHEDULE_CHANGED"]


@pytest.mark.capability(201)
def test_several_workers_that_look_at_once_fire_once(schedule, set_clock, superuser):
    schedule(overlap="allow")
    schedule(overlap="allow", catch_up="all")
    set_clock(START + timedelta(minutes=3))
    for _ in range(3):
        at_once(*[lambda: firing.look(UNTOLD)] * 4)
    assert count(superuser) == count(superuser, "trigger_fire WHERE status = 'started'") == 1 + 3
    assert count(superuser, "trigger_fire") == 5  # one tells what was missed


@pytest.mark.capability(201)
@pytest.mark.parametrize(
    "point",
    [
        f"triggers.{operation}.{side}_commit"
        for operation, side in product(("come", "fire"), ("before", "after"))
    ],
)
def test_a_worker_that_dies_between_time_and_start_loses_and_doubles_nothing(
    point, schedule, set_clock, superuser, monkeypatch, fires
):
    schedule()
    set_clock(START + timedelta(minutes=1))

    def die(name):
        if name == point:
            raise InjectedFaultError(name)

    with monkeypatch.context() as patch:
        patch.setattr(db, "failpoint", die)
        firing.look(UNTOLD)
        firing.look(UNTOLD)
    while firing.look(UNTOLD):
        pass
    assert count(superuser) == 1
    assert fires() == [("12:01", "started", "")]


@pytest.mark.capability(201)
def test_skip_leaves_out_what_comes_while_one_is_under_way(schedule, pass_time, fires, end):
    schedule()
    pass_time(*minutes(1, 2))
    end()
    pass_time(*minutes(3))
    assert fires() == [
        ("12:01", "ended", ""),
        ("12:02", "skipped", "The execution before was still under way."),
        ("12:03", "started", ""),
    ]


@pytest.mark.capability(201)
def test_queue_starts_one_after_the_other(schedule, pass_time, fires, end):
    schedule(overlap="queue")
    pass_time(*minutes(1, 2, 3))
    assert [one[1] for one in fires()] == ["started", "waiting", "waiting"]
    end()
    pass_time(minutes(3)[0])
    assert [one[1] for one in fires()] == ["ended", "started", "waiting"]


@pytest.mark.capability(201)
def test_cancel_previous_ends_the_one_before(schedule, pass_time, fires, superuser, end):
    schedule(overlap="cancel_previous")
    pass_time(*minutes(1, 2))
    assert [one[1] for one in fires()] == ["ended", "started"]
    superuser.execute("UPDATE execution SET status = 'running' WHERE status = 'queued'")
    pass_time(*minutes(3, 4))
    assert fires()[2:] == [
        ("12:03", "skipped", "A later time came before it could start."),
        ("12:04", "waiting", "The execution before is still under way."),
    ]
    end("cancelled")
    pass_time(minutes(4)[0])
    assert [one[1] for one in fires()] == ["ended", "ended", "skipped", "started"]


@pytest.mark.capability(201)
def test_ten_failures_in_a_row_switch_it_off_and_tell_its_owner(
    schedule, pass_time, end, superuser
):
    made = schedule()
    for minute in range(1, 10):
        pass_time(*minutes(minute))
        end("failed")
    pass_time(*minutes(10))
    assert superuser.execute("SELECT active, failures FROM agent_trigger").fetchone() == (True, 9)
    end("failed")
    pass_time(*minutes(11, 12))
    row = superuser.execute("SELECT id, active, off_reason, next_at FROM agent_trigger").fetchone()
    assert row == (made, False, "10 failures in a row.", None)
    assert count(superuser) == 10
    assert events(superuser, "TRIGGER_DISABLED") == ["TRIGGER_DISABLED"]
    assert count(superuser, "outbox WHERE kind = 'mail'") == 1


@pytest.mark.capability(201)
def test_a_success_or_switching_on_again_counts_anew(schedule, pass_time, end, superuser, world):
    made = schedule()
    pass_time(*minutes(1))
    end("failed")
    pass_time(*minutes(2))
    end()
    pass_time(*minutes(3))
    end("failed")
    pass_time(*minutes(4))
    assert superuser.execute("SELECT failures FROM agent_trigger").fetchone() == (1,)
    for active in (False, True):
        triggers.set_active(made, active, by=world.operator.actor, user_id=world.operator.id)
    row = superuser.execute("SELECT failures, next_at FROM agent_trigger").fetchone()
    assert row == (0, minutes(5)[0])


def test_a_start_that_is_refused_says_why_and_counts(schedule, pass_time, fires, superuser, world):
    made = wp.make_agent(world.operator.id, [STEP], inputs=INPUTS)
    schedule({"day": "today"}, made)
    superuser.execute("UPDATE agent_trigger SET inputs = NULL")
    pass_time(*minutes(1))
    assert fires() == [("12:01", "refused", "The input day is missing: fill it in.")]
    assert superuser.execute("SELECT failures FROM agent_trigger").fetchone() == (1,)
    assert events(superuser, "TRIGGER%") == ["TRIGGER_REJECTED"]


def test_its_inputs_lie_over_the_saved_ones(schedule, pass_time, superuser, world):
    made = wp.make_agent(world.operator.id, [STEP], inputs={**INPUTS, "required": []})
    agents.save_inputs(made, {"day": "saved"}, user_id=world.operator.id)
    schedule(None, made)
    schedule({"day": "own"}, made)
    pass_time(*minutes(1))
    rows = superuser.execute("SELECT inputs FROM execution ORDER BY inputs->>'day'").fetchall()
    assert rows == [({"day": "own"},), ({"day": "saved"},)]


@pytest.mark.capability(201)
def test_nothing_fires_for_who_is_suspended_or_an_agent_that_is_off(
    schedule, pass_time, fires, timed_agent, world, superuser
):
    schedule()
    agents.set_active(timed_agent, False, by=world.operator.actor, user_id=world.operator.id)
    pass_time(*minutes(1))
    agents.set_active(timed_agent, True, by=world.operator.actor, user_id=world.operator.id)
    superuser.execute("UPDATE app_user SET active = false WHERE id = %s", [world.operator.id])
    pass_time(*minutes(2))
    superuser.execute("UPDATE app_user SET active = true WHERE id = %s", [world.operator.id])
    archiving.archive(timed_agent, key=None, by=world.operator.actor, user_id=world.operator.id)
    pass_time(*minutes(3, 4))
    assert fires() == [
        ("12:01", "skipped", "The agent is switched off."),
        ("12:02", "skipped", "The account of its owner is switched off."),
        ("12:03", "skipped", "The agent was archived."),
    ]
    assert superuser.execute("SELECT active, off_reason FROM agent_trigger").fetchall() == [
        (False, "The agent was archived.")
    ]
    assert count(superuser) == 0


def test_a_generated_workflow_with_effects_waits_for_a_person(
    schedule, pass_time, fires, world, superuser
):
    mail = {"to": ["a@pilot.test"], "subject": "S", "text": "T"}
    step = {"id": "go", "type": "action", "plugin": "mail", "action": "send", "params": mail}
    new = agents.NewAgent("Made", origin="generated")
    document = {"format": 1, "steps": [step]}
    made = agents.create(new, document, owner_id=world.operator.id, by=wp.BY).agent_id
    schedule(None, made)
    pass_time(*minutes(1))
    ((_, status, reason),) = fires()
    assert status == "refused"
    assert "a person has to start it once" in reason
    wp.start(made, world.operator.id)
    pass_time(*minutes(2))
    assert fires()[1][1] == "started"


@pytest.mark.capability(201)
def test_a_worker_runs_what_has_come(schedule, database, redis_url, tmp_path, superuser, set_clock):
    schedule(catch_up="one")
    superuser.execute(
        "CREATE OR REPLACE FUNCTION pilot_now() RETURNS timestamptz LANGUAGE sql AS"
        " $$ SELECT clock_timestamp() $$"
    )
    superuser.execute("UPDATE agent_trigger SET next_at = pilot_now() - interval '1 s'")
    with wp.working(wp.config(database, redis_url, tmp_path)):
        done = "execution e JOIN trigger_fire f ON execution_id = e.id WHERE f.status = 'ended'"
        wp.until(lambda: count(superuser, f"{done} AND e.status = 'completed'") == 1)


def test_old_fires_go_with_the_old_executions_and_what_waits_stays(
    schedule, pass_time, superuser, set_clock
):
    schedule(overlap="queue")
    pass_time(*minutes(1, 2, 3))
    superuser.execute("UPDATE trigger_fire SET status = 'skipped' WHERE status = 'started'")
    set_clock(START + timedelta(days=1000))
    assert retention.due()["fires and deliveries"] == 1
    assert retention.prune(by=wp.BY)["fires and deliveries"] == 1
    assert count(superuser, "trigger_fire WHERE status = 'waiting'") == 2
