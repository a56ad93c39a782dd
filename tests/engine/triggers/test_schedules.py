"""When schedules fire, and what they catch up."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest

from pilot.engine.triggers import schedules
from pilot.engine.triggers.schedules import Due, Timing
from pilot.errors import InvalidError
from tests.scheduling import START


@pytest.mark.capability(201)
@pytest.mark.parametrize(
    ("catch_up", "fires", "missed"), [("none", 1, 298), ("one", 1, 298), ("all", 100, 199)]
)
def test_a_downtime_of_five_hours_is_caught_up_as_asked(catch_up, fires, missed):
    timing = Timing(cron="* * * * *", catch_up=catch_up)
    found = schedules.due(timing, START, START + timedelta(minutes=299, seconds=30))
    last = START + timedelta(minutes=299)
    assert found.fires == tuple(last - timedelta(minutes=n) for n in reversed(range(fires)))
    assert found.missed == (START, START + timedelta(minutes=missed))


@pytest.mark.capability(201)
def test_what_is_older_than_a_day_is_caught_up_by_one_alone():
    weeks = [START + timedelta(weeks=n) for n in range(3)]
    now = weeks[-1] + timedelta(days=3)
    for timing in ({"cron": "0 12 * * SAT"}, {"every_s": 7 * 86_400, "starts_at": START}):
        one = schedules.due(Timing(**timing), START, now)
        assert one == Due((weeks[2],), (weeks[0], weeks[1]))
        for catch_up in ("none", "all"):
            found = schedules.due(Timing(**timing, catch_up=catch_up), START, now)
            assert found == Due((), (weeks[0], weeks[2]))


def test_none_skips_what_is_late_by_more_than_a_minute():
    timing = Timing(cron="0 * * * *", catch_up="none")
    late = START + timedelta(seconds=61)
    assert schedules.due(timing, START, late) == Due((), (START, START))
    assert schedules.due(timing, START, late - timedelta(seconds=1)) == Due((START,))


def test_a_time_that_was_told_fires_also_when_the_rules_of_its_zone_changed():
    told = START + timedelta(minutes=17)
    assert schedules.due(Timing(cron="0 * * * *"), told, told) == Due((told,))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/Havana"])
@pytest.mark.parametrize("cron", ["*/15 * * * *", "30 2 * * *", "0 0 * * *"])
@pytest.mark.parametrize(
    "change", [datetime(2027, month, day, tzinfo=UTC) for month, day in ((3, 24), (4, 4), (10, 28))]
)
def test_the_times_told_backwards_are_those_told_forwards(cron, zone, change):
    timing = Timing(cron=cron, zone=zone)
    before = change - timedelta(days=10)
    end = change + timedelta(days=11, minutes=7)
    forwards = [*takewhile(lambda one: one <= end, schedules.times(timing, before))]
    backwards = [*takewhile(lambda one: one > before, schedules.back(timing, end))]
    assert backwards == forwards[::-1]


def test_every_so_many_seconds_counts_from_the_start():
    timing = Timing(every_s=90, starts_at=START)
    first = schedules.next_after(timing, START - timedelta(days=1))
    later = schedules.next_times(timing, START + timedelta(seconds=100), 2)
    assert first == START
    assert later == [START + timedelta(seconds=180), START + timedelta(seconds=270)]
    assert schedules.in_words(timing) == "every 90 seconds"
    assert schedules.in_words(Timing(every_s=3600)) == "every hour"


def test_it_fires_from_its_start_to_its_end_and_no_more():
    timing = Timing(
        cron="0 * * * *", starts_at=START, ends_at=START + timedelta(hours=2), zone="Europe/Berlin"
    )
    found = schedules.next_times(timing, START - timedelta(days=9))
    assert [one.hour for one in found] == [13, 14, 15]  # in its zone
    assert found[0] == START


def test_the_jitter_is_always_the_same_for_the_same_fire():
    timing = Timing(cron="* * * * *", jitter_s=600)
    found = {schedules.lateness(timing, "id", START + timedelta(minutes=n)) for n in range(20)}
    again = {schedules.lateness(timing, "id", START + timedelta(minutes=n)) for n in range(20)}
    assert found == again
    assert len(found) == 20
    assert all(timedelta() <= one < timedelta(minutes=10) for one in found)


@pytest.mark.parametrize(
    ("fields", "path", "told"),
    [
        ({}, "/cron", "either a cron expression or every_s"),
        ({"cron": "* * * * *", "every_s": 60}, "/cron", "either"),
        ({"every_s": 59}, "/every_s", "from 60 to"),
        ({"cron": "0 8 31 2 *"}, "/cron", "never fires: there is no day 31 in February"),
        ({"cron": "* * * * *", "zone": "Mars/Base"}, "/zone", "IANA"),
        ({"cron": "* * * * *", "jitter_s": -1}, "/jitter_s", "from 0"),
        ({"cron": "* * * * *", "overlap": "some"}, "/overlap", "skip, queue, allow"),
        ({"cron": "* * * * *", "catch_up": "some"}, "/catch_up", "none, one, all"),
        ({"cron": "* * * * *", "ends_at": START}, "/ends_at", "never fires"),
        ({"every_s": 60, "starts_at": START, "ends_at": START}, "/ends_at", "before it starts"),
    ],
)
def test_a_schedule_that_is_not_right_is_refused_by_its_field(fields, path, told):
    with pytest.raises(InvalidError) as refused:
        schedules.check(Timing(**fields), START)
    (issue,) = refused.value.issues
    assert issue.path == path
    assert told in issue.message


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("timing", [{"cron": "0 8 29 2 *"}, {"every_s": schedules.MOST_S}])
def test_the_first_and_the_last_moment_of_a_schedule_fire(timing, zone):
    last = schedules.LAST - timedelta(microseconds=1)
    for start in (schedules.FIRST, last):
        timed = Timing(**timing, zone=zone, starts_at=start)
        schedules.check(timed, START)
        assert len(schedules.next_times(timed, START)) == 5
