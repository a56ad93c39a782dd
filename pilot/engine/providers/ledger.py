"""The ledger: one row per attempt at a model, booked before it is sent, settled with its step.

A row goes from reserved to settled or lost, once. What ends an attempt at a step takes the rows
along, so a finished step and what it cost are one commit.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import strictjson
from pilot.db import transaction
from pilot.engine.providers.model_catalogue import Chain
from pilot.errors import BudgetError, ErrorClass, StepError
from pilot.llm.calls import Attempt
from pilot.llm.messages import Model, Price
from pilot.llm.prices import NUMBERS

Rows = list[dict[str, Any]]
NO_MODELS = Chain([])


class Booking:
    """The gate of one attempt at a step; asked from the thread that asks the model."""

    def __init__(
        self,
        path: str,
        attempt: int,
        commit: Callable[[Rows], None],
        await_room: Callable[[BudgetError], bool],
    ) -> None:
        """Book calls for an attempt at a path; `commit` writes rows and returns when they are.

        `await_room` waits while others have reserved what a call needs; False: stop instead.
        """
        self._path = path
        self._attempt = attempt
        self._commit = commit
        self._await_room = await_room
        self._waited_s = 0.0
        self._waits_since: float | None = None
        self.chain = NO_MODELS  # whose prices are copied
        self._lock = threading.Lock()
        self._open: Attempt | None = None
        self._settled: list[Attempt] = []
        self._ended = False

    def allows(self, _model: Model) -> bool:
        """Whether a model may be asked: the ledger has nothing against any."""
        return True

    def open(self, attempt: Attempt) -> None:
        """Reserve an attempt in a commit of its own, which settles the one before.

        What other calls have reserved for the time being is waited for.

        Raises:
            BudgetError: it could take more than the execution's budget has left, or it was to
                stop while it waited.
            StepError: the step was abandoned meanwhile, or the model has no price.
        """
        while True:
            try:
                self._reserve(attempt)
            except BudgetError as error:
                if not error.passing or not self._has_room_after(error):
                    raise
            else:
                return

    @property
    def waited_s(self) -> float:
        """How long the attempt has waited for what others had reserved."""
        since = self._waits_since
        return self._waited_s + (time.monotonic() - since if since is not None else 0)

    def _has_room_after(self, error: BudgetError) -> bool:
        """Settle what ended, or others would wait for it, and wait for them."""
        with self._lock:
            settled, self._settled = self._settled, []
            rows = [self._row(one, "settled") for one in settled]
        if rows:
            self._commit(rows)
        self._waits_since = began = time.monotonic()
        try:
            return self._await_room(error)
        finally:
            self._waited_s, self._waits_since = self._waited_s + time.monotonic() - began, None

    def _reserve(self, attempt: Attempt) -> None:
        with self._lock:
            if self._ended:
                raise StepError(ErrorClass.CANCELLED, "The step was abandoned.", sent=False)
            settled, self._settled = self._settled, []
            self._open = attempt
            rows = [self._row(one, "settled") for one in settled]
        try:
            self._commit([*rows, self._row(attempt, "reserved")])
        except StepError:  # nothing of it is written: what ended is still to be settled
            with self._lock:
                self._open, self._settled = None, [*settled, *self._settled]
            raise

    def close(self, attempt: Attempt) -> None:
        """Keep how it ended, for the next commit."""
        with self._lock:
            self._open = None
            self._settled.append(attempt)

    def end(self) -> Rows:
        """Return what is still to be written; an attempt without an end is lost at its worst."""
        with self._lock:
            self._ended = True
            rows = [self._row(one, "settled") for one in self._settled]
            self._settled = []
            if self._open is not None:
                lost = replace(self._open, cost=self._open.reserved, flags=("cost_estimated",))
                rows.append(self._row(lost, "lost"))
            return rows

    def _row(self, one: Attempt, state: str) -> dict[str, Any]:
        return row(one, state, self.chain) | {"path": self._path, "attempt": self._attempt}


class DirectBooking:
    """The gate of calls that belong to no step: each is booked, then settled, in its own commit.

    Of a generation, or with none of a person who tests a model.
    """

    def __init__(
        self,
        owner_id: UUID,
        chain: Chain,
        generation_id: UUID | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Book for an owner; `facts` (prompt_version, routing) go into every row."""
        self._owner_id = owner_id
        self._chain = chain
        self._generation_id = generation_id
        self._facts = dict(facts or {})

    def allows(self, _model: Model) -> bool:
        """Whether a model may be asked: the ledger has nothing against any."""
        return True

    def open(self, attempt: Attempt) -> None:
        """Reserve an attempt before it is sent."""
        self._write("ledger.reserve", attempt, "reserved")

    def close(self, attempt: Attempt) -> None:
        """Settle it."""
        self._write("ledger.settle", attempt, "settled")

    def _write(self, name: str, attempt: Attempt, state: str) -> None:
        rows = [row(attempt, state, self._chain) | self._facts]
        with transaction(name, self._owner_id) as session:
            session.execute(
                text("SELECT book_calls(:generation, cast(:rows AS json))"),
                {"generation": self._generation_id, "rows": strictjson.dumps(rows)},
            )


def lose(session: Session, generation_id: UUID) -> None:
    """Count what a generation left open, because its worker went away, at its worst case."""
    statement = text("SELECT lose_generation_calls(:generation)")
    session.execute(statement, {"generation": generation_id})


def lose_left() -> int:
    """Count calls at their worst case that nobody will end any more; return how many."""
    with transaction("ledger.lose_left", None) as session:
        return int(session.execute(text("SELECT lose_left_calls()")).scalar_one())


def row(one: Attempt, state: str, chain: Chain) -> dict[str, Any]:
    """Return the columns of an attempt, with copies of the prices that it was counted with."""
    usage, model, baseline = one.usage, chain.of(one.model_asked), chain.baseline
    price = model.price_as(one.model_billed) if model is not None else None
    return {
        "id": str(one.id),
        "number": one.number,
        "role": one.role,
        "intent": one.intent,
        "key": one.key or None,
        "state": state,
        "provider": (model.offered_by if model else "") or one.provider,
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
        "reserved_tokens": one.reserved_tokens,
        "cost": None if one.cost is None else str(one.cost),
        "latency_ms": one.latency_ms,
        "outcome": None if state == "reserved" else "failed" if _failed(one, state) else "ok",
        "reason": one.reason,
        "http_status": one.http_status,
        "issues": [issue[:300] for issue in one.issues[:20]],
        "wasted": state != "reserved" and _failed(one, state),
        "stop": one.stop,
        "request_id": one.request_id,
        "routing": dict(one.routing) | {"passed_over": [*map(asdict, chain.skipped)]},
        "tier": model.tier if model is not None else None,
        "price_id": str(price.row_id) if price is not None and price.row_id else None,
        **_copied("price", price, usage.prompt),
        "baseline_model": baseline.model_id if baseline is not None else None,
        **_copied("baseline", baseline.price if baseline is not None else None, usage.prompt),
    }


def _copied(prefix: str, price: Price | None, prompt: int) -> dict[str, str | None]:
    """Return the numbers that count for a prompt of this size; a later price changes none."""
    rates = None if price is None else price.rates(prompt)
    return {
        f"{prefix}_{name}": None if rates is None else str(getattr(rates, name)) for name in NUMBERS
    }


def _failed(one: Attempt, state: str) -> bool:
    return state == "lost" or one.reason is not None
