"""Concurrency keys: so many at once, the others take turns, are refused or replace the first."""

import statistics
import time
from contextlib import suppress
from functools import partial
from uuid import uuid4

import psycopg
import pytest

from pilot import db
from pilot.engine.life import executions, starts
from pilot.errors import ConflictError, InvalidError, UnavailableError
from pilot.reports import execution as report
from tests.engine import worker_process as wp
from tests.engine.together import at_once

INPUTS = {"type": "object", "properties": {"customer": {}}, "additionalProperties": False}
STATES = "SELECT status, admitted FROM execution WHERE id = ANY (%s) ORDER BY created_at, id"
WORKER = "INSERT INTO worker (host, pid, version, lease_until) VALUES ('test', 1, '1', 'infinity')"
MANY = """
INSERT INTO execution (owner_id, agent_id, agent_name, runs, runs_reason, mode, started_by, inputs,
  settings, settings_version, zone, status, deadline_at, concurrency_key, concurrency_limit)
SELECT e.owner_id, e.agent_id, e.agent_name, e.runs, e.runs_reason, e.mode, e.started_by, e.inputs,
  e.settings, e.settings_version, e.zone, 'queued', e.deadline_at, e.concurrency_key, 1
  FROM execution e, generate_series(1, 10000) WHERE e.id = %s
"""


@pytest.fixture
def shared(world):
    """Give `shared(**policy)`: an agent whose executions share the key of their customer."""

    def make(**policy):
        policy = {"key": "{{inputs.customer}}"} | policy
        return wp.make_agent(
            world.operator.id,
            [wp.put("a", 1)],
            inputs=INPUTS,
            policies={"concurrency": policy},
        )

    wp.switch_on()
    return make


@pytest.fixture
def begin(world):
    def start(agent, customer="acme", **asked):
        given = starts.Start(inputs={"customer": customer}, **asked)
        return starts.start(agent, given, by=world.operator.actor, user_id=world.operator.id)

    return start


@pytest.fixture
def states(superuser):
    """Give `states(*ids)`: status, and whether its turn has come, of each."""
    return lambda *ids: superuser.execute(STATES, [list(ids)]).fetchall()


@pytest.fixture
def claim(database):
    """Give `claim()`: what a worker claims now, by id."""
    with psycopg.connect(
        db.dsn(database), autocommit=True, options="-c role=pilot_app"
    ) as connection:
        worker = connection.execute(f"{WORKER} RETURNING id").fetchone()[0]

        def take(most=8):
            found = connection.execute("SELECT id FROM claim(%s, 9, %s, 200)", [worker, most])
            return [one for (one,) in found.fetchall()]

        yield take


def end(superuser, execution, status="completed"):
    superuser.execute(
        "UPDATE execution SET status = %s, worker_id = NULL,"
        " finished_at = CASE WHEN %s = 'paused' THEN NULL ELSE pilot_now() END WHERE id = %s",
        [status, status, execution],
    )


@pytest.mark.capability(221)
def test_the_next_of_a_key_starts_when_the_one_before_ends(
    shared, begin, states, claim, superuser, world
):
    agent = shared()
    first, second, other = begin(agent), begin(agent), begin(agent, "other")

    assert set(claim()) == {first, other}
    assert states(second) == [("queued", False)]
    with db.reading(world.operator.id) as session:
        shown = report.shown(session, second)
    assert shown.why == f"for the end of execution {first} of the same key acme"
    end(superuser, first)
    assert states(second) == [("queued", True)]
    assert claim() == [second]


def test_turns_are_taken_in_order_of_priority_and_age(shared, begin, claim, superuser):
    agent = shared(limit=2)
    ids = [begin(agent) for _ in range(4)]
    superuser.execute("UPDATE execution SET priority = 0 WHERE id = %s", [ids[3]])

    assert set(claim()) == set(ids[:2])
    end(superuser, ids[0], "failed")
    assert claim() == [ids[3]]
    end(superuser, ids[1])
    assert claim() == [ids[2]]


def insist(begin, agent):
    """Try again where a busy machine let one of many wait for the others' locks for too long."""
    while True:
        with suppress(ConflictError, UnavailableError):
            return begin(agent)


@pytest.mark.capability(221)
def test_many_starts_at_once_keep_to_the_limit(shared, begin, states, superuser):
    agent = shared(limit=3)
    ids = at_once(*[partial(insist, begin, agent)] * 24)

    assert sum(admitted for _, admitted in states(*ids)) == 3
    while left := [one for one in ids if states(one)[0] == ("queued", True)]:
        assert len(left) <= 3
        end(superuser, left[0])
    assert {status for status, _ in states(*ids)} == {"completed"}


@pytest.mark.capability(221)
def test_stuck_execution_does_not_block_its_concurrency_key(
    shared, begin, states, superuser, world
):
    """One that rests gives its place to the next, and takes its turn when it goes on."""
    agent = shared()
    stuck, following = begin(agent), begin(agent)

    executions.pause(stuck, by=world.operator.actor, user_id=world.operator.id)
    assert states(stuck, following) == [("paused", True), ("queued", True)]
    executions.resume(stuck, by=world.operator.actor, user_id=world.operator.id)
    assert states(stuck) == [("queued", False)]
    end(superuser, following)
    assert states(stuck) == [("queued", True)]


def test_a_sweep_finds_what_missed_its_turn_and_what_is_late(shared, begin, states, superuser):
    agent, other = shared(), shared()
    missed, held, late = begin(agent), begin(other), begin(other)
    superuser.execute("UPDATE execution SET admitted = false WHERE id = %s", [missed])
    superuser.execute("UPDATE execution SET deadline_at = pilot_now() WHERE id = %s", [late])

    due = superuser.execute("SELECT id FROM due(50) WHERE kind = 'turn'").fetchall()
    assert {one for (one,) in due} == {missed, late}
    for one in (missed, late):
        superuser.execute("SELECT take_turn(%s)", [one])
    assert states(missed, held, late) == [("queued", True)] * 3


def test_a_start_is_refused_while_another_holds_the_key(shared, begin, superuser):
    agent = shared(on_conflict="reject")
    first = begin(agent)

    with pytest.raises(ConflictError, match=f"execution {first} .* holds the key 'acme'"):
        begin(agent)
    begin(agent, "other")
    end(superuser, first)
    begin(agent)


def test_a_new_one_replaces_the_oldest(shared, begin, states, claim, superuser):
    agent = shared(on_conflict="cancel_running")
    first = begin(agent)
    assert claim() == [first]
    second = begin(agent)
    third = begin(agent)

    assert states(first, second, third) == [
        ("cancelling", True),
        ("cancelled", False),
        ("queued", False),
    ]
    end(superuser, first, "cancelled")
    assert claim() == [third]


@pytest.mark.parametrize(
    ("customer", "told"), [(["a"] * 200, "characters"), (None, "cannot be computed")]
)
def test_a_key_that_cannot_be_is_refused_at_start(shared, begin, customer, told):
    agent = shared(key="{{inputs.customer}}" if customer else "{{inputs.customer.name}}")
    with pytest.raises(InvalidError, match=told):
        begin(agent, customer)


def test_a_key_reads_only_what_is_known_at_the_start(world):
    with pytest.raises(InvalidError, match="There is no steps here"):
        wp.make_agent(
            world.operator.id,
            [wp.put("a", 1)],
            policies={"concurrency": {"key": "{{steps.a.output}}"}},
        )


def test_executions_of_a_key_run_one_after_the_other(database, worker, shared, begin):
    agent = shared()
    ids = [begin(agent) for _ in range(5)]
    assert {wp.wait_for(database, one)[0] for one in ids} == {"completed"}


@pytest.mark.capability(221)
def test_what_waits_for_its_turn_is_skipped_by_an_index(shared, begin, claim, superuser):
    """10,000 of one key are not even looked at by the claim of others."""
    agent = shared()
    blocked = begin(agent)
    superuser.execute("UPDATE execution SET status = 'waiting' WHERE id = %s", [blocked])
    superuser.execute(MANY, [blocked])
    superuser.execute("ANALYZE execution")
    free = [begin(agent, str(uuid4())) for _ in range(20)]

    taken, took_ms = [], []
    for _ in free:
        began = time.perf_counter()
        taken += claim(1)
        took_ms.append((time.perf_counter() - began) * 1000)
    assert set(taken) == set(free)
    print(f"claim median {statistics.median(took_ms):.1f} ms, most {max(took_ms):.1f} ms")
    queued = "SELECT count(*) FROM execution WHERE status = 'queued' AND admitted"
    assert superuser.execute(queued).fetchone() == (0,)
