"""The circuit breaker, as many threads and two engines see it."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from pilot import db, settings
from pilot.engine.providers.breaker import Breaker, Guarded
from pilot.errors import ErrorClass, StepError
from pilot.llm.calls import Attempt
from pilot.llm.messages import Model
from pilot.llm.reasons import FailureReason

BREAKER = Breaker(failures=5, window_s=60, open_s=30, probe_s=120)
MODEL = "gpt-6-luna"


class Spent:
    """A gate behind which there is no money."""

    def allows(self, _model):
        return True

    def open(self, _attempt):
        raise StepError(ErrorClass.BUDGET, "no", sent=False)


def fail(times, reason=FailureReason.API):
    for _ in range(times):
        BREAKER.note(MODEL, reason)


def ask_from_many_threads(count=24):
    with ThreadPoolExecutor(count) as pool:
        return sum(pool.map(lambda _: BREAKER.allows(MODEL), range(count)))


@pytest.mark.capability(45, 263)
def test_five_failures_in_the_window_open_it_for_all(database, clock):
    fail(4)
    assert BREAKER.allows(MODEL)
    fail(1, FailureReason.RATE_LIMIT)
    assert not BREAKER.allows(MODEL)
    assert BREAKER.allows("claude-haiku-5-5")
    db.configure(database)  # as another process, which knows only what the table says
    assert not BREAKER.allows(MODEL)
    clock(29.9)
    assert not BREAKER.allows(MODEL)


def test_failures_from_many_threads_are_all_counted(database, clock):
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(fail, [1] * 5))
    assert not BREAKER.allows(MODEL)


def test_older_failures_are_forgotten(database, clock):
    fail(4)
    clock(61)
    fail(4)
    assert BREAKER.allows(MODEL)
    fail(1)
    assert not BREAKER.allows(MODEL)


@pytest.mark.parametrize("reason", [None, FailureReason.SCHEMA, FailureReason.REFUSAL])
def test_an_answer_that_cannot_be_used_is_an_answer(database, clock, reason):
    for _ in range(10):
        BREAKER.note(MODEL, reason)
    assert BREAKER.allows(MODEL)


@pytest.mark.capability(263)
def test_after_the_rest_exactly_one_of_many_tries(database, clock):
    fail(5)
    clock(30)
    assert ask_from_many_threads() == 1
    assert not BREAKER.allows(MODEL)


def test_a_good_probe_closes_it_and_forgets(database, clock):
    fail(5)
    clock(30)
    assert BREAKER.allows(MODEL)
    BREAKER.note(MODEL, None)
    assert ask_from_many_threads(4) == 4
    fail(4)
    assert BREAKER.allows(MODEL)


def test_a_bad_probe_opens_it_again_for_as_long(database, clock):
    fail(5)
    clock(70)  # the failures are out of the window by now: one is enough here
    assert BREAKER.allows(MODEL)
    fail(1, FailureReason.TIMEOUT)
    clock(29)
    assert not BREAKER.allows(MODEL)
    clock(1)
    assert ask_from_many_threads() == 1


def test_a_probe_that_died_is_given_to_another_call(database, clock):
    fail(5)
    clock(30)
    assert BREAKER.allows(MODEL)
    clock(119)
    assert not BREAKER.allows(MODEL)
    clock(1)
    assert ask_from_many_threads() == 1


@pytest.mark.capability(45, 263)
def test_a_probe_that_is_not_sent_keeps_nobody_waiting(database, clock):
    """Of two workers, the one that may try has no budget left: the other tries at once."""
    fail(5)
    clock(30)
    model = Model(id=MODEL, name="Luna", provider="openai", price=None)
    attempt = Attempt(uuid4(), 1, "step", None, "openai", MODEL, None, None, 1, {})
    poor, other = Guarded(Spent(), BREAKER), Guarded(Spent(), BREAKER)
    assert poor.allows(model)
    assert not other.allows(model)
    with pytest.raises(StepError):
        poor.open(attempt)
    assert other.allows(model)
    assert not poor.allows(model)
    with pytest.raises(StepError):
        poor.open(attempt)
    assert not poor.allows(model), "it was the other's turn"


def test_what_comes_late_from_before_the_opening_changes_nothing(database, clock):
    fail(5)
    clock(10)
    BREAKER.note(MODEL, None)
    fail(3)
    assert not BREAKER.allows(MODEL)
    clock(20)
    assert BREAKER.allows(MODEL)


def test_the_settings_describe_it(database):
    with db.reading(None) as session:
        values, _ = settings.snapshot(session)
    assert Breaker.of(values) == BREAKER
