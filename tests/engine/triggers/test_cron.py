"""Cron expressions: which local minutes they mean, over changes of the clock, and in words."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.engine.triggers import cron
from pilot.errors import InvalidError

DST = [
    # zone, expression, from (local), the times that follow (local, with their offset)
    ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00", ["03-29T03:00+02:00", "03-30T02:30+02:00"]),
    (
        "Europe/Berlin",
        "0,30 2,3 * * *",
        "2026-03-29T00:00",
        ["03-29T03:00+02:00", "03-29T03:30+02:00"],
    ),
    ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", ["10-25T02:30+02:00", "10-26T02:30+01:00"]),
    (
        "Europe/Berlin",
        "*/30 2 * * *",
        "2026-10-25T02:10",
        ["10-25T02:30+02:00", "10-26T02:00+01:00"],
    ),
    (
        "America/New_York",
        "15 2 * * *",
        "2026-03-07T12:00",
        ["03-08T03:00-04:00", "03-09T02:15-04:00"],
    ),
    (
        "America/New_York",
        "15 1 * * *",
        "2026-10-31T12:00",
        ["11-01T01:15-04:00", "11-02T01:15-05:00"],
    ),
    (
        "Australia/Lord_Howe",
        "15 2 * * *",
        "2026-10-03T12:00",
        ["10-04T02:30+11:00", "10-05T02:15+11:00"],
    ),
    (
        "Australia/Lord_Howe",
        "45 1 * * *",
        "2026-04-04T12:00",
        ["04-05T01:45+11:00", "04-06T01:45+10:30"],
    ),
    ("Africa/Cairo", "0 0 * * *", "2026-04-23T12:00", ["04-24T01:00+03:00", "04-25T00:00+03:00"]),
    ("Pacific/Apia", "0 12 * * *", "2011-12-29T13:00", ["12-31T00:00+14:00", "12-31T12:00+14:00"]),
    (
        "UTC",
        "0 12 29 2 *",
        "2096-03-01T00:00",
        ["2104-02-29T12:00+00:00", "2108-02-29T12:00+00:00"],
    ),
    ("UTC", "0 0 13 * 5", "2026-11-01T00:00", ["11-06T00:00+00:00", "11-13T00:00+00:00"]),
    ("UTC", "59 23 31 * *", "2026-01-31T23:59", ["03-31T23:59+00:00", "05-31T23:59+00:00"]),
]


def following(text, zone, after, count):
    found = cron.parse(text)
    while count:
        after = cron.next_after(found, ZoneInfo(zone), after)
        yield after
        count -= 1


@pytest.mark.capability(201)
@pytest.mark.parametrize(("zone", "text", "after", "expected"), DST)
def test_a_skipped_time_fires_at_the_next_minute_and_a_repeated_one_once(
    zone, text, after, expected
):
    start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    found = [one.astimezone(ZoneInfo(zone)) for one in following(text, zone, start, len(expected))]
    assert [
        one.isoformat(timespec="minutes")[-len(told) :]
        for one, told in zip(found, expected, strict=True)
    ] == expected


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@given(start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)))  # noqa: DTZ001
def test_every_time_is_the_first_that_comes_after(zone, start):
    """Looked for minute by minute, what a clock change skips or repeats apart."""
    start = start.replace(tzinfo=UTC, second=0, microsecond=0)
    found = cron.next_after(cron.parse("7,37 * * * *"), ZoneInfo(zone), start)
    minutes = (start + timedelta(minutes=one) for one in range(1, 181))
    fits = (
        m
        for m in minutes
        if m.astimezone(ZoneInfo(zone)).minute in {7, 37} and not m.astimezone(ZoneInfo(zone)).fold
    )
    changed = (
        start.astimezone(ZoneInfo(zone)).utcoffset() != found.astimezone(ZoneInfo(zone)).utcoffset()
    )
    assert changed or found == next(islice(fits, 1))


WORDS = {
    "0 8 * * 1-5": "every weekday at 08:00",
    "0 8 * * MON-FRI": "every weekday at 08:00",
    "30 6,18 * * *": "every day at 06:30 and 18:30",
    "* * * * *": "every minute",
    "*/15 * * * *": "every 15 minutes",
    "0 * * * *": "every hour",
    "5,35 * * * *": "every hour at minute 5 and 35",
    "0 */6 * * *": "every day at 00:00, 06:00, 12:00 and 18:00",
    "0 */2 * * *": "every 2 hours",
    "*/10 9-17 * * mon,wed": "every Monday and Wednesday, every 10 minutes in the hours 9 to 17",
    "0 9 1,15 * *": "on day 1 and 15 of the month at 09:00",
    "0 9 1 1,7 *": "on day 1 of the month in January and July at 09:00",
    "0 9 13 * FRI": "on day 13 of the month and every Friday at 09:00",
    "0 8 1-31 * mon": "every day at 08:00",
    "0 8 13 * 0-6": "every day at 08:00",
    "0 8 1-31 5 mon": "every day in May at 08:00",
    "0 8 */1 * mon": "every Monday at 08:00",
    "0 0 * * fri-sun": "every Friday, Saturday and Sunday at 00:00",
    "0 0 * * 7": "every Sunday at 00:00",
    "0 0 * * 7-7": "every Sunday at 00:00",
    "0 0 * * 0-0": "every Sunday at 00:00",
    "0 0 * * SUN-SUN": "every Sunday at 00:00",
    "0 0 * * 0-7": "every day at 00:00",
}


@pytest.mark.parametrize(("text", "words"), WORDS.items())
def test_an_expression_is_told_in_words(text, words):
    assert cron.in_words(cron.parse(text)) == words


BAD = {
    "": "five fields",
    "0 8 * *": "week. Such as 0 8 * * 1-5.",
    "@daily": "@daily is 0 0 * * *.",
    " @Weekly ": "@Weekly is 0 0 * * 0.",
    "@reboot": "five fields",
    "0 8 * * * *": "five fields",
    "60 8 * * *": "minute, '60' is no number from 0 to 59",
    "0 24 * * *": "hour, '24' is no number",
    "0 8 0 * *": "day of the month, '0' is no number from 1 to 31",
    "0 8 * FOO *": "month, 'FOO' is no number from 1 to 12 or JAN to DEC",
    "0 8 * * 8": "day of the week, '8' is no number from 0 to 7 or SUN to SAT",
    "5-1 8 * * *": "range 5-1 ends before it begins",
    "*/0 8 * * *": "no step from 1 to 59",
    "*/x 8 * * *": "no step from 1 to 59",
    "1,,2 8 * * *": "minute, '' is no number",
    "٣ 8 * * *": "is no number",
    "0 8 31 2 *": "It never fires: there is no day 31 in February",
    "0 8 31 4,6,9,11 *": "It never fires: there is no day 31 in April, June, September or November",
    "0 " * 200: "five fields",
}


@pytest.mark.parametrize(("text", "told"), BAD.items())
def test_what_cannot_be_read_or_never_fires_is_refused_with_its_place(text, told):
    with pytest.raises(InvalidError) as refused:
        cron.parse(text)
    (issue,) = refused.value.issues
    assert told in issue.message
    assert issue.path == "/cron"
