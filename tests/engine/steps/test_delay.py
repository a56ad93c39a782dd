"""Delay steps."""

from datetime import timedelta

import pytest

from pilot.engine.acting.outcomes import Done, Wait
from pilot.engine.steps import delay
from pilot.errors import StepError
from tests.engine.steps.surroundings import NOW, context, resolved, step


@pytest.mark.capability(44)
def test_a_delay_waits_and_says_how_long():
    made = step(type="delay", for_s="{{inputs.seconds}}")
    assert delay.run(made, context(inputs={"seconds": 90})) == Wait("timer", delay_s=90.0)
    done = delay.resume(made, context(), resolved("timer"), NOW + timedelta(seconds=91))
    assert done.output["waited_s"] == 91


def test_a_moment_is_read_in_the_zone_of_the_execution():
    made = step(type="delay", until="2026-03-02T12:00")
    assert delay.run(made, context()).wake_at - NOW == timedelta(hours=1, minutes=30)


def test_a_moment_that_has_passed_ends_at_once():
    made = step(type="delay", until="2026-03-02")
    assert isinstance(delay.run(made, context()), Done)


@pytest.mark.parametrize("value", [-1, "soon", None, True])
def test_a_delay_that_is_no_number_of_seconds_is_refused(value):
    made = step(type="delay", for_s="{{inputs.seconds}}")
    with pytest.raises(StepError, match="no number of seconds"):
        delay.run(made, context(inputs={"seconds": value}))


def test_a_moment_at_the_end_of_the_calendar_is_refused():
    made = step(type="delay", until="9999-12-31T23:59:59-14:00")
    with pytest.raises(StepError, match="too far away"):
        delay.run(made, context())


def test_a_moment_at_the_start_of_the_calendar_has_passed():
    made = step(type="delay", until="0001-01-01T00:00:00+14:00")
    assert isinstance(delay.run(made, context()), Done)
