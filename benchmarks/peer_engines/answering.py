"""A peer's side of the line: do the work that the benchmark asks for, and tell how long it took.

A peer's interpreter has the peer's packages and not Pilot's: here is the standard library only.
"""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import sleep

SETTLE_S = 0.5


def answer(port: int, works: Mapping[str, Callable[..., float]]) -> None:
    """Connect to the benchmark, which takes it for ready; then work until the line is closed.

    Each line asks for one of `works` with its numbers; each answer is the seconds that it took.
    """
    with socket.create_connection(("127.0.0.1", port)) as line, line.makefile("rw") as talk:
        for request in talk:
            numbers = json.loads(request)
            seconds = works[numbers.pop("work")](**numbers)
            print(json.dumps(seconds), file=talk, flush=True)


@contextmanager
def held(process: int) -> Iterator[None]:
    """Let a process stand still while work is queued for it, as Pilot's worker behind its gate."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
        sleep(SETTLE_S)
    finally:
        os.kill(process, signal.SIGCONT)
