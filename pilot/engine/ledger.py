"""The ledger: one row per attempt at a model, booked before it is sent, settled with its step.

A row goes from reserved to settled or lost, once. What ends an attempt at a step takes the rows
along, so a finished step and what it cost are one commit.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pilot.errors import ErrorClass, StepError
from pilot.llm.calls import Attempt

Rows = list[dict[str, Any]]


class Booking:
    """The gate of one attempt at a step; asked from the thread that asks the model."""

    def __init__(self, path: str, attempt: int, commit: Callable[[Rows], None]) -> None:
        """Book calls for an attempt at a path; `commit` writes rows and returns when they are."""
        self._path = path
        self._attempt = attempt
        self._commit = commit
        self._lock = threading.Lock()
        self._open: Attempt | None = None
        self._settled: list[Attempt] = []
        self._ended = False

    def open(self, attempt: Attempt) -> None:
        """Reserve an attempt in a commit of its own, which settles the one before.

        Raises:
            StepError: the step was abandoned meanwhile.
        """
        with self._lock:
            if self._ended:
                raise StepError(ErrorClass.CANCELLED, "The step was abandoned.", sent=False)
            self._open = attempt
            rows = [*self._take(), self._row(attempt, "reserved")]
        self._commit(rows)

    def close(self, attempt: Attempt) -> None:
        """Keep how it ended, for the next commit."""
        with self._lock:
            self._open = None
            self._settled.append(attempt)

    def end(self) -> Rows:
        """Return what is still to be written; an attempt without an end is lost at its worst."""
        with self._lock:
            self._ended = True
            rows = self._take()
            if self._open is not None:
                lost = replace(self._open, cost=self._open.reserved, flags=("cost_estimated",))
                rows.append(self._row(lost, "lost"))
            return rows

    def _take(self) -> Rows:
        rows = [self._row(one, "settled") for one in self._settled]
        self._settled = []
        return rows

    def _row(self, one: Attempt, state: str) -> dict[str, Any]:
        usage = one.usage
        return {
            "id": str(one.id),
            "path": self._path,
            "attempt": self._attempt,
            "number": one.number,
            "role": one.role,
            "intent": one.intent,
            "key": one.key or None,
            "state": state,
            "provider": one.provider,
            "model_asked": one.model_asked,
            "model_billed": one.model_billed,
            "input_tokens": usage.input,
            "cache_read_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write,
            "cache_write_long_tokens": usage.cache_write_long,
            "output_tokens": usage.output,
            "reasoning_tokens": usage.reasoning,
            "flags": list(one.flags),
            "reserved": None if one.reserved is None else str(one.reserved),
            "cost": None if one.cost is None else str(one.cost),
            "latency_ms": one.latency_ms,
            "outcome": None if state == "reserved" else "failed" if _failed(one, state) else "ok",
            "reason": one.reason,
            "http_status": one.http_status,
            "issues": [issue[:300] for issue in one.issues[:20]],
            "wasted": state != "reserved" and _failed(one, state),
            "stop": one.stop,
            "request_id": one.request_id,
        }


def _failed(one: Attempt, state: str) -> bool:
    return state == "lost" or one.reason is not None
