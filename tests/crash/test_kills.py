"""kill -9 at every crash point and at random moments: nothing lost, nothing doubled."""

import pytest

pytestmark = pytest.mark.crash


def at(point, *names, hits=(1,), **fields):
    return [
        {"kind": "kill", "point": point, "hit": hit, "workflows": names} | fields for hit in hits
    ]


def test_a_worker_killed_around_an_effect_loses_and_doubles_nothing(laboratory):
    names = ("chain", "wide", "once")
    trials = [
        *at("effect.before", *names, hits=(1, 2, 4, 6)),
        *at("effect.after", *names, hits=(1, 2, 4, 6)),
    ]
    laboratory(trials)
