"""Whether and when a failed attempt is repeated."""

import random
from datetime import datetime

from pilot.engine.language.step_fields import Retry, StepFields
from pilot.engine.running.run import Run
from pilot.errors import ErrorClass, Hold, StepError

REFUSED = frozenset({ErrorClass.RATE_LIMIT, ErrorClass.NETWORK, ErrorClass.SERVER})
NO_RETRY = Retry(max_attempts=1)


def policy(run: Run, step: StepFields) -> Retry:
    """Return the policy that holds for a step; only steps that do I/O are repeated unasked."""
    return step.retry or run.plan.workflow.defaults.retry or Retry()


def may_retry(
    run: Run, step: StepFields, error: StepError, failures: int, effect: str | None
) -> bool:
    """Whether an attempt that failed for the `failures`-th time is followed by another.

    A `once` effect is repeated only if its request provably never left or was refused; of a
    simulation nothing is: it takes what is recorded. Steps without I/O (None) make one attempt.
    """
    if run.simulated is not None:
        return False
    rule = policy(run, step)
    if error.error_class not in rule.retry_on or failures >= rule.max_attempts:
        return False
    return effect is not None and not (effect == "once" and error.sent)


def hold(run: Run, step: StepFields, error: StepError, failures: int) -> Hold | None:
    """Return how long the next attempt is away; None: the deadline passes before it.

    What undoes a step is held to no deadline: often its passing is why it is undone.
    """
    seconds = delay_s(policy(run, step), failures, error.retry_after_s)
    if run.compensating:
        return Hold("retry", seconds)
    left = datetime.fromisoformat(run.held.facts["deadline_at"]) - run.now()
    return Hold("retry", seconds) if seconds < left.total_seconds() else None


def delay_s(rule: Retry, failures: int, retry_after_s: float | None) -> float:
    """Return the delay before the next attempt: full jitter, at least what the receiver asked."""
    longest = min(rule.max_s, rule.base_s * rule.factor ** (failures - 1))
    return max(random.uniform(0, longest), retry_after_s or 0)  # noqa: S311 -- no secret
