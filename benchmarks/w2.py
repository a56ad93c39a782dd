"""W2: 100 executions of 5 waits of 200 ms each, all at once, in one worker process.

Baseline: the waits alone, 5 x 200 ms.
"""

from time import perf_counter

from benchmarks.figures import commit_probe, figure, percentile, wait_for_quiet
from benchmarks.installation import installed, pause, peak_mb

AT_ONCE = 100
WAITS = 5
WAIT_S = 0.2
ROUNDS = 5


def main() -> None:
    """Print the figures."""
    with installed() as pilot, pilot.looking() as look:
        commit_probe(pilot.superuser_url)
        with pilot.worker() as process:
            look.wait_for_worker()
            times = [waits_s(pilot, look) for _ in range(ROUNDS)]
            peak = peak_mb(process)
        name = "100 executions of 5 waits of 200 ms at once, p50"
        figure(name, percentile(times, 50), "s", ROUNDS, WAITS * WAIT_S, 1.15)
        figure("peak memory of the worker", peak, "MB", 1, goal=125)
        commit_probe(pilot.superuser_url)


def waits_s(pilot, look) -> float:
    """Return how long all of them take from the opening of the gate."""
    agent = pilot.agent(
        *(
            {
                "id": f"s{n}",
                "type": "delay",
                "for_s": WAIT_S,
                "dependencies": [f"s{n - 1}"] if n else [],
            }
            for n in range(WAITS)
        )
    )
    look.close_gate()
    started = [pilot.start(agent) for _ in range(AT_ONCE)]
    pause(1.0)
    wait_for_quiet()
    before = perf_counter()
    look.open_gate(started[0])
    look.wait_done(agent, AT_ONCE)
    return perf_counter() - before


if __name__ == "__main__":
    main()
