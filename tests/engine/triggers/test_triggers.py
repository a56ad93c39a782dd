"""What people do with schedules: make, change, switch and delete them."""

from datetime import UTC, datetime

import pytest

from pilot import db
from pilot.engine.triggers import triggers
from pilot.engine.triggers.schedules import Timing
from pilot.errors import ConflictError, InvalidError, NotFoundError
from tests.engine import worker_process as wp
from tests.scheduling import INPUTS, MINUTELY, STEP, events, minutes


def test_only_its_owner_sees_and_changes_it(schedule, world, superuser):
    made = schedule()
    for person in (world.stranger, world.admin):
        who = {"by": person.actor, "user_id": person.id}
        with db.reading(person.id) as session, pytest.raises(NotFoundError):
            triggers.find(session, made)
        for act in (triggers.delete, lambda one, **who: triggers.change(one, MINUTELY, **who)):
            with pytest.raises(NotFoundError):
                act(made, **who)


def test_a_change_is_told_and_one_of_an_older_look_is_refused(
    schedule, world, superuser, set_clock
):
    made = schedule()
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    triggers.change(made, Timing(cron="0 8 * * 1-5", zone="Europe/Berlin"), seen=1, **who)
    row = superuser.execute("SELECT next_at, version FROM agent_trigger").fetchone()
    assert row == (datetime(2026, 11, 23, 7, tzinfo=UTC), 2)
    with pytest.raises(ConflictError, match="changed meanwhile"):
        triggers.change(made, MINUTELY, seen=1, **who)
    assert events(superuser, "AGENT_SCHEDULE%") == ["AGENT_SCHEDULE_CHANGED"] * 2


def test_one_that_is_switched_off_or_deleted_fires_no_more(
    schedule, world, pass_time, fires, superuser
):
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    first, second = schedule(overlap="queue"), schedule()
    pass_time(*minutes(1, 2))
    triggers.set_active(first, False, **who)
    triggers.delete(second, **who)
    pass_time(*minutes(3))
    assert [one[1] for one in fires()].count("skipped") == 2
    assert len(fires()) == 4
    with pytest.raises(NotFoundError):
        triggers.set_active(second, True, **who)


def test_twenty_are_the_most(schedule):
    for _ in range(triggers.MOST_PER_AGENT):
        schedule()
    with pytest.raises(ConflictError, match="at most 20"):
        schedule()


def test_inputs_that_never_fit_are_refused_at_the_save(schedule, world):
    made = wp.make_agent(world.operator.id, [STEP], inputs=INPUTS)
    for given, path in ((None, "/inputs/day"), ({"day": "x", "dya": 1}, "/inputs/dya")):
        with pytest.raises(InvalidError) as refused:
            schedule(given, made)
        assert [one.path for one in refused.value.issues] == [path]
