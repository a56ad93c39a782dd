"""W5: from the start of a worker process to its first execution done, and its idle memory.

Baseline: a Python that imports the worker and ends.
"""

import subprocess
import sys
from time import perf_counter

from benchmarks.figures import commit_probe, figure, percentile, timed_ms
from benchmarks.installation import ROWS, as_installed, installed, pause

ROUNDS = 5
IDLE_S = 3.0
GOAL_S, GOAL_MB = 1.4, 100


def main() -> None:
    """Print the figures."""
    with installed() as pilot, pilot.looking() as look:
        commit_probe(pilot.superuser_url)
        agent = pilot.noop_agent(1)
        times, idle = [], []
        for number in range(ROUNDS):
            pilot.start(agent, rows=ROWS)
            before = perf_counter()
            with pilot.worker() as process:
                look.wait_done(agent, number + 1)
                times.append(perf_counter() - before)
                pause(IDLE_S)
                idle.append(process.memory_info().rss / 2**20)
        name = "worker start to its first execution done, p50"
        figure(name, percentile(times, 50), "s", ROUNDS, imports_s(), GOAL_S)
        name = "idle memory of the worker, p50"
        figure(name, percentile(idle, 50), "MB", ROUNDS, None, GOAL_MB)


def imports_s() -> float:
    """Return how long a bare import of the worker takes."""
    command = [sys.executable, "-P", "-c", "import os, pilot.worker; os._exit(0)"]
    return (
        percentile([timed_ms(lambda: subprocess.check_call(command)) for _ in range(3)], 50) / 1e3
    )


if __name__ == "__main__":
    main()
