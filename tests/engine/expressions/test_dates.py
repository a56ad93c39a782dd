"""Functions on dates: ISO texts, calendar days in the zone, never a guess."""

from zoneinfo import ZoneInfo

import pytest

from pilot.engine.expressions import NullOperandError
from tests.engine.expressions.evaluating import fault, value

KIRITIMATI = ZoneInfo("Pacific/Kiritimati")  # UTC+14
HONOLULU = ZoneInfo("Pacific/Honolulu")  # UTC-10


def test_now_and_today_are_the_start_of_the_step_in_the_zone():
    assert value("today()") == "2026-03-10"
    assert value("now()") == "2026-03-10T00:30:00+01:00"
    assert value("today()", HONOLULU) == "2026-03-09"
    assert value("today()", KIRITIMATI) == "2026-03-10"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("date('2026-03-10')", "2026-03-10"),
        ("date(' 2026-03-10 ')", "2026-03-10"),
        ("date('2026-03-10T08:00:00Z')", "2026-03-10T08:00:00+00:00"),
        ("date('2026-03-10 08:00')", "2026-03-10T08:00:00"),
        ("date('2026-03-10T08:00:00.5+0200')", "2026-03-10T08:00:00.500000+02:00"),
        ("date('01/02/2026', 'DD/MM/YYYY')", "2026-02-01"),
        ("date('01/02/2026', 'MM/DD/YYYY')", "2026-01-02"),
        ("date('1.2.2026', 'DD.MM.YYYY')", "2026-02-01"),
        ("date('3 MAR 2026', 'DD MMM YYYY')", "2026-03-03"),
        ("date('20260310', 'YYYYMMDD')", "2026-03-10"),
        ("date('10.03.2026 14:30', 'DD.MM.YYYY HH:mm')", "2026-03-10T14:30:00+01:00"),
        ("date('10.07.2026 14:30:05', 'DD.MM.YYYY HH:mm:ss')", "2026-07-10T14:30:05+02:00"),
    ],
)
def test_date_reads_iso_or_what_the_format_says(text, wanted):
    assert value(text) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date('01/02/2026')", "give a format"),
        ("date('2026-3-1')", "give a format"),
        ("date('tomorrow')", "give a format"),
        ("date('20260310')", "give a format"),
        ("date('2026-W11-2')", "give a format"),
        ("date('2026-02-30')", "give a format"),
        ("date('31/02/2026', 'DD/MM/YYYY')", "no date of the calendar"),
        ("date('10-03-2026', 'DD/MM/YYYY')", "no date written as DD/MM/YYYY"),
        ("date('10 Abc 2026', 'DD MMM YYYY')", "no month name"),
        ("date('10/03', 'DD/MM')", "needs YYYY"),
        ("date('10/10/10/2026', 'DD/DD/MM/YYYY')", "once each"),
        ("date('3 3 Mar 2026', 'MM DD MMM YYYY')", "once each"),
        ("date('1', 'YYYYMMDD" + "." * 40 + "')", "once each"),
        ("date('x', 5)", "takes a format"),
        ("date(20260310)", "not a number"),
        ("date_add('soon', 1, 'days')", "give a format"),
        ("date_add('2026-03-10', 1.5, 'days')", "whole number"),
        ("date_add('2026-03-10', '1', 'days')", "whole number"),
        ("date_add('2026-03-10', true, 'days')", "whole number"),
        ("date_add('2026-03-10', 1, 'moons')", "no unit: use minutes"),
        ("date_add('2026-03-10', 1, 5)", "no unit"),
        ("date_add('2026-03-10', 9007199254740992, 'years')", "outside the calendar"),
        ("date_add('2026-03-10', 9007199254740992, 'days')", "outside the calendar"),
        ("date_add('9999-12-31', 1, 'months')", "outside the calendar"),
        ("date_add('0001-01-01', -9007199254740992, 'minutes')", "outside the calendar"),
        ("day_of_week('0001-01-01T00:00:00+14:00')", "outside the calendar"),
        ("within_last('2026-03-10', 9007199254740992, 'hours')", "outside the calendar"),
        ("format_date('2026-03-10', 5)", "takes a format"),
    ],
)
def test_what_is_no_date_is_refused_never_guessed(text, message):
    assert message in fault(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("date_add('2026-03-10', 1, 'days')", "2026-03-11"),
        ("date_add('2026-03-10', -10, 'day')", "2026-02-28"),
        ("date_add('2026-03-10', 2, 'weeks')", "2026-03-24"),
        ("date_add('2026-01-31', 1, 'months')", "2026-02-28"),
        ("date_add('2026-03-31', -1, 'month')", "2026-02-28"),
        ("date_add('2026-03-10', 3, 'quarters')", "2026-12-10"),
        ("date_add('2024-02-29', 1, 'years')", "2025-02-28"),
        ("date_add('2026-03-10', 90, 'minutes')", "2026-03-10T01:30:00+01:00"),
        ("date_add('2026-03-10T08:00:00Z', 2, 'hours')", "2026-03-10T11:00:00+01:00"),
        ("date_add('2026-03-28T08:00:00+01:00', 1, 'days')", "2026-03-29T08:00:00+02:00"),
        ("date_add('2026-03-28T08:00:00+01:00', 24, 'hours')", "2026-03-29T09:00:00+02:00"),
        ("date_add('2026-03-28T08:00:00', 1, 'days')", "2026-03-29T08:00:00"),
        ("date_add('2026-03-10', 2.0, 'days')", "2026-03-12"),
    ],
)
def test_days_are_calendar_days_not_24_hours(text, wanted):
    assert value(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("date_diff('2026-03-10', '2026-03-12', 'days')", 2),
        ("date_diff('2026-03-12', '2026-03-10', 'days')", -2),
        ("date_diff('2026-03-28T23:00:00+01:00', '2026-03-29T01:00:00+01:00', 'days')", 1),
        ("date_diff('2026-03-09T23:30:00Z', '2026-03-10', 'days')", 0),
        ("date_diff('2026-03-29', '2026-03-30', 'hours')", 23),
        ("date_diff('2026-10-25', '2026-10-26', 'hours')", 25),
        ("date_diff('2026-03-10T10:00', '2026-03-10T10:01:59', 'minutes')", 1),
        ("date_diff('2026-03-10', '2026-03-23', 'weeks')", 1),
        ("date_diff('2026-01-31', '2026-02-28', 'months')", 0),
        ("date_diff('2026-01-31', '2026-03-31', 'months')", 2),
        ("date_diff('2026-03-31', '2026-02-28', 'months')", -1),
        ("date_diff('2026-01-10', '2026-07-10', 'quarters')", 2),
        ("date_diff('2024-03-10', '2026-03-09', 'years')", 1),
        ("date_diff('2026-03-10', null, 'days')", None),
    ],
)
def test_differences_are_whole_units(text, wanted):
    assert value(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("day_of_week('2026-03-10')", "Tuesday"),
        ("day_of_week('2026-03-09T23:30:00Z')", "Tuesday"),
        ("format_date('2026-03-05', 'DD.MM.YYYY')", "05.03.2026"),
        ("format_date('2026-03-05', 'MMM DD')", "Mar 05"),
        ("format_date('2026-03-09T23:30:15Z', 'YYYY-MM-DD HH:mm:ss')", "2026-03-10 00:30:15"),
        ("format_date('2026-03-05', 'HH:mm')", "00:00"),
        ("date(format_date('2026-03-05', 'DD MMM YYYY'), 'DD MMM YYYY')", "2026-03-05"),
    ],
)
def test_dates_are_shown_in_the_zone(text, wanted):
    assert value(text) == wanted


@pytest.mark.parametrize(
    ("day", "last", "following"),
    [
        ("2026-03-02", False, False),
        ("2026-03-03", True, False),
        ("2026-03-10", True, False),
        ("2026-03-11", False, True),
        ("2026-03-17", False, True),
        ("2026-03-18", False, False),
        ("2026-03-10T23:59:00+01:00", True, False),
        ("2026-03-10T22:59:00Z", True, False),
        ("2026-03-10T23:00:00Z", False, True),
    ],
)
def test_the_last_days_hold_today_and_the_next_do_not(day, last, following):
    assert value(f"within_last('{day}', 7, 'days')") is last
    assert value(f"within_next('{day}', 7, 'days')") is following


@pytest.mark.parametrize(
    ("moment", "last", "following"),
    [
        ("2026-03-09T22:30:00Z", True, False),
        ("2026-03-09T22:29:59Z", False, False),
        ("2026-03-09T23:30:00Z", True, False),
        ("2026-03-10T00:30:00Z", False, True),
        ("2026-03-10T00:30:01Z", False, False),
    ],
)
def test_hours_are_counted_from_the_start_of_the_step(moment, last, following):
    assert value(f"within_last('{moment}', 1, 'hours')") is last
    assert value(f"within_next('{moment}', 60, 'minutes')") is following


def test_a_window_of_months_ends_on_the_calendar_day():
    assert value("within_last('2026-02-10', 1, 'months')") is True
    assert value("within_last('2026-02-09', 1, 'months')") is False
    assert value("within_next('2026-06-10', 1, 'quarters')") is True


def test_null_in_a_later_place_is_named():
    assert "default()" in fault("date_add(today(), null, 'days')", kind=NullOperandError)
    assert value("within_last(null, 1, 'days')") is None
