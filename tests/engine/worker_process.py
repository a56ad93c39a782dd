"""A worker inside the test process: the real loop, heartbeat and writer on the test's database."""

import contextlib
import os
import threading
from dataclasses import replace

import psycopg
import redis

from pilot import db, jobs, progress, settings
from pilot.audit import Actor
from pilot.config import Config
from pilot.engine.agents import agents
from pilot.engine.life import starts
from pilot.engine.worker.liveness import Liveness
from pilot.worker import Resident
from tests.databases import stays
from tests.patience import LONG_S, until

BY = Actor("cli:test")
END = {"completed", "completed_with_errors", "failed", "cancelled", "paused", "needs_attention"}


def config(database, redis_url, folder):
    base = Config.from_env({"PILOT_DATA": str(folder)})
    return replace(
        base, given_database_url=database, given_redis_url=redis_url, threads=8, drain_s=2
    )


@contextlib.contextmanager
def working(facts, *, hears=False):
    """Run one worker until the block ends; one that hears rings need not wait for its next look."""
    jobs.configure(facts.redis_url)
    progress.configure(facts.redis_url)
    liveness = Liveness(facts.database_url, "test", os.getpid())
    resident = Resident(facts, liveness.register(), liveness.lease)
    resident.start()
    thread = liveness.start(resident, on_death=lambda: None)
    ended = threading.Event()
    ear = threading.Thread(target=_hear, args=(resident, facts.redis_url, ended))
    if hears:
        ear.start()
    try:
        yield resident
    finally:
        ended.set()
        if hears:
            ear.join()
        liveness.drain()
        resident.drain(2)
        liveness.stop()
        thread.join(timeout=2)


def _hear(resident, url, ended):
    """Poke the loop at each ring, as the listener of a worker does."""
    with redis.Redis.from_url(url) as queue:
        while not ended.is_set():
            if queue.blpop([f"rq:queue:{jobs.QUEUE}"], timeout=0.1):
                resident.poke()


def enrol(connection, *, lease_until="infinity"):
    """Insert a worker that does nothing by itself, and return its id."""
    return connection.execute(
        "INSERT INTO worker (host, pid, version, lease_until) VALUES ('test', 1, '1', %s) "
        "RETURNING id",
        [lease_until],
    ).fetchone()[0]


def switch_on():
    settings.change("pilot_enabled", True, by=BY)


def make_agent(owner, steps, **document):
    body = {"format": 1, "name": "Test", "steps": steps} | document
    saved = agents.create(agents.NewAgent("Test", goal="test"), body, owner_id=owner, by=BY)
    return saved.agent_id


def start(agent_id, owner, **inputs):
    return starts.start(
        agent_id, starts.Start(inputs=inputs), by=Actor(f"user:{owner}"), user_id=owner
    )


def put(name, value, **fields):
    """Return a step that gives a value."""
    return {
        "type": "transform",
        "operation": "set",
        "id": name,
        "config": {"value": value},
    } | fields


def broken(name, **fields):
    """Return a step that fails before it begins."""
    return put(name, 1, **({"execute_if": "inputs.missing.part"} | fields))


def run(database, owner, steps, inputs=None, **document):
    """Run steps to their end; returns the execution with its status, output and error."""
    schema = {"type": "object", "additionalProperties": True}
    agent = make_agent(owner.id, steps, inputs=schema, **document)
    execution = start(agent, owner.id, **(inputs or {}))
    return execution, wait_for(database, execution)[:3]


def paths(database, execution_id):
    """Return the status of the newest attempt by path."""
    return {path: status for path, _, status, _ in attempts(database, execution_id)}


class _Eyes:
    """One connection to the database last looked at: tests look every few milliseconds."""

    url: str | None = None
    connection: psycopg.Connection | None = None

    @classmethod
    def open(cls, database):
        if cls.connection is not None:
            cls.connection.close()
        options = "-c role=pilot_app -c app.sees_all=on"
        cls.connection = stays(psycopg.connect(db.dsn(database), autocommit=True, options=options))
        cls.url = database


def _ask(database, query, *values):
    """Answer as one who sees all."""
    if _Eyes.url != database:
        _Eyes.open(database)
    try:
        return _Eyes.connection.execute(query, values)
    except psycopg.OperationalError:  # one of that name was there before, or its server restarted
        _Eyes.open(database)
        return _Eyes.connection.execute(query, values)


def open_waits(database, execution_id):
    """Return how many waits nobody has taken note of."""
    query = "SELECT count(*) FROM wait WHERE execution_id = %s AND consumed_at IS NULL"
    return _ask(database, query, execution_id).fetchone()[0]


def row(database, execution_id):
    query = "SELECT status, output, error, status_reason FROM execution WHERE id = %s"
    return _ask(database, query, execution_id).fetchone()


def attempts(database, execution_id):
    query = (
        "SELECT path, attempt, status, output FROM step_execution WHERE execution_id = %s "
        "ORDER BY started_at, path, attempt"
    )
    return _ask(database, query, execution_id).fetchall()


def wait_for(database, execution_id, statuses=END, seconds=LONG_S):
    def is_so():
        found = row(database, execution_id)
        return found if found[0] in statuses else None

    def still():
        return f"still {row(database, execution_id)}, {attempts(database, execution_id)}"

    return until(is_so, seconds, still)
