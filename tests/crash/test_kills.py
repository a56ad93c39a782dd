"""kill -9 at every crash point and at random moments: nothing lost, nothing doubled."""

import pytest
from hypothesis import settings

pytestmark = pytest.mark.crash
SIDES = ("before_commit", "after_commit")
MIXED = ("chain", "wide", "once")
NIGHTLY = settings.get_current_profile_name() == "nightly"


def at(points, *names, hits=(1,), **fields):
    """Trials at both sides of commits, one for each pass."""
    return [
        {"kind": "kill", "point": f"{name}.{side}", "hit": hit, "workflows": names} | fields
        for name in points
        for side in (("before", "after") if name == "effect" else SIDES)
        for hit in hits
    ]


@pytest.mark.capability(29, 31, 32)
def test_a_worker_killed_around_an_effect_loses_and_doubles_nothing(laboratory):
    laboratory(at(["effect", "intent"], *MIXED, hits=(1, 2, 3, 5, 6, 7)))


@pytest.mark.capability(29, 30, 31, 32)
def test_a_worker_killed_around_a_result_loses_no_output(laboratory):
    trials = at(["result"], *MIXED, hits=(1, 2, 3, 5, 7, 8, 10, 12, 14, 16))
    trials += at(["decide"], *MIXED) + at(["finish"], *MIXED, hits=(1, 2, 3))
    laboratory(trials)


@pytest.mark.capability(238)
def test_a_worker_killed_amid_thousands_of_items_gathers_each_once(laboratory):
    laboratory(at(["result"], "many", hits=(700,))[1:])


@pytest.mark.capability(29, 31, 238)
def test_of_two_workers_at_one_scatter_one_is_killed_and_the_other_does_all_that_is_left(
    laboratory,
):
    points = {"result.before_commit": 12, "intent.after_commit": 9, "batch.before_commit": 1}
    trials = [{"kind": "shared", "point": one, "hit": n, "workers": 2} for one, n in points.items()]
    trials.append({"kind": "shared", "point": "spread.after_commit", "hit": 1, "workers": 1})
    laboratory(trials)


@pytest.mark.capability(29, 31, 40, 207, 208)
def test_a_worker_killed_in_a_round_repeats_no_other(laboratory):
    trials = at(["result", "intent"], "rounds", hits=(2, 4)) + at(["effect"], "rounds")
    laboratory(trials + at(["decide"], "rounds", hits=(2,)) + at(["finish"], "rounds"))


@pytest.mark.capability(209)
def test_a_worker_killed_around_an_execution_within_starts_it_once(laboratory):
    trials = at(["execution.child", "wait"], "nested") + at(["finish"], "nested", hits=(1, 2))
    laboratory(trials + at(["result"], "nested", hits=(3,)))


@pytest.mark.capability(310)
def test_a_worker_killed_around_a_large_output_loses_and_doubles_nothing(laboratory):
    trials = at(["result"], "large", hits=(2,)) + at(["finish"], "large")
    trials.append({"kind": "kill", "point": "blob.stored", "hit": 1, "workflows": ("large",)})
    laboratory(trials)


@pytest.mark.capability(29, 32, 41)
def test_a_worker_killed_around_a_wait_goes_on_waiting(laboratory):
    trials = at(["wait", "park"], "asked", "later", "voided", hits=(1, 2, 3))
    trials += at(["void"], "voided", "asked") + at(["intent", "result"], "voided", hits=(1, 2))
    laboratory(trials)


@pytest.mark.capability(45, 235)
def test_a_worker_killed_while_it_undoes_undoes_each_step_once(laboratory):
    trials = at(["execution.compensate", "finish"], "undone")
    laboratory(trials + at(["intent", "effect", "result"], "undone", hits=(3, 4)[: 1 + NIGHTLY]))


@pytest.mark.capability(29, 31)
def test_a_worker_killed_amid_a_simulation_gives_the_same_and_touches_nothing(laboratory):
    names = ("simulated:played", "simulated:family")
    trials = at(["intent", "result"], *names, hits=(1, 4)) + at(["finish"], *names)
    laboratory(trials + at(["effect"], *names, hits=(3,)))


@pytest.mark.capability(29, 31)
def test_a_worker_killed_around_a_confirmation_asks_and_acts_once(laboratory):
    laboratory(at(["confirmed", "action.count"], "careful"))


@pytest.mark.capability(155, 156)
def test_a_worker_killed_around_a_refused_connection_rests_until_it_is_mended(laboratory):
    trials = at(["connections.refused", "park"], "shut") + at(["result"], "shut", hits=(2,))
    laboratory(trials + at(["intent"], "shut", hits=(3,)))


@pytest.mark.capability(209)
def test_a_worker_killed_while_children_follow_leaves_them_to_others(laboratory):
    trials = at(["execution.outcome", "execution.following"], "family")
    paused = {"press": "pause", "press_at": "waiting", "absent": True, "alone": True}
    laboratory(trials + at(["execution.pause_child"], "family", **paused))


@pytest.mark.capability(263)
def test_a_worker_killed_around_a_failure_or_its_retry_spends_no_other_attempt(laboratory):
    laboratory(at(["breaker.note", "result"], "flaps", hits=(2, 1, 3)[: 1 + 2 * NIGHTLY]))


def test_a_worker_killed_while_it_stops_leaves_the_rest_to_others(laboratory):
    trials = at(["pause"], "slow", "slow", press="pause", hits=(1, 2))
    trials += at(["interrupt"], "slow", "slow", press="cancel", hits=(1, 2))
    trials += at(["finish"], "slow", "slow", press="cancel", hits=(1, 2))
    trials += at(["release"], "slow", "slow", press="drain")
    laboratory(trials)


@pytest.mark.capability(32, 53, 54, 239)
def test_of_the_executions_of_workers_killed_at_any_moment_none_is_lost_or_doubled(laboratory):
    names = (*MIXED, "asked", "later", "slow", "voided", "rounds", "nested", "undone", "awaits")
    trials, kills = (500, 20) if NIGHTLY else (8, 10)
    laboratory(
        [
            {"kind": "chance", "seed": seed, "kills": kills, "workflows": names}
            for seed in range(trials)
        ]
    )
