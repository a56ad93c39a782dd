from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pilot.views import formats

NOW = datetime(2026, 3, 14, 13, 5, 10, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("number", "full", "short"),
    [
        (None, "unknown", "unknown"),
        (0, "0", "0"),
        (999, "999", "999"),
        (1_000, "1,000", "1.0k"),
        (18_204, "18,204", "18.2k"),
        (999_949, "999,949", "999.9k"),
        (999_950, "999,950", "1.0M"),
        (10**12, "1,000,000,000,000", "1.0T"),
        (-18_204, "-18,204", "-18.2k"),
    ],
)
def test_counts_read_full_in_tables_and_short_on_tiles(number, full, short):
    assert (formats.count(number), formats.count_short(number)) == (full, short)


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (None, "unknown"),
        (0, "0 ms"),
        (840, "840 ms"),
        (999, "999 ms"),
        (1_000, "1.0 s"),
        (12_400, "12.4 s"),
        (59_949, "59.9 s"),
        (59_950, "1m 00s"),
        (72_000, "1m 12s"),
        (3_599_999, "59m 59s"),
        (11_100_000, "3h 05m"),
        (86_399_999, "23h 59m"),
        (187_200_000, "2d 4h"),
        (10**12, "11,574d 1h"),
        (-1_500, "-1.5 s"),
    ],
)
def test_durations_have_two_units_at_most(milliseconds, shown):
    assert formats.duration(milliseconds) == shown


@pytest.mark.parametrize(
    ("age_s", "shown"),
    [
        (0, "just now"),
        (4.9, "just now"),
        (5, "5 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (180, "3 min ago"),
        (3_600, "1 h ago"),
        (86_400, "1 d ago"),
        (604_800, "7 d ago"),
        (604_801, "7 Mar 2026, 14:05 CET"),
        (-7_300, "in 2 h"),
        (-700_000, "22 Mar 2026, 16:31 CET"),
    ],
)
def test_times_are_relative_for_seven_days(age_s, shown):
    assert formats.ago(NOW - timedelta(seconds=age_s), NOW, BERLIN) == shown


def test_absolute_times_name_their_zone_across_a_clock_change():
    summer = NOW + timedelta(days=30)
    assert formats.absolute(NOW, BERLIN, seconds=True) == "14 Mar 2026, 14:05:10 CET"
    assert formats.absolute(summer, BERLIN) == "13 Apr 2026, 15:05 CEST"
    assert formats.clock(NOW, ZoneInfo("UTC")) == "13:05:10 UTC"


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, "0 of 0, too few to rate"),
        (8, 19, "8 of 19, too few to rate"),
        (0, 20, "0.0 % (0 of 20)"),
        (8, 250, "3.2 % (8 of 250)"),
        (1, 100_000, "0.0 % (1 of 100,000)"),
    ],
)
def test_a_rate_names_its_base_and_few_samples_give_none(part, whole, shown):
    assert formats.rate(part, whole) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (None, "unknown"),
        (0, "0 bytes"),
        (1_023, "1,023 bytes"),
        (262_144, "256 KiB"),
        (1_048_575, "1 MiB"),
        (1_572_864, "1.5 MiB"),
        (10**13, "9,313.2 GiB"),
    ],
)
def test_sizes_use_binary_units(size_bytes, shown):
    assert formats.size(size_bytes) == shown


def test_a_short_id_is_its_end_and_plurals_agree():
    assert formats.short_id("0197a3c2-7b1e-7d44-9a57-3f62c1d08e4b") == "c1d08e4b"
    assert [formats.plural(n, "step", "steps") for n in (0, 1, 2)] == [
        "0 steps",
        "1 step",
        "2 steps",
    ]


def test_every_status_has_a_tone_a_shape_and_a_word():
    looks = [look for known in formats.STATUSES.values() for look in known.values()]
    shapes = {"idle": "ring", "active": "half", "good": "disc", "bad": "cross", "off": "bar"}
    for look in looks:
        assert look.word
        assert look.shape == shapes.get(look.tone, look.shape)
        assert look.tone != "attention" or look.shape in {"diamond", "split"}


def test_an_unknown_status_is_an_error_not_a_guess():
    with pytest.raises(KeyError):
        formats.look("execution", "done")


def test_times_of_the_engine_are_told_in_the_zone_of_the_reader():
    words = "until 2026-03-14 13:05 UTC, at 2026-04-13 13:05:10 UTC, "
    words += "not 2026-99-99 13:05 UTC, nor 9999-12-31 23:30 UTC"
    told = "until 14 Mar 2026, 14:05 CET, at 13 Apr 2026, 15:05:10 CEST, "
    told += "not 2026-99-99 13:05 UTC, nor 9999-12-31 23:30 UTC"
    assert formats.local_times(words, BERLIN) == told
