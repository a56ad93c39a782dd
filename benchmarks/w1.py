"""W1: 10 durable no-op steps of 1 KB: steps a second for 200 executions at once, and one alone.

Audit on, fsync on, one worker process. Baselines: the same rows by a bare loop over one psycopg
connection, 64 to a commit, and one to a commit.
"""

from time import perf_counter
from uuid import UUID, uuid4

import psycopg

from benchmarks.figures import commit_probe, figure, percentile, timed_ms, wait_for_quiet
from benchmarks.installation import ROWS, installed, pause
from pilot import db, strictjson

STEPS = 10
AT_ONCE = 200
ROUNDS = 5
ALONE = 60


def main() -> None:
    """Print the figures."""
    with installed() as pilot:
        commit_probe(pilot.superuser_url)
        row_by_row, together = bare_loop(pilot.superuser_url)
        with pilot.worker() as process, pilot.looking() as look:
            look.wait_for_worker()
            agent = pilot.noop_agent(STEPS)
            alone(pilot, look, agent, row_by_row)
            at_once(pilot, look, process, together)
        commit_probe(pilot.superuser_url)


def bare_loop(url: str) -> tuple[float, float]:
    """Return milliseconds a step one by one, and steps a second 64 to a commit."""
    text = strictjson.dumps(ROWS)
    with psycopg.connect(db.dsn(url), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute("CREATE TABLE bare (execution uuid, step int, output json)")

        def insert(count: int) -> None:
            connection.execute(
                "INSERT INTO bare SELECT * FROM unnest(%s::uuid[], %s::int[], %s::json[])",
                ([uuid4()] * count, list(range(count)), [text] * count),
                prepare=True,
            )

        alone_ms = percentile([timed_ms(lambda: insert(1)) for _ in range(200)], 50)
        batch_ms = percentile([timed_ms(lambda: insert(64)) for _ in range(50)], 50)
        connection.execute("DROP TABLE bare")
    return alone_ms, 64 / batch_ms * 1000


def alone(pilot, look, agent, baseline: float) -> None:
    """One execution at a time."""
    done = []
    for number in range(ALONE):
        if number % 10 == 0:
            wait_for_quiet()
        start = perf_counter()
        look.wait_finished(pilot.start(agent, rows=ROWS))
        done.append((perf_counter() - start) * 1000)
    look.wait_done(agent, ALONE)
    rows = look.connection.execute(
        "SELECT extract(epoch FROM finished_at - started_at) * 1000 FROM execution "
        "WHERE agent_id = %s ORDER BY id",
        (agent,),
    ).fetchall()
    a_step = [float(one[0]) / STEPS for one in rows[5:]]
    figure(
        "one execution of 10 steps, a step, p50",
        percentile(a_step, 50),
        "ms",
        len(a_step),
        baseline,
    )
    done = done[5:]
    figure(
        "one execution of 10 steps, submit to done, p50",
        percentile(done, 50),
        "ms",
        len(done),
        baseline * STEPS,
        8.0,
    )
    name = "one execution of 10 steps, submit to done, p95"
    figure(name, percentile(done, 95), "ms", len(done), goal=15.0)


def at_once(pilot, look, process, baseline: float) -> None:
    """All executions are queued behind a gate; the time runs from its opening."""
    rates, busy, commits = [], [], []
    for _ in range(ROUNDS):
        agent = pilot.noop_agent(STEPS)
        first = queued(pilot, look, agent)
        cpu, commit, steps = sum(process.cpu_times()[:2]), transactions(look), AT_ONCE * STEPS
        rates.append(rate(look, agent, first))
        busy.append((sum(process.cpu_times()[:2]) - cpu) * 1000 / steps)
        pause(1.5)
        commits.append((transactions(look) - commit) / steps)
    figure(
        "200 executions of 10 steps at once, p50",
        percentile(rates, 50),
        "steps/s",
        ROUNDS,
        baseline,
        5000,
        higher_is_better=True,
    )
    figure("worker CPU a step", percentile(busy, 50), "ms", ROUNDS, goal=0.15)
    figure("transactions of the database a step", percentile(commits, 50), "", ROUNDS, goal=0.2)
    figure("memory of the worker afterwards", process.memory_info().rss / 2**20, "MB", 1)


def queued(pilot, look, agent) -> UUID:
    """Start 200 executions behind a closed gate; return the first."""
    look.close_gate()
    started = [pilot.start(agent, rows=ROWS) for _ in range(AT_ONCE)]
    pause(1.0)
    wait_for_quiet()
    return started[0]


def rate(look, agent, first: UUID) -> float:
    """Open the gate; return the steps a second until all of them are done."""
    begun = perf_counter()
    look.open_gate(first)
    look.wait_done(agent, AT_ONCE)
    return AT_ONCE * STEPS / (perf_counter() - begun)


def transactions(look) -> int:
    """Return how many transactions the database has committed."""
    return look.one("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")[
        0
    ]


if __name__ == "__main__":
    main()
