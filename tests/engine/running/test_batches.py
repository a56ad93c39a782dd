"""Wide scatters over many workers: items go out in batches that any of them claims."""

from collections import Counter
from contextlib import ExitStack

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from pilot import db
from pilot.engine.life import executions, retrying
from pilot.engine.running import spreading
from pilot.engine.waits import events
from pilot.models.execution import Batch
from pilot.reports import execution as report
from tests.engine import receiving
from tests.engine import worker_process as wp
from tests.engine.running.test_compensation import order
from tests.engine.steps.containers import pause, scatter
from tests.engine.worker_process import put

ANY = {"type": "object", "additionalProperties": True}
OTHER = (
    "INSERT INTO worker (host, pid, version, lease_until, heartbeat_at) "
    "VALUES ('other', 1, 'test', pilot_now() + interval '1 h', pilot_now() + interval '1 h') "
    "RETURNING id"
)


@pytest.fixture
def outside():
    with receiving.receiving() as server:
        yield server


@pytest.fixture
def working(outside, database, redis_url, world, tmp_path, monkeypatch):
    """Start workers, which share scatters of more than four items."""
    monkeypatch.setattr(spreading, "BATCH_ITEMS", 4)
    wp.switch_on()
    with ExitStack() as stack:

        def start(*names):
            return [
                stack.enter_context(
                    receiving.reaching(outside, database, redis_url, tmp_path / name)
                )
                for name in names
            ]

        yield start


@pytest.fixture
def two(working):
    workers = working("one", "two")
    _know_of_each_other(workers)
    return workers


def _know_of_each_other(workers):
    wp.until(lambda: all(one._ports.workers() == 2 for one in workers))


def sends(outside, *more, wait_ms=10):
    """Steps of an item: a request that names it, a number, and more."""
    send = outside.send("send")
    send["params"]["url"] += f"{{{{index}}}}?wait_ms={wait_ms}"
    return [send, put("number", "{{number(item)}}", dependencies=["send"]), *more]


def begin(owner, body, items=30, after=(), **fields):
    items = list(range(items)) if isinstance(items, int) else items
    agent = wp.make_agent(owner.id, [scatter(body, **fields), *after], inputs=ANY)
    return wp.start(agent, owner.id, items=items)


def who(person):
    return {"by": person.actor, "user_id": person.id}


@pytest.mark.capability(238)
def test_two_workers_share_one_scatter(two, outside, database, world, superuser):
    total = put("total", "{{sum(steps.each.output.items)}}", dependencies=["each"])
    execution = begin(world.operator, sends(outside), after=[total])
    assert wp.wait_for(database, execution)[:2] == ("completed", sum(range(30)))
    assert outside.sent == {f"send{n}": 1 for n in range(30)}
    by = superuser.execute(
        "SELECT worker_id, count(*) FROM step_execution WHERE path LIKE 'each[%' GROUP BY 1"
    ).fetchall()
    assert len(by) == 2
    assert sum(count for _, count in by) == 60
    assert superuser.execute("SELECT count(*) FROM batch").fetchone() == (0,)


def test_a_retry_repeats_only_the_failed_items_of_batches(two, outside, database, world):
    items = ["x" if one == 17 else one for one in range(30)]
    execution = begin(world.operator, sends(outside), items, failure={"tolerate": "5%"})
    status, output, *_ = wp.wait_for(database, execution)
    assert status == "completed_with_errors"
    assert [one["index"] for one in output["errors"]] == [17]
    retrying.failed(execution, **who(world.operator))
    wp.wait_for(database, execution)
    counted = Counter(path for path, *_ in wp.attempts(database, execution))
    assert {path for path, count in counted.items() if count > 1} == {"each", "each[17]/number"}
    assert set(outside.sent.values()) == {1}


def test_failures_of_all_batches_count_together(two, outside, database, world):
    items = [one if one % 5 else f"x{one}" for one in range(80)]
    for most, failure in ((1, "stop"), (3, {"tolerate": 2})):
        execution = begin(world.operator, sends(outside), items, failure=failure, max_concurrency=4)
        status, _, error, _ = wp.wait_for(database, execution)
        assert status == "failed"
        assert error["step"].startswith("each[")
        steps = wp.paths(database, execution)
        failed = [path for path, one in steps.items() if one == "failed" and "[" in path]
        assert len(failed) < most + 4  # those at work at that moment
        assert len(steps) < 80


def test_a_pause_and_a_cancel_hold_for_all_batches(two, outside, database, world, superuser):
    execution = begin(world.operator, sends(outside), 80, max_concurrency=4)
    wp.until(lambda: len(outside.sent) > 8)
    executions.pause(execution, **who(world.operator))
    assert wp.wait_for(database, execution)[0] == "paused"
    before = len(outside.sent)
    assert before < 60
    executions.resume(execution, **who(world.operator))
    wp.until(lambda: len(outside.sent) > before + 8)
    executions.cancel(execution, **who(world.operator))
    assert wp.wait_for(database, execution)[0] == "cancelled"
    assert len(outside.sent) < 80
    assert set(outside.sent.values()) == {1}
    assert superuser.execute("SELECT count(*) FROM batch").fetchone() == (0,)
    left = {path for path, one in wp.paths(database, execution).items() if one == "running"}
    assert left == set()


def test_items_that_wait_go_on_once_the_batches_have_ended(two, outside, database, world):
    more = [pause("rest", 1), outside.send("late", "rest")]
    more[1]["params"]["url"] += "{{index}}"
    more[0]["dependencies"] = ["number"]
    execution = begin(world.operator, sends(outside, *more), 12)
    assert wp.wait_for(database, execution)[1]["succeeded"] == 12
    assert outside.sent == {f"{name}{n}": 1 for name in ("send", "late") for n in range(12)}


def test_a_batch_that_killed_two_workers_is_given_back(
    working, outside, database, world, superuser
):
    (other,) = superuser.execute(OTHER).fetchone()
    _know_of_each_other(working("one"))
    execution = begin(world.operator, sends(outside, wait_ms=30), 20, max_concurrency=2)
    for _ in range(2):
        claimed = wp.until(
            lambda: superuser.execute("SELECT claim_batch(%s, 1)", [other]).fetchone()
        )
        with db.transaction("test", world.operator.id) as session:
            assert session.scalars(select(Batch.execution_id).distinct()).all() == [execution]
            assert report.shown(session, execution).worker.startswith("2 at batches of its items")
            with pytest.raises(ProgrammingError, match="permission denied"):
                session.execute(text("UPDATE batch SET fence = 99"))
            session.rollback()
        with db.transaction("test", world.stranger.id) as session:
            assert session.scalars(select(Batch.id)).all() == []
        superuser.execute("SELECT take_away(%s, %s, 'worker_died')", [claimed[0], other])
    superuser.execute("UPDATE worker SET stopped_at = pilot_now() WHERE id = %s", [other])
    assert wp.wait_for(database, execution)[1]["succeeded"] == 20
    assert set(outside.sent.values()) == {1}
    assert superuser.execute("SELECT gave_up FROM batch").fetchall() == [(True,)]


@pytest.mark.parametrize("kind", ["delay", "event"])
def test_what_an_execution_waits_for_besides_does_not_wait_for_all_batches(
    two, outside, database, world, kind
):
    wait = {"id": "p", "type": "wait_for_event", "event": "go", "timeout_s": 600}
    more = [pause("p", 2) if kind == "delay" else wait, outside.send("q", "p"), outside.send("s")]
    fields = {"max_concurrency": 4, "dependencies": ["s"]}
    execution = begin(world.operator, sends(outside, wait_ms=400), 80, more, **fields)
    wp.until(lambda: outside.sent["send5"])
    if kind == "event":
        events.send(events.Sent("go"), **who(world.operator))
    assert wp.wait_for(database, execution)[0] == "completed"
    sent = order(outside)
    assert sent.index("q") < 60
    assert Counter(sent) == Counter({f"send{n}": 1 for n in range(80)} | {"q": 1, "s": 1})
