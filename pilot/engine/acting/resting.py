"""What a call to a foreign place minds: its rate, and that it rests after repeated failures.

All workers share the rate and the breaker of a connection, and the breakers of an owner's
addresses. A step that meets an open one waits for it, and none of its attempts is spent.
"""

import contextlib
import random
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from pilot import audit, settings
from pilot.audit import Event
from pilot.db import transaction
from pilot.egress.refusals import BLOCKED
from pilot.engine import outages
from pilot.engine.providers import breaker
from pilot.engine.providers.breaker import Answer, Breaker
from pilot.engine.secrets import connections, rates
from pilot.engine.secrets.connections import Held
from pilot.errors import ErrorClass, Hold, PluginError

FAILURES = frozenset(
    {ErrorClass.TIMEOUT, ErrorClass.NETWORK, ErrorClass.SERVER, ErrorClass.RATE_LIMIT}
)
SPREAD_S = 2.0  # so that not all that wait come at once; one of them tries


@contextlib.contextmanager
def minded(held: Held, key: str, values: Mapping[str, Any]) -> Iterator[None]:
    """Let one call be made over a connection, and take note of how it ended.

    Raises:
        PluginError: the connection rests, or is at its rate, so the call was not made; or what the
            call raised.
    """
    name, words = of_connection(str(held.id)), f"connection {held.credentials.label}"
    with outages.held():
        if held.rate_per_minute is not None and breaker.rests(name):
            raise _rests(name, words)  # a call that is not made takes no turn
        seconds = rates.wait_s(held, key)
    if seconds:
        raise _later(held, seconds)
    try:
        with _guarded(name, words, values):
            yield
    except PluginError as error:
        if error.error_class is ErrorClass.AUTH:
            _refused(held, error)
        raise
    with outages.survived():
        connections.used(held)


def minded_host(
    owner_id: UUID, place: str, values: Mapping[str, Any]
) -> AbstractContextManager[None]:
    """Do the same for a call without a connection; `place` is host and port.

    Each owner has breakers of their own: what one person's agents call in vain stops nobody else.
    """
    return _guarded(f"host:{owner_id}:{place}", f"address {place}", values)


def of_connection(connection_id: str) -> str:
    """Return under which name a connection has its breaker."""
    return f"connection:{connection_id}"


@contextlib.contextmanager
def _guarded(name: str, words: str, values: Mapping[str, Any]) -> Iterator[None]:
    guard = Breaker.of(settings.with_defaults(values))
    with outages.held():
        answer = guard.asked(name)
        if answer is Answer.NO:
            raise _rests(name, words)
    try:
        yield
    except BaseException as error:
        with outages.survived():
            if isinstance(error, PluginError) and not _is_ours(error):
                guard.tell(name, failed=error.error_class in FAILURES)
            elif answer is Answer.PROBE:
                guard.give_back(name)
        raise
    if answer is Answer.PROBE:
        with outages.survived():
            guard.tell(name, failed=False)


def _is_ours(error: PluginError) -> bool:
    """Tell whether a call was refused before it left, so that it says nothing of the place."""
    here = error.error_class is ErrorClass.INPUT and error.remote_code in {None, BLOCKED}
    return here and not error.sent


def _later(held: Held, seconds: float) -> PluginError:
    label, rate = held.credentials.label, held.rate_per_minute
    message = (
        f"The connection {label} is at its rate of {rate:,} calls a minute: this step waits for "
        "its turn, and none of its attempts is spent."
    )
    error = PluginError(ErrorClass.RATE_LIMIT, message, code="turn", sent=False)
    error.hold = Hold("turn", seconds, {"connection": str(held.id), "label": label})
    return error


def _rests(name: str, words: str) -> PluginError:
    seconds = breaker.rest_s(name)
    message = (
        f"The {words} rests for {seconds:.0f} s, as its last calls "
        "failed: this step waits, and none of its attempts is spent."
    )
    error = PluginError(ErrorClass.SERVER, message, code="resting", sent=False)
    spread_s = random.uniform(0, SPREAD_S)  # noqa: S311 -- no secret
    error.hold = Hold("retry", seconds=max(1.0, seconds) + spread_s)
    return error


def _refused(held: Held, error: PluginError) -> None:
    """Note that the place refused the account, and tell what to do about it and to wait for."""
    label, reason = held.credentials.label, error.message
    error.message = f"{reason} {connections.again(label)}"
    error.hold = connections.hold(held.id, label)
    with outages.survived(), transaction("connections.refused", held.owner_id) as session:
        facts = {"id": held.id, "version": held.version, "reason": reason}
        if session.scalar(connections.NOTE, facts):
            details = {"label": label, "reason": reason}
            audit.record(
                session,
                Event.PLUGIN_AUTH_FAILED,
                actor="worker",
                about=("connection", held.id),
                details=details,
                owner_id=held.owner_id,
            )
