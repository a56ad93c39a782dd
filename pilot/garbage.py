"""The search for garbage in cycles: what lives as long as its process is left out of it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unsought() -> Iterator[None]:
    """Load modules without searching: they leave no garbage, and it took a fifth of their time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def seldom() -> None:
    """Leave out what lives now, and search less often: it took a third of a worker's time."""
    gc.freeze()
    gc.set_threshold(10_000)
