"""Times that came while nobody looked: caught up, or told as missed; none goes without a trace."""

from datetime import timedelta

import pytest

from pilot import db
from pilot.engine.life.restoring import MAY_HAVE_STARTED
from pilot.engine.triggers import triggers
from pilot.engine.triggers.schedules import Timing
from pilot.models.trigger import Trigger
from tests.scheduling import START

LATE = START + timedelta(hours=3, minutes=30)
MISSED = ("14:00", "skipped", "Missed, as all since 2026-11-21 13:00 UTC.")


@pytest.mark.capability(201)
@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("none", [("12:05", "skipped", "Missed, as all since 2026-11-21 12:01 UTC.")]),
        (
            "one",
            [
                ("12:04", "skipped", "Missed, as all since 2026-11-21 12:01 UTC."),
                ("12:05", "started", ""),
            ],
        ),
        ("all", [(f"12:0{n}", "started", "") for n in range(1, 6)]),
    ],
)
def test_after_a_downtime_it_catches_up(schedule, pass_time, fires, catch_up, expected):
    schedule(catch_up=catch_up, overlap="allow", ends_at=START + timedelta(minutes=5))
    pass_time(START + timedelta(hours=1))
    assert fires() == expected


@pytest.mark.capability(285)
@pytest.mark.parametrize("catch_up", ["one", "all"])
def test_what_came_before_a_restore_is_not_caught_up(
    schedule, pass_time, fires, superuser, catch_up
):
    schedule(cron="0 * * * *", catch_up=catch_up, overlap="allow")
    restored_at = START + timedelta(hours=1, minutes=30)
    superuser.execute("UPDATE deployment SET restored_at = %s", [restored_at])
    pass_time(restored_at, START + timedelta(hours=2))
    assert fires() == [("13:00", "skipped", MAY_HAVE_STARTED), ("14:00", "started", "")]


@pytest.mark.capability(201)
def test_of_days_without_a_worker_the_first_and_the_last_are_told(schedule, pass_time, fires):
    schedule(cron="0 8 * * *", catch_up="none", zone="Europe/Berlin")
    pass_time(START + timedelta(days=4))
    assert fires() == [("07:00", "skipped", "Missed, as all since 2026-11-22 08:00 Europe/Berlin.")]


@pytest.mark.capability(201)
@pytest.mark.parametrize("given", [None, {"other": 1}])
def test_a_change_loses_no_time_that_has_come(schedule, change, set_clock, pass_time, fires, given):
    made = schedule(cron="0 * * * *")
    set_clock(LATE)
    change(made, given)
    pass_time(LATE + timedelta(minutes=1))
    assert fires() == [MISSED, ("15:00", "started", "")]


@pytest.mark.capability(201)
def test_a_change_at_the_very_second_fires_with_the_new_inputs(
    schedule, change, set_clock, pass_time, superuser
):
    made = schedule({"which": "old"}, cron="0 * * * *")
    set_clock(START + timedelta(hours=1))
    change(made, {"which": "new"})
    pass_time(START + timedelta(hours=1, seconds=1))
    rows = superuser.execute("SELECT inputs FROM execution").fetchall()
    assert rows == [({"which": "new"},)]


@pytest.mark.capability(201)
def test_what_had_come_when_it_was_switched_off_is_told(
    schedule, set_clock, pass_time, fires, world
):
    made = schedule(cron="0 * * * *")
    set_clock(LATE)
    for active in (False, True):
        triggers.set_active(made, active, by=world.operator.actor, user_id=world.operator.id)
    pass_time(LATE + timedelta(minutes=31))
    off = ("15:00", "skipped", triggers.SWITCHED_OFF)
    assert fires() == [MISSED, off, ("16:00", "started", "")]


@pytest.fixture
def change(world):
    """Give `change(trigger, inputs)`: it keeps its times."""

    def change(trigger_id, given):
        with db.reading(world.operator.id) as session:
            timing = Timing.of(session.get(Trigger, trigger_id))
        triggers.change(
            trigger_id, timing, given, by=world.operator.actor, user_id=world.operator.id
        )

    return change
