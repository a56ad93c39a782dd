"""The circuit breaker of each model and connection, shared by all through the table `model_state`.

Closed: it is asked. Too many failures within the window open it: nobody asks for a while. Then one
call tries: its answer closes the breaker, its failure opens it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sqlalchemy import text

from pilot.db import reading, transaction
from pilot.engine import outages
from pilot.errors import StepError
from pilot.llm.calls import Attempt, Gate
from pilot.llm.messages import Model
from pilot.llm.reasons import FailureReason

FAILURES = frozenset({FailureReason.TIMEOUT, FailureReason.API, FailureReason.RATE_LIMIT})


class Answer(Enum):
    """Whether a call may be sent."""

    YES = "yes"
    PROBE = "as the one that tries"
    NO = "no"


@dataclass(frozen=True)
class Breaker:
    """How many failures in which time open a breaker, and for how long."""

    failures: int = 5
    window_s: float = 60
    open_s: float = 30
    probe_s: float = 120  # a probe that says nothing for so long is given to another call

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Breaker":
        """Return the breaker that the settings describe."""
        return cls(
            values["llm_breaker_failures"],
            values["llm_breaker_window_s"],
            values["llm_breaker_open_s"],
            2.0 * values["llm_timeout_s"],
        )

    def allows(self, model_id: str) -> bool:
        """Say whether a call may be sent now; after an opening, only one of all callers hears yes.

        Who hears yes has to tell `note` how it ended.
        """
        return self.asked(model_id) is not Answer.NO

    def asked(self, name: str) -> Answer:
        """Do what `allows` does; who may call as usual has to tell failures only."""
        state = _state(name)
        if state is None or state.closed:
            return Answer.YES
        if not state.triable:
            return Answer.NO
        with transaction("breaker.probe", None) as session:
            values = {"model": name, "probe_s": self.probe_s}
            taken = session.execute(text(PROBE), values).one_or_none()
        return Answer.NO if taken is None else Answer.PROBE

    def give_back(self, name: str) -> None:
        """Let another call try: the one that was to try was never sent, so it says nothing."""
        with transaction("breaker.give_back", None) as session:
            session.execute(text(GIVE_BACK), {"model": name})

    def note(self, model_id: str, reason: FailureReason | None) -> None:
        """Take note of how a call ended; None: it was answered.

        A refusal or a wrong answer is an answer too: the provider works.
        """
        self.tell(model_id, failed=reason in FAILURES)

    def tell(self, model_id: str, *, failed: bool) -> None:
        """Do what `note` does, also for a connection (`connection:<id>`)."""
        if not failed:
            self._answered(model_id)
            return
        values = {
            "model": model_id,
            "failures": self.failures,
            "window_s": self.window_s,
            "open_s": self.open_s,
        }
        with transaction("breaker.note", None) as session:
            session.execute(text(FAILED), values)

    def _answered(self, model_id: str) -> None:
        state = _state(model_id)  # nearly always there is nothing to write
        if state is None or state.closed or not state.due:
            return
        with transaction("breaker.close", None) as session:
            session.execute(text(CLOSE), {"model": model_id})


def rests(name: str) -> bool:
    """Return whether no call may be sent now, without asking to be the one that tries."""
    state = _state(name)
    return state is not None and not state.closed and not state.triable


def _state(name: str) -> Any:
    with reading(None) as session:
        return session.execute(text(STATE), {"model": name}).one_or_none()


def rest_s(model_id: str) -> float:
    """Return for how many seconds a breaker stays open; 0: a probe is due or on its way."""
    with reading(None) as session:
        found = session.scalar(text(REST), {"model": model_id})
    return float(found or 0)


@dataclass(frozen=True)
class Guarded:
    """A gate that also minds the breakers: a model that rests is passed over."""

    gate: Gate
    breaker: Breaker
    trying: set[str] = field(default_factory=set)  # models that all others wait for us to try

    def allows(self, model: Model) -> bool:
        """Whether a model may be asked now."""
        with outages.held():
            if not self.gate.allows(model):
                return False
            answer = self.breaker.asked(model.id)
        if answer is Answer.PROBE:
            self.trying.add(model.id)
        return answer is not Answer.NO

    def open(self, attempt: Attempt) -> None:
        """Book an attempt before it is sent."""
        try:
            self.gate.open(attempt)
        except StepError:  # such as that its budget is spent
            if attempt.model_asked in self.trying:
                with outages.survived():
                    self.breaker.give_back(attempt.model_asked)
            raise
        finally:
            self.trying.discard(attempt.model_asked)

    def close(self, attempt: Attempt) -> None:
        """Take note of how it ended."""
        with outages.survived():
            self.breaker.note(attempt.model_asked, attempt.reason)
        self.gate.close(attempt)


STATE = """
SELECT open_until IS NULL AS closed, coalesce(open_until <= pilot_now(), false) AS due,
       open_until <= pilot_now() AND (probe_until IS NULL OR probe_until <= pilot_now()) AS triable
  FROM model_state WHERE model_id = :model
"""

REST = """
SELECT greatest(0, extract(epoch FROM open_until - pilot_now())) FROM model_state
 WHERE model_id = :model
"""

# The row's lock lets one caller through; the others then read that the probe is taken.
PROBE = """
UPDATE model_state SET probe_until = pilot_now() + make_interval(secs => :probe_s)
 WHERE model_id = :model AND open_until <= pilot_now()
   AND (probe_until IS NULL OR probe_until <= pilot_now())
RETURNING model_id
"""

GIVE_BACK = """
UPDATE model_state SET probe_until = NULL WHERE model_id = :model AND open_until <= pilot_now()
"""

# A failure while it is open is of a call from before: it prolongs nothing. One after that is the
# probe's, and opens it again.
FAILED = """
INSERT INTO model_state AS s (model_id, failed_at, open_until)
VALUES (:model, ARRAY[pilot_now()],
        CASE WHEN :failures <= 1 THEN pilot_now() + make_interval(secs => :open_s) END)
ON CONFLICT (model_id) DO UPDATE SET (failed_at, open_until, probe_until) = (
  SELECT recent.at,
         CASE WHEN s.open_until > pilot_now() THEN s.open_until
              WHEN s.open_until IS NOT NULL OR cardinality(recent.at) >= :failures
              THEN pilot_now() + make_interval(secs => :open_s) END,
         CASE WHEN s.open_until > pilot_now() THEN s.probe_until END
    FROM (SELECT ARRAY(SELECT f FROM unnest(s.failed_at || pilot_now()) AS f
                        WHERE f > pilot_now() - make_interval(secs => :window_s)) AS at) AS recent)
"""

CLOSE = """
UPDATE model_state SET failed_at = '{}', open_until = NULL, probe_until = NULL
 WHERE model_id = :model AND open_until <= pilot_now()
"""
