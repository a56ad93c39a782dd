"""The writer: what many executions write shares a commit, and a bad one fails alone."""

import asyncio
from uuid import uuid4

import pytest

from pilot import db
from pilot.engine.running.checkpoints import AttemptRow, Checkpoint
from pilot.engine.running.writer import Writer
from pilot.engine.status import ExecutionStatus, StepStatus
from pilot.errors import FencedError
from tests.engine.worker_process import make_agent, start, switch_on

NOOP = {"id": "s", "type": "transform", "input": [], "operation": "limit", "config": {"count": 1}}


@pytest.fixture
def held(world, superuser):
    """Give three executions that the returned worker holds."""
    switch_on()
    agent = make_agent(world.operator.id, [NOOP])
    ids = [start(agent, world.operator.id) for _ in range(3)]
    (worker,) = superuser.execute(
        "INSERT INTO worker (host, pid, version, lease_until) "
        "VALUES ('test', 1, 'test', pilot_now() + interval '1 h') RETURNING id"
    ).fetchone()
    superuser.execute(
        "UPDATE execution SET status = 'running', worker_id = %s, fence = 1", [worker]
    )
    return worker, ids


def result(execution_id, output, fence=1, path="s"):
    checkpoint = Checkpoint(execution_id, fence, "result")
    checkpoint.attempts.append(
        AttemptRow(path, 1, "transform", StepStatus.COMPLETED, db.now(), output=output)
    )
    checkpoint.events.append(("step", path, {"status": "completed"}))
    return checkpoint


def write(database, worker, checkpoints):
    """Write all of them at once; returns what each was told."""

    async def work():
        writer = Writer(database, worker, lambda _: None)
        told = await asyncio.gather(*map(writer.put, checkpoints), return_exceptions=True)
        await writer.close()
        return told

    return asyncio.run(work())


def written(superuser):
    rows = superuser.execute("SELECT execution_id, output FROM step_execution").fetchall()
    return dict(rows)


def test_checkpoints_of_many_executions_share_a_commit(database, superuser, held):
    worker, ids = held
    told = write(database, worker, [result(one, "[1]") for one in ids])
    assert [one.cancel for one in told] == [False] * 3
    assert written(superuser) == {one: [1] for one in ids}
    commits = superuser.execute("SELECT count(DISTINCT xmin::text) FROM step_execution").fetchone()
    assert commits[0] < 3


def test_what_one_execution_writes_at_once_shares_a_commit_in_order(database, superuser, held):
    worker, ids = held
    last = result(ids[0], "9", path="end")
    last.status = ExecutionStatus.COMPLETED
    items = [result(ids[0], str(n), path=f"all[{n}]/s") for n in range(20)]
    told = write(database, worker, [*items, last, result(ids[0], "1", fence=2, path="stale")])
    assert [isinstance(one, FencedError) for one in told] == [False] * 21 + [True]
    events = superuser.execute("SELECT path FROM event WHERE kind = 'step' ORDER BY seq").fetchall()
    assert [path for (path,) in events] == [*(f"all[{n}]/s" for n in range(20)), "end"]
    rows = superuser.execute("SELECT count(*), count(DISTINCT xmin::text) FROM step_execution")
    count, commits = rows.fetchone()
    assert count == 21
    assert commits <= 3


def test_an_attempt_that_begins_and_ends_at_once_is_written_in_two_commits(
    database, superuser, held, capsys
):
    worker, ids = held
    began = Checkpoint(ids[0], 1, "decide")
    running = AttemptRow("way", 1, "conditional", StepStatus.RUNNING, db.now(), input='{"n":1}')
    began.attempts.append(running)
    ended = Checkpoint(ids[0], 1, "result")
    done = AttemptRow("way", 1, "conditional", StepStatus.COMPLETED, db.now(), output="7")
    ended.attempts.append(done)
    first = result(ids[1], "1")  # while it is on its way, the others wait together
    write(database, worker, [first, began, ended])
    rows = superuser.execute(
        "SELECT status, input, output FROM step_execution WHERE path = 'way'"
    ).fetchall()
    assert rows == [("completed", {"n": 1}, 7)]
    assert "batch_failed" not in capsys.readouterr().err


def test_of_what_an_execution_writes_at_once_a_bad_text_fails_alone(database, superuser, held):
    worker, ids = held
    good = [result(ids[0], str(n), path=f"all[{n}]/s") for n in range(3)]
    told = write(database, worker, [*good, result(ids[0], '"\ud800"', path="bad")])
    assert [isinstance(one, Exception) for one in told] == [False] * 3 + [True]
    paths = superuser.execute("SELECT path FROM step_execution ORDER BY path").fetchall()
    assert [path for (path,) in paths] == [f"all[{n}]/s" for n in range(3)]


def test_a_text_that_the_database_does_not_take_fails_alone(database, superuser, held):
    worker, ids = held
    told = write(database, worker, [result(ids[0], "1"), result(ids[1], '"\ud800"')])
    assert told[0].pause is False
    assert isinstance(told[1], UnicodeError)
    assert written(superuser) == {ids[0]: 1}


def test_a_member_without_its_fence_writes_nothing(database, superuser, held):
    worker, ids = held
    told = write(database, worker, [result(ids[0], "1", fence=0), result(ids[1], "2")])
    assert isinstance(told[0], FencedError)
    assert written(superuser) == {ids[1]: 2}


def test_another_worker_writes_nothing(database, superuser, held):
    _, ids = held
    told = write(database, uuid4(), [result(ids[0], "1")])
    assert isinstance(told[0], FencedError)
    assert written(superuser) == {}


def test_an_end_is_written_with_the_last_checkpoint(database, superuser, held):
    worker, ids = held
    checkpoint = result(ids[0], "[1]")
    checkpoint.status, checkpoint.output = ExecutionStatus.COMPLETED, '{"n":1}'
    write(database, worker, [checkpoint])
    row = superuser.execute(
        "SELECT status, output, worker_id, finished_at IS NOT NULL, event_seq "
        "FROM execution WHERE id = %s",
        [ids[0]],
    ).fetchone()
    assert row[:4] == ("completed", {"n": 1}, None, True)
    after = write(database, worker, [result(ids[0], "[2]")])
    assert isinstance(after[0], FencedError)


def test_flags_say_what_people_asked_meanwhile(database, superuser, held):
    worker, ids = held
    superuser.execute(
        "UPDATE execution SET pause_requested_at = pilot_now() WHERE id = %s", [ids[0]]
    )
    superuser.execute("UPDATE execution SET deadline_at = pilot_now() WHERE id = %s", [ids[1]])
    told = write(database, worker, [result(one, "1") for one in ids])
    assert [(one.pause, one.late) for one in told] == [(True, False), (False, True), (False, False)]


@pytest.mark.capability(215)
@pytest.mark.parametrize("where", [ExecutionStatus.WAITING, ExecutionStatus.PAUSED])
def test_a_cancel_is_not_lost_by_an_execution_that_parks_or_pauses(
    database, superuser, held, where
):
    worker, ids = held
    superuser.execute("UPDATE execution SET status = 'cancelling' WHERE id = %s", [ids[0]])

    async def park(execution):
        writer = Writer(database, worker, lambda _: None)
        checkpoint = Checkpoint(execution, 1, "park")
        checkpoint.status = where
        parked = await writer.try_park(checkpoint)
        await writer.close()
        return parked

    assert [asyncio.run(park(one)) for one in ids[:2]] == [False, True]
    query = "SELECT status FROM execution ORDER BY id"
    found = [status for (status,) in superuser.execute(query).fetchall()]
    assert found == ["cancelling", str(where), "running"]
