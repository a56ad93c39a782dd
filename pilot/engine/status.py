"""Statuses: the enums, the transition table, and the one function that computes an execution's."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

STATE_SCHEMA = 1  # of the rows of an execution; those of a newer Pilot are left to it


class ExecutionStatus(StrEnum):
    """Where an execution stands."""

    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"  # held by a worker
    WAITING = "waiting"  # for a timer or people; holds no worker
    PAUSED = "paused"  # by a person or the master switch
    BUDGET_PAUSED = "budget_paused"  # the next call to a model could cost more than is left
    NEEDS_ATTENTION = "needs_attention"  # a person has to say something first
    CANCELLING = "cancelling"  # held by a worker that is to stop
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepStatus(StrEnum):
    """Where a step, or one attempt at it, stands."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  # a `once` effect that may or may not have happened
    INTERRUPTED = "interrupted"  # attempts only: its worker went away
    SUPERSEDED = "superseded"  # attempts only: run again on request, with its key
    REPLACED = "replaced"  # attempts only: run again on request as if it had never run


_S = ExecutionStatus
FINAL = frozenset({_S.COMPLETED, _S.COMPLETED_WITH_ERRORS, _S.FAILED, _S.CANCELLED})
RESUMABLE = frozenset({_S.PAUSED, _S.BUDGET_PAUSED, _S.NEEDS_ATTENTION})
RETRYABLE = frozenset({_S.FAILED, _S.COMPLETED_WITH_ERRORS})
# Where nothing runs and a step and what follows from it may run again. Of a cancelled one only a
# fork leads on.
REPEATABLE = RESUMABLE | RETRYABLE | {_S.COMPLETED}
# Where nothing runs and another version of the workflow may take over.
MOVABLE = RESUMABLE | {_S.QUEUED, _S.WAITING, _S.FAILED}
CANCELLABLE = frozenset(_S) - FINAL - {_S.CANCELLING}
PAUSABLE = frozenset({_S.QUEUED, _S.RUNNING, _S.WAITING})
ANSWERABLE = frozenset({_S.NEEDS_ATTENTION, _S.RUNNING, _S.WAITING, _S.PAUSED, _S.QUEUED}) | {
    _S.BUDGET_PAUSED
}
# A finished one spends nothing more, unless it is retried.
RAISABLE = frozenset(_S) - {_S.COMPLETED, _S.CANCELLED, _S.CANCELLING}

TRANSITIONS: dict[ExecutionStatus, frozenset[ExecutionStatus]] = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.CANCELLING, _S.PAUSED, _S.CANCELLED}),
    _S.RUNNING: FINAL
    | {_S.QUEUED, _S.WAITING, _S.PAUSED, _S.BUDGET_PAUSED, _S.NEEDS_ATTENTION, _S.CANCELLING},
    _S.CANCELLING: FINAL | {_S.QUEUED, _S.NEEDS_ATTENTION},
    _S.WAITING: frozenset({_S.QUEUED, _S.PAUSED, _S.CANCELLED}),
    _S.PAUSED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.BUDGET_PAUSED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.NEEDS_ATTENTION: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.FAILED: frozenset({_S.QUEUED}),
    _S.COMPLETED_WITH_ERRORS: frozenset({_S.QUEUED}),
    _S.COMPLETED: frozenset({_S.QUEUED}),
    _S.CANCELLED: frozenset(),
}


@dataclass(frozen=True)
class StepView:
    """What the status function has to know of one step."""

    status: StepStatus
    tolerated: bool = False  # it failed, or something inside it did, and the execution goes on


def execution_status(  # noqa: PLR0911, PLR0913 -- one return and one fact per line of the rule
    steps: Iterable[StepView],
    *,
    cancel_asked: bool = False,
    parked: bool = False,
    deadline_passed: bool = False,
    output_refused: bool = False,
    output_warned: bool = False,
    stopped_as_failed: bool = False,
) -> ExecutionStatus:
    """Return the status of an execution in which nothing can run any more.

    The order is that of the workflow specification: cancel, needs attention, failed, waiting,
    completed with errors, completed. Every surface calls this function.
    """
    views = list(steps)
    statuses = {view.status for view in views}
    if cancel_asked:
        return _S.CANCELLED
    if parked or StepStatus.UNKNOWN in statuses:
        return _S.NEEDS_ATTENTION
    untolerated = any(v.status is StepStatus.FAILED and not v.tolerated for v in views)
    if deadline_passed or output_refused or stopped_as_failed:
        return _S.FAILED
    if StepStatus.WAITING in statuses:
        return _S.WAITING
    if untolerated:
        return _S.FAILED
    if output_warned or any(view.tolerated for view in views):
        return _S.COMPLETED_WITH_ERRORS
    return _S.COMPLETED
