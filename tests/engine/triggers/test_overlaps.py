"""Times of a schedule that come together: the oldest first, and never beside a retry."""

from datetime import timedelta

import pytest

from pilot.engine.agents import agents
from pilot.engine.life import retrying
from pilot.engine.life.preflight import UNTOLD
from pilot.engine.triggers import firing
from tests.scheduling import INPUTS, START, STEP, minutes

UNDER_WAY = "The execution before was still under way."


@pytest.mark.capability(201)
@pytest.mark.parametrize("administrator", [False, True])
def test_a_retry_is_under_way_like_what_failed_was(  # noqa: PLR0917 -- and who retries
    schedule, pass_time, fires, end, superuser, world, administrator
):
    schedule()
    pass_time(*minutes(1))
    superuser.execute("""UPDATE execution SET error = '{"class": "server"}'""")
    end("failed")
    pass_time(*minutes(1))
    assert fires() == [("12:01", "ended", "")]
    (made,) = superuser.execute("SELECT id FROM execution").fetchone()
    who = world.admin if administrator else world.operator
    retrying.failed(made, by=who.actor, user_id=who.id, sees_all=administrator)
    pass_time(*minutes(2))
    assert fires() == [("12:01", "started", ""), ("12:02", "skipped", UNDER_WAY)]
    end()
    pass_time(*minutes(3))
    assert fires()[::2] == [("12:01", "ended", ""), ("12:03", "started", "")]
    assert superuser.execute("SELECT failures FROM agent_trigger").fetchone() == (0,)


@pytest.mark.capability(201)
def test_what_is_queued_starts_with_the_oldest(schedule, pass_time, superuser, end):
    schedule(cron="0 * * * *", catch_up="all", overlap="queue")
    pass_time(START + timedelta(hours=9, minutes=5))
    for _ in range(9):
        end()
        while firing.look(UNTOLD):
            pass
    query = "SELECT fire_at FROM trigger_fire f JOIN execution e ON e.id = execution_id"
    started = [at_.hour for (at_,) in superuser.execute(f"{query} ORDER BY e.id")]
    assert started == list(range(13, 22))


@pytest.mark.capability(201)
def test_of_several_that_came_the_oldest_starts_and_the_others_are_skipped(
    schedule, pass_time, fires
):
    schedule(catch_up="all")
    pass_time(*minutes(9))
    assert fires()[0] == ("12:01", "started", "")
    assert fires()[1:] == [(f"12:0{n}", "skipped", UNDER_WAY) for n in range(2, 10)]


@pytest.mark.capability(201)
def test_a_time_that_comes_does_not_overtake_what_waits(schedule, pass_time, fires, end, set_clock):
    schedule(overlap="queue")
    pass_time(*minutes(1, 2))
    end()
    set_clock(minutes(3)[0])
    for _ in range(9):
        firing.look(UNTOLD)
    assert [one[1] for one in fires()] == ["ended", "started", "waiting"]


@pytest.mark.capability(201)
def test_nothing_makes_way_for_what_cannot_start(
    schedule, pass_time, fires, timed_agent, world, superuser
):
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    schedule({}, overlap="cancel_previous")
    pass_time(*minutes(1))
    agents.set_active(timed_agent, False, **who)
    pass_time(*minutes(2))
    agents.set_active(timed_agent, True, **who)
    document = {"format": 1, "steps": [STEP], "inputs": INPUTS}
    agents.save_version(timed_agent, document, reason="It needs a day.", base=1, **who)
    pass_time(*minutes(3))
    assert fires() == [
        ("12:01", "started", ""),
        ("12:02", "skipped", "The agent is switched off."),
        ("12:03", "refused", "The input day is missing: fill it in."),
    ]
    assert superuser.execute("SELECT status FROM execution").fetchall() == [("queued",)]
