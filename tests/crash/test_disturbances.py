"""Zombies, cut connections, races: nothing is lost or doubled, and the wrong one writes nothing."""

import pytest
from hypothesis import settings

pytestmark = pytest.mark.crash
MIXED = ("chain", "wide", "once")
NIGHTLY = settings.get_current_profile_name() == "nightly"
MORE = 4 if NIGHTLY else 1


@pytest.mark.capability(240)
def test_a_worker_that_wakes_up_after_its_lease_writes_and_sends_nothing(laboratory):
    points = {
        "nested": "execution.child.before_commit:1",  # amid a transaction, with rows locked
        "chain": "effect.before:2 effect.before:4 effect.after:3 decide.before_commit:1 "
        "finish.before_commit:1 result.before_commit:4",
        "wide": "intent.before_commit:2 effect.before:3 effect.after:1 result.before_commit:5",
        "once": "claim.after_commit:1 effect.before:1 effect.after:1 result.before_commit:2 "
        "intent.before_commit:1",
        "asked": "wait.before_commit:1 park.before_commit:1 effect.before:2 intent.after_commit:2 "
        "result.before_commit:1",
        "voided": "void.before_commit:1 effect.before:2 effect.after:1",
        "rounds": "effect.before:1 effect.after:2 intent.after_commit:3 result.before_commit:3",
        "undone": "finish.before_commit:1 effect.before:3",
    }
    laboratory(
        [
            {"kind": "zombies", "points": text.split(), "workflows": (name,)}
            for _ in range(67 if NIGHTLY else 1)
            for name, text in points.items()
        ]  # 2,010 zombies, or 30
    )


def test_cut_connections_lose_and_double_nothing(laboratory):
    names = (*MIXED, "asked", "later", "slow", "voided") * 3
    laboratory([{"kind": "cut", "times": 12, "workflows": names} for _ in range(2 * MORE)])


@pytest.mark.capability(242)
def test_a_rolling_restart_loses_and_doubles_nothing(laboratory):
    names = (*MIXED, "asked", "slow", "later")
    laboratory([{"kind": "rolling", "times": 2, "workflows": names * 2} for _ in range(MORE)])


def test_two_workers_and_too_many_bells_run_each_step_once(laboratory):
    names = (*MIXED, "asked", "slow") * 6
    laboratory([{"kind": "race", "workflows": names} for _ in range(2 * MORE)])


@pytest.mark.capability(224)
def test_a_poisoned_execution_is_parked_after_five_workers_and_harms_no_other(laboratory):
    laboratory([{"kind": "poison", "workflows": (*MIXED, "slow") * 5} for _ in range(MORE)])


@pytest.mark.capability(241)
def test_without_the_queue_server_everything_goes_on(laboratory):
    laboratory([{"kind": "queueless", "workflows": (*MIXED, "asked")} for _ in range(2 * MORE)])


@pytest.mark.capability(29, 32)
def test_a_worker_killed_in_its_sweep_leaves_the_rest_to_others(laboratory):
    names = (*MIXED, "slow", "later")
    laboratory([{"kind": "takeover", "hit": hit, "workflows": names} for hit in (1, 2, 3, 4)])


@pytest.mark.capability(245)
def test_a_budget_holds_at_every_commit_however_often_workers_die(laboratory):
    laboratory([{"kind": "budget", "seed": seed, "kills": 3} for seed in (1, 2)])
