"""Named crash points for the tests; they do nothing in the product.

A process started with `PILOT_FAILPOINT=name:hit:action` on a test database acts at the given
pass (counted from 1) through `failpoint(name)`: kill9, stop, raise, exit or sleep:ms.
"""

import os
import signal
import threading
from dataclasses import dataclass
from functools import cache

from pilot.config import failpoint_text
from pilot.errors import ConfigError

EXIT_CODE = 70


class InjectedFaultError(Exception):
    """What the action `raise` raises: nobody may catch it by name."""


@dataclass
class _Point:
    name: str
    hit: int
    action: str
    sleep_ms: int
    passes: int = 0


_lock = threading.Lock()


@cache
def _armed() -> _Point | None:
    """Read the environment once, at the first crash point that this process passes."""
    text = failpoint_text()
    if not text:
        return None
    name, _, rest = text.partition(":")
    hit, _, action = rest.partition(":")
    action, _, milliseconds = action.partition(":")
    legal = action in {"kill9", "stop", "raise", "exit"} or (
        action == "sleep" and milliseconds.isdigit()
    )
    if not (name and hit.isdigit() and legal):
        raise ConfigError(
            f"PILOT_FAILPOINT={text!r} must be name:hit:action with kill9, stop, raise, exit or "
            "sleep:ms."
        )
    return _Point(name, int(hit), action, int(milliseconds or 0))


def failpoint(name: str) -> None:
    """Act if this is the armed point and its pass.

    Raises:
        InjectedFaultError: the armed action is `raise`.
    """
    point = _armed()
    if point is None or point.name != name:
        return
    with _lock:
        point.passes += 1
        due = point.passes == point.hit
    if due:
        _act(point)


def _act(point: _Point) -> None:
    if point.action == "raise":
        raise InjectedFaultError(point.name)
    if point.action == "exit":
        os._exit(EXIT_CODE)
    if point.action == "sleep":
        threading.Event().wait(point.sleep_ms / 1000)
        return
    number = signal.SIGKILL if point.action == "kill9" else signal.SIGSTOP
    # Sent to this thread: sent to the process, it could run on for a moment.
    signal.pthread_kill(threading.get_ident(), number)
