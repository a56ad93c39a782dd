"""W4: kill -9 after 10 of 20 steps of 100 ms: from the kill to the end, without anybody's hand.

Once with a second worker alive, once with one that is started at the moment of the kill, as its
supervisor does. Baseline: the ten steps that are left.
"""

from contextlib import ExitStack
from time import perf_counter

import psutil

from benchmarks.figures import commit_probe, figure, percentile, wait_for_quiet
from benchmarks.installation import installed, pause

STEPS, STEP_S, AFTER = 20, 0.1, 10
ROUNDS = 5
IDEAL_S = (STEPS - AFTER) * STEP_S


def main() -> None:
    """Print the figures."""
    with installed() as pilot, pilot.looking() as look:
        commit_probe(pilot.superuser_url)
        pause(3.0)  # so long after its start the database's locks say nothing about workers
        for name, spare, goal in (("a second worker", True, 1.7), ("one started then", False, 2.0)):
            found = [killed(pilot, look, spare=spare) for _ in range(ROUNDS)]
            seconds, repeated = zip(*found, strict=True)
            title = f"kill -9 after {AFTER} of {STEPS} steps to done, {name}, p50"
            figure(title, percentile(seconds, 50), "s", ROUNDS, IDEAL_S, goal)
            figure(f"steps that ran twice, {name}, most", max(repeated), "", ROUNDS, None, 1)
        commit_probe(pilot.superuser_url)


def killed(pilot, look, *, spare: bool) -> tuple[float, int]:
    """Return how long one execution took from its worker's death, and how many steps began twice."""
    agent = pilot.agent(
        *(
            {
                "id": f"s{n}",
                "type": "delay",
                "for_s": STEP_S,
                "dependencies": [f"s{n - 1}"] if n else [],
            }
            for n in range(STEPS)
        )
    )
    wait_for_quiet()
    with ExitStack() as stack:
        workers = [stack.enter_context(pilot.worker()) for _ in range(2 if spare else 1)]
        look.wait_until(
            "SELECT count(*) = %s FROM worker WHERE stopped_at IS NULL AND heartbeat_at > started_at",
            len(workers),
        )
        execution = pilot.start(agent)
        look.wait_until(
            "SELECT count(*) >= %s FROM step_execution WHERE execution_id = %s "
            "AND status = 'completed'",
            AFTER,
            execution,
        )
        held = "SELECT pid FROM worker WHERE id = (SELECT worker_id FROM execution WHERE id = %s)"
        psutil.Process(look.one(held, execution)[0]).kill()
        before = perf_counter()
        if not spare:
            stack.enter_context(pilot.worker())
        look.wait_done(agent, 1)
        took = perf_counter() - before
        twice = look.one(
            "SELECT count(*) FROM step_execution WHERE execution_id = %s AND attempt > 1", execution
        )
        return took, twice[0]


if __name__ == "__main__":
    main()
