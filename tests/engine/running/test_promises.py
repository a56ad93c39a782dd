"""Promises about whole executions: overlap, order, totals, snapshots, many at once."""

import threading
from collections import Counter
from datetime import timedelta

import psutil
import psycopg
import pytest

from pilot import db, settings
from pilot.engine.life import executions
from pilot.reports import execution as reports
from tests.engine import worker_process as wp


def keep(name, value=1, **more):
    config = {"operation": "set", "config": {"value": value}}
    return {"id": name, "type": "transform"} | config | more


def rest(name, seconds, **more):
    return {"id": name, "type": "delay", "for_s": seconds} | more


@pytest.fixture
def worker(database, redis_url, tmp_path):
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident


@pytest.fixture(autouse=True)
def _switched_on(world):
    wp.switch_on()


def query(database, statement, *values):
    options = "-c role=pilot_app -c app.sees_all=on"
    with psycopg.connect(db.dsn(database), options=options) as connection:
        return connection.execute(statement, values).fetchall()


@pytest.mark.capability(46, 164)
@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "a", "b")])
def test_independent_steps_overlap_and_their_order_changes_nothing(worker, database, world, order):
    slow = {"a": rest("a", 0.4), "b": rest("b", 0.2), "c": keep("c", 5)}
    last = keep("last", "{{steps.c.output}}", dependencies=["a", "b", "c"])
    agent = wp.make_agent(world.operator.id, [*(slow[name] for name in order), last])
    execution = wp.start(agent, world.operator.id)
    assert wp.wait_for(database, execution)[:2] == ("completed", 5)
    rows = query(
        database,
        "SELECT path, started_at, finished_at FROM step_execution WHERE execution_id = %s",
        execution,
    )
    spans = {path: (start, end) for path, start, end in rows}
    assert spans["b"][0] < spans["a"][1]
    assert spans["a"][0] < spans["b"][1]
    before = max(end for path, (_, end) in spans.items() if path != "last")
    # A claim's clock comes late, on a busy machine most of all; but no step takes that long.
    assert spans["last"][0] >= before - timedelta(milliseconds=300)


@pytest.mark.capability(9)
def test_each_execution_has_a_session_that_finds_it(database, world, browse):
    agent = wp.make_agent(world.operator.id, [keep("one")])
    first, second = (wp.start(agent, world.operator.id) for _ in range(2))
    rows = dict(query(database, "SELECT id, session_id FROM execution"))
    assert rows[first] != rows[second]
    found = browse(world.operator).get(f"/executions.json?q={rows[first]}").json["items"]
    assert [one["id"] for one in found] == [str(first)]
    (event,) = query(database, "SELECT data FROM event WHERE execution_id = %s", first)
    assert event[0]["session"] == str(rows[first])


@pytest.mark.capability(33)
def test_totals_after_a_pause_are_the_sums_of_the_stored_attempts(worker, database, world):
    agent = wp.make_agent(
        world.operator.id, [keep("one"), rest("two", 0.3), keep("three", dependencies=["two"])]
    )
    execution = wp.start(agent, world.operator.id)
    wp.wait_for(database, execution, {"running"} | wp.END)
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    executions.pause(execution, **who)
    if wp.wait_for(database, execution)[0] == "paused":
        executions.resume(execution, **who)
    assert wp.wait_for(database, execution)[0] == "completed"
    with db.reading(world.operator.id) as session:
        shown = reports.shown(session, execution)
    (stored,) = query(
        database,
        "SELECT count(*), sum(duration_ms) FROM step_execution "
        "WHERE execution_id = %s AND status = 'completed'",
        execution,
    )
    attempts = [one for step in shown.steps for one in step.attempts if one.status == "completed"]
    assert (len(attempts), sum(one.working_ms for one in attempts)) == stored
    assert stored[0] == 3


@pytest.mark.capability(176)
@pytest.mark.parametrize(
    ("policy", "status"), [("fail", "failed"), ("warn", "completed_with_errors")]
)
def test_an_output_that_misfits_fails_or_warns(worker, database, world, policy, status):
    agent = wp.make_agent(
        world.operator.id,
        [keep("one", "text")],
        output={"total": "{{steps.one.output}}"},
        output_schema={"type": "object", "properties": {"total": {"type": "number"}}},
        policies={"output": policy},
    )
    execution = wp.start(agent, world.operator.id)
    found, _, error, _ = wp.wait_for(database, execution)
    assert found == status
    if status == "failed":
        assert error["class"] == "schema"
        assert "/total: 'text' is not of type 'number'" in error["message"]


@pytest.mark.capability(244)
def test_each_execution_keeps_the_settings_of_one_version(database, world):
    agent = wp.make_agent(world.operator.id, [keep("one")])
    stop = threading.Event()

    numbers = [100]

    def flip():
        while not stop.wait(0.05):
            number = numbers[-1] + 1
            pair = {"pilot_max_steps": number, "pilot_max_parallel_steps": number % 60 + 1}
            numbers.append(number)
            settings.change_all(pair, by=world.admin.actor)

    flipping = threading.Thread(target=flip)
    flipping.start()
    while len(numbers) < 8:
        wp.start(agent, world.operator.id)
    stop.set()
    flipping.join()
    rows = query(database, "SELECT settings, settings_version FROM execution")
    changes = query(
        database,
        "SELECT version, after FROM setting_change WHERE key = 'pilot_max_steps'",
    )
    at = dict(changes)
    assert len({version for _, version in rows}) > 3
    for kept, version in rows:
        if version in at:
            assert kept["pilot_max_steps"] == at[version]
            assert kept["pilot_max_parallel_steps"] == at[version] % 60 + 1


@pytest.mark.crash
@pytest.mark.capability(47)
def test_a_hundred_at_once_all_finish_and_memory_stays_flat(worker_process, database, world):
    process = psutil.Process(worker_process().pid)
    steps = [keep("one", "x" * 1000), rest("two", 0.1, dependencies=["one"]), keep("three")]
    agent = wp.make_agent(world.operator.id, steps)
    sizes = []
    for _ in range(3):
        started = [wp.start(agent, world.operator.id) for _ in range(100)]
        for execution in started:
            assert wp.wait_for(database, execution, seconds=60)[0] == "completed"
        sizes.append(process.memory_info().rss / 2**20)
    done = query(database, "SELECT execution_id, path FROM step_execution")
    assert set(Counter(done).values()) == {1}
    assert len(done) == 900
    assert sizes[2] - sizes[1] < 8, f"MiB after each hundred: {sizes}"
