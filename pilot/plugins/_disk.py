"""Writing to disk so that a crash, a full disk or another process leaves nothing half done."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pilot.errors import ErrorClass, PluginError

_LOOK_EVERY_S = 0.01


@contextmanager
def alone(lock: Path, deadline: float, busy: str) -> Iterator[None]:
    """Hold a lock file alone, over threads and processes; a killed holder frees it.

    Args:
        lock: the file; it is made where its folder is.
        deadline: on time.monotonic(), for the wait on other holders.
        busy: what the error says, e.g. "The mailbox was in use by another step ...".

    Raises:
        PluginError: class timeout, when the deadline comes first.
    """
    with lock.open("w") as file:
        pause = threading.Event()
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise PluginError(ErrorClass.TIMEOUT, busy, sent=False) from None
                pause.wait(_LOOK_EVERY_S)
        yield


def write(path: Path, data: bytes) -> None:
    """Write a file, on disk before this returns; where that fails there is none."""
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)  # of a full disk, no more is taken than before
        raise


def sync_folder(path: Path) -> None:
    """Let renames within a folder outlive a loss of power."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
