"""W3: a scatter over 1,000 and over 10,000 no-op items, every result durable, in one worker.

Baseline: the same rows by a bare loop over one psycopg connection, 64 to a commit.
"""

from time import perf_counter

from benchmarks.figures import commit_probe, figure, percentile, wait_for_quiet
from benchmarks.installation import installed, pause
from benchmarks.w1 import bare_loop

GOALS_S = {1_000: 0.15, 10_000: 1.5}
AT_ONCE = 200
ROUNDS = 5
ITEM = {"id": "same", "type": "transform", "operation": "set", "config": {"value": "{{item}}"}}


def main() -> None:
    """Print the figures."""
    with installed() as pilot, pilot.looking() as look:
        commit_probe(pilot.superuser_url)
        _, rate = bare_loop(pilot.superuser_url)
        with pilot.worker():
            look.wait_for_worker()
            for items, goal in GOALS_S.items():
                times = [scatter_s(pilot, look, items) for _ in range(ROUNDS)]
                name = f"scatter over {items:,} no-op items, p50"
                figure(name, percentile(times, 50), "s", ROUNDS, items / rate, goal)
        commit_probe(pilot.superuser_url)


def scatter_s(pilot, look, items: int) -> float:
    """Return how long one scatter takes from the opening of the gate."""
    step = {"id": "all", "type": "scatter_gather", "items": "inputs.items", "steps": [ITEM]}
    schema = {"type": "object", "properties": {"items": {"type": "array"}}}
    agent = pilot.agent(step | {"max_concurrency": AT_ONCE}, inputs=schema)
    look.close_gate()
    started = pilot.start(agent, items=list(range(items)))
    pause(1.0)
    wait_for_quiet()
    before = perf_counter()
    look.open_gate(started)
    look.wait_done(agent, 1)
    return perf_counter() - before


if __name__ == "__main__":
    main()
