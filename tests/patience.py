"""How tests wait for what another thread or process does."""

import time

from pilot.db import SESSION_LIMITS

# The database ends no transaction in which a test, or the machine, stood still.
LIMITS = SESSION_LIMITS
PATIENT = f"{LIMITS} -c idle_in_transaction_session_timeout=0"
LONG_S = 180.0  # of a machine that does much beside it, and stands still at times
LOOK_EVERY_S = 0.01


def until(holds, seconds=LONG_S, shown=lambda: "it did not come to pass"):
    """Ask again until the answer is true, and return it; `shown` says how it is when time is up."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, shown()
        time.sleep(LOOK_EVERY_S)
    return found
