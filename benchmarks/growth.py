"""What the history costs: steps a second over a million stored step rows, claims out of a long queue.

Baseline of both: the same on an empty database, in the same run. Audit on, fsync on, one worker.
"""

from uuid import UUID, uuid4

import psycopg

from benchmarks import history, w1
from benchmarks.figures import commit_probe, figure, percentile, timed_ms
from benchmarks.installation import ROWS, Installation, installed
from pilot import db
from pilot.engine.status import STATE_SCHEMA
from pilot.engine.worker.resident import CLAIM
from tests import world

STEPS_EACH = 10  # of 100,000 executions
MOST_SLOWER = 0.85
QUEUED, CLAIMS, CLAIM_MS = 10_000, 200, 5.0
# As many as the first of the queue, one after the other.
MORE = """
INSERT INTO execution (owner_id, agent_id, agent_name, version_id, version_number, runs,
    runs_reason, mode, started_by, inputs, settings, settings_version, zone, status, deadline_at,
    wake_at, event_seq)
SELECT owner_id, agent_id, agent_name, version_id, version_number, runs, runs_reason, mode,
       started_by, inputs, settings, settings_version, zone, status, deadline_at,
       wake_at + i * interval '1 us', 1
  FROM generate_series(1, %s) AS i, execution WHERE id = %s
"""


def main() -> None:
    """Print the figures."""
    with installed() as pilot:
        commit_probe(pilot.superuser_url)
        empty, alone = steps_a_second(pilot), claim_ms(pilot, 1)
    with installed() as pilot:
        history.write(pilot, world.person("few", "operator").id, steps_each=STEPS_EACH)
        end_all(pilot)
        full, many = steps_a_second(pilot), claim_ms(pilot, QUEUED)
        name = "steps/s over 1,000,000 step rows, of those on an empty database"
        figure(name, full / empty, "", w1.ROUNDS, goal=MOST_SLOWER, higher_is_better=True)
        name = f"claim and load one of {QUEUED:,} queued, p95"
        figure(name, percentile(many, 95), "ms", CLAIMS, percentile(alone, 95), CLAIM_MS)
        commit_probe(pilot.superuser_url)


def end_all(pilot: Installation) -> None:
    """Let none of the history go on: it has no waits, so workers would wake what waits for them."""
    with psycopg.connect(db.dsn(pilot.superuser_url), autocommit=True) as superuser:
        superuser.execute(
            "UPDATE execution SET status = 'completed', finished_at = created_at "
            "WHERE finished_at IS NULL"
        )


def steps_a_second(pilot: Installation) -> float:
    """Return the median of several rounds of 200 executions at once."""
    with pilot.worker(), pilot.looking() as look:
        look.wait_for_worker()
        rates = []
        for _ in range(w1.ROUNDS):
            agent = pilot.noop_agent(w1.STEPS)
            rates.append(w1.rate(look, agent, w1.queued(pilot, look, agent)))
    return percentile(rates, 50)


def claim_ms(pilot: Installation, queued: int) -> list[float]:
    """Return how long claims of one take out of a queue; each is given back, then it is emptied."""
    worker, first = uuid4(), pilot.start(pilot.noop_agent(), rows=ROWS)
    asked = (worker, [], worker, STATE_SCHEMA, 1, worker, STATE_SCHEMA)
    with (
        psycopg.connect(db.dsn(pilot.superuser_url), autocommit=True) as superuser,
        psycopg.connect(
            db.dsn(pilot.database_url), autocommit=True, options=db.SESSION_LIMITS
        ) as connection,
    ):
        insert = (
            "INSERT INTO worker (id, host, pid, version, lease_until) VALUES (%s, %s, 1, '1', %s)"
        )
        superuser.execute(insert, (worker, "benchmark", "infinity"))
        superuser.execute(MORE, (queued - 1, first))
        superuser.execute("ANALYZE execution")
        times = []
        for _ in range(CLAIMS):
            claimed: list[tuple[UUID]] = []
            times.append(
                timed_ms(lambda: claimed.extend(connection.execute(CLAIM, asked, prepare=True)))
            )
            take_away = "SELECT take_away(%s, %s, 'released')"
            connection.execute(take_away, (claimed[0][0], worker), prepare=True)
        superuser.execute("UPDATE execution SET status = 'cancelled' WHERE status = 'queued'")
        superuser.execute("UPDATE worker SET stopped_at = pilot_now() WHERE id = %s", (worker,))
    return times


if __name__ == "__main__":
    main()
