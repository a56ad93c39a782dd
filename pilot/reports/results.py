"""The result of an execution, for who started it and waits: one shape for success and failure."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from pilot import progress
from pilot.engine.life import executions
from pilot.engine.status import FINAL, RESUMABLE, ExecutionStatus
from pilot.reports import execution

LOOK_S = 1.0  # between two looks without a signal
SUCCESSES = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.COMPLETED_WITH_ERRORS})


def awaited(
    reading: Callable[[], AbstractContextManager[Session]],
    execution_id: UUID,
    seconds: float = float("inf"),
) -> dict[str, Any]:
    """Return the result once it ends or rests, or how it stands after so many seconds.

    Raises:
        NotFoundError: absent, or somebody else's.
    """
    end = time.monotonic() + seconds
    with progress.listening(execution_id) as ear:
        while True:
            ear.clear()
            with reading() as session:
                status = executions.find(session, execution_id).status
            left_s = end - time.monotonic()
            if status in FINAL | RESUMABLE or left_s <= 0:
                break
            ear.wait(min(LOOK_S, left_s))
    with reading() as session:
        return result(session, execution_id)


def result(session: Session, execution_id: UUID) -> dict[str, Any]:
    """Return how an execution stands: {success, pilot, status, output, error, steps, ...}.

    `success` is None while it has not ended; `pilot` says whether pilot steps ran.
    """
    shown = execution.shown(session, execution_id)
    row = shown.row
    statuses = [step.status for step in shown.steps if step.written]  # as the page counts them
    return {
        "success": row.status in SUCCESSES if row.status in FINAL else None,
        "execution_id": row.id,
        "pilot": row.runs == "pilot_steps",
        "status": row.status,
        "output": row.output,
        "error": row.error,
        "steps": {name: statuses.count(name) for name in ("completed", "failed", "skipped")},
        "duration_ms": shown.duration_ms,
        "tokens": shown.calls.tokens,
        "cost_usd": shown.calls.known_cost,
        "cost_with_children_usd": row.spent_usd,
        "estimated_usd": shown.calls.estimated,
        "unpriced_calls": shown.calls.unpriced,
    }


def http_status(facts: dict[str, Any]) -> int:
    """Return 200 of a success, 500 of a failure, 202 of what has not ended."""
    return {True: 200, False: 500, None: 202}[facts["success"]]
