"""What people press works once, also when the process that they pressed in dies."""

import pytest

pytestmark = pytest.mark.crash
POINTS = {
    "start": "execution.start",
    "pause": "execution.pause",
    "resume": "execution.resume",
    "cancel": "execution.cancel",
    "retry": "execution.retry",
    "answer": "execution.answer",
    "decide": "approval.decide",
    "repeat": "execution.retry_from",
    "fork": "execution.fork",
    "simulate": "simulation.begin",
    "raise": "execution.raise_budget",
}
CROWDED = ("start", "resume", "cancel", "retry", "answer", "decide", "fork")
AFTER = ("event.send", "event.resolve", "event.looked")  # the commits of one event, in order


@pytest.mark.capability(27, 307)
def test_a_press_that_dies_on_its_way_counts_once_when_it_is_repeated(laboratory):
    laboratory(
        [
            {"kind": "pressed", "operation": name, "point": f"{point}.{side}"}
            for name, point in POINTS.items()
            for side in ("before_commit", "after_commit")
        ]
    )


@pytest.mark.capability(41)
def test_an_event_whose_sender_dies_resolves_what_waits_for_it_once(laboratory):
    laboratory(
        [
            {"kind": "pressed", "operation": "send", "point": f"{point}.{side}"}
            for point in AFTER
            for side in ("before_commit", "after_commit")
        ]
    )


@pytest.mark.capability(39, 214, 307)
def test_of_fifty_presses_at_once_one_counts(laboratory):
    laboratory([{"kind": "crowd", "operation": name} for name in CROWDED])


@pytest.mark.capability(252)
@pytest.mark.parametrize("answer", ["truth", "skip"])
def test_an_unknown_outcome_is_never_repeated_before_a_person_answers(laboratory, answer):
    laboratory(
        [
            {"kind": "kill", "point": point, "hit": 1, "workflows": ["once"] * 3, "answer": answer}
            for point in ("intent.after_commit", "effect.before", "effect.after")
        ]
    )
