"""What a call over a connection minds: it rests after repeated failures, and is noted when refused.

All workers share the breaker of a connection. A step that meets an open one waits for it, and none
of its attempts is spent.
"""

import contextlib
import random
from collections.abc import Iterator, Mapping
from typing import Any

from pilot import audit, settings
from pilot.audit import Event
from pilot.db import transaction
from pilot.engine.providers import breaker
from pilot.engine.providers.breaker import Breaker
from pilot.engine.secrets import connections
from pilot.engine.secrets.connections import Held
from pilot.errors import ErrorClass, Hold, PluginError

FAILURES = frozenset(
    {ErrorClass.TIMEOUT, ErrorClass.NETWORK, ErrorClass.SERVER, ErrorClass.RATE_LIMIT}
)
SPREAD_S = 2.0  # so that not all that wait come at once; one of them tries


@contextlib.contextmanager
def minded(held: Held, values: Mapping[str, Any]) -> Iterator[None]:
    """Let one call be made over a connection, and take note of how it ended.

    Raises:
        PluginError: the connection rests, so the call was not made; or what the call raised.
    """
    name, guard = key(str(held.id)), Breaker.of(settings.with_defaults(values))
    if not guard.allows(name):
        raise _rests(name, held)
    try:
        yield
    except PluginError as error:
        guard.tell(name, failed=error.error_class in FAILURES)
        if error.error_class is ErrorClass.AUTH:
            _refused(held, error)
        raise
    guard.tell(name, failed=False)
    connections.used(held)


def key(connection_id: str) -> str:
    """Return under which name a connection has its breaker."""
    return f"connection:{connection_id}"


def _rests(name: str, held: Held) -> PluginError:
    seconds = breaker.rest_s(name)
    message = (
        f"The connection {held.credentials.label} rests for {seconds:.0f} s, as its last calls "
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
    with transaction("connections.refused", held.owner_id) as session:
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
