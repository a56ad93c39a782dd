"""What other engines got wrong once, each staged here or in the test that is named."""

import ast
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from pilot import db, failpoints
from pilot.engine.agents import agents
from pilot.engine.approvals import approvals
from pilot.engine.life import retrying
from pilot.engine.running.checkpoints import Checkpoint, parameters
from tests import world as people
from tests.crash.restarting import restartable
from tests.engine import worker_process as wp
from tests.engine.receiving import reaching, receiving
from tests.engine.worker_process import broken, put

ANY = {"type": "object", "additionalProperties": True}
TESTS = Path(__file__).parents[1]
KILLS = "crash/test_kills.py"
PEOPLE = "crash/test_people.py"
LOOPS = "engine/steps/test_loop.py"
ELSEWHERE = {
    "stuck_execution_does_not_block_its_concurrency_key": "engine/language/test_concurrency.py"
    "::test_stuck_execution_does_not_block_its_concurrency_key",
    "one_bad_row_in_a_batch_leaves_the_rest": "engine/running/test_writer.py"
    "::test_a_text_that_the_database_does_not_take_fails_alone",
    "stopped_worker_cannot_overwrite_its_successor": "crash/test_disturbances.py"
    "::test_a_worker_that_wakes_up_after_its_lease_writes_and_sends_nothing",
    "gather_fires_once_at_n_of_n": f"{KILLS}"
    "::test_a_worker_killed_amid_thousands_of_items_gathers_each_once",
    "second_approval_does_not_resume_twice": f"{PEOPLE}::test_of_fifty_presses_at_once_one_counts",
    "retry_in_loop_repeats_only_the_failed_item": "engine/steps/test_scatter_gather.py"
    "::test_a_retry_repeats_only_the_failed_items",
    "step_before_a_wait_is_not_repeated_on_resume": f"{LOOPS}"
    "::test_rounds_that_wait_go_on_where_they_were",
    "child_is_created_once_under_retry": f"{KILLS}"
    "::test_a_worker_killed_around_an_execution_within_starts_it_once",
    "pruning_keeps_tables_bounded": "engine/upkeep/test_retention.py"
    "::test_a_worker_prunes_by_itself",
}


@pytest.mark.parametrize("claim", sorted(ELSEWHERE.values()))
def test_the_tests_that_learned_a_lesson_exist(claim):
    file, _, name = claim.partition("::")
    tree = ast.parse((TESTS / file).read_text())
    assert name in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}


@pytest.fixture
def settings(database, redis_url, world, tmp_path):
    wp.switch_on()
    return wp.config(database, redis_url, tmp_path)


def test_draining_worker_never_claims(settings, database, world, superuser):
    wp.start(wp.make_agent(world.operator.id, [put("a", 1)]), world.operator.id)
    for draining, claimed in ((True, 0), (False, 1)):
        (worker,) = superuser.execute(
            "INSERT INTO worker (host, pid, version, lease_until, draining) "
            "VALUES ('test', 1, 'test', pilot_now() + interval '1 h', %s) RETURNING id",
            [draining],
        ).fetchone()
        rows = superuser.execute("SELECT * FROM claim(%s, 99, 10, 200)", [worker]).fetchall()
        assert len(rows) == claimed


def test_two_sweepers_with_stale_lists_take_over_once(settings, database, world, superuser):
    agent = wp.make_agent(world.operator.id, [put("a", 1)])
    execution = wp.start(agent, world.operator.id)
    (dead,) = superuser.execute(
        "INSERT INTO worker (host, pid, version, lease_until, stopped_at) "
        "VALUES ('gone', 1, 'test', pilot_now(), pilot_now()) RETURNING id"
    ).fetchone()
    superuser.execute("UPDATE execution SET status = 'running', worker_id = %s, fence = 1", [dead])

    def sweep(_):
        with psycopg.connect(db.dsn(database), options="-c role=pilot_app") as connection:
            connection.execute("SELECT take_away(%s, %s, 'worker_died')", (execution, dead))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(sweep, range(2)))
    taken = superuser.execute("SELECT status, fence, recovery_attempts FROM execution").fetchone()
    assert taken == ("queued", 2, 1)


def test_retry_runs_the_version_the_user_chose(settings, database, world, superuser):
    agent = wp.make_agent(world.operator.id, [broken("a")], inputs=ANY)
    with wp.working(settings):
        execution = wp.start(agent, world.operator.id)
        assert wp.wait_for(database, execution)[0] == "failed"
        newer = {"format": 1, "name": "Newer", "steps": [put("a", "newer")]}
        by, user = world.operator.actor, world.operator.id
        agents.save_version(agent, newer, reason="mend", base=1, by=by, user_id=user)
        retrying.failed(execution, by=by, user_id=user)
        assert wp.wait_for(database, execution)[0] == "failed"
    version = "SELECT version_number FROM execution WHERE id = %s"
    assert superuser.execute(version, [execution]).fetchone() == (1,)


def test_a_loop_of_many_turns_resumes_as_fast_as_of_three(settings, database, world, superuser):
    body = {"id": "each", "type": "loop", "items": "inputs.items", "steps": [put("a", "{{item}}")]}
    rest = {"id": "rest", "type": "delay", "for_s": 1.0, "dependencies": ["each"]}
    steps = [body | {"max_iterations": 3000}, rest, put("end", 1, dependencies=["rest"])]
    agent = wp.make_agent(world.operator.id, steps, inputs=ANY)
    told = "SELECT count(*) FROM event WHERE execution_id = %s"
    spent = []
    with wp.working(settings):
        for turns in (3, 600):
            execution = wp.start(agent, world.operator.id, items=list(range(turns)))
            wp.wait_for(database, execution, {"waiting"})
            before = superuser.execute(told, [execution]).fetchone()[0]
            assert wp.wait_for(database, execution)[0] == "completed"
            spent.append(superuser.execute(told, [execution]).fetchone()[0] - before)
    assert spent[0] == spent[1]  # a turn that ran again would tell of itself
    rows = superuser.execute("SELECT count(*) FROM step_execution WHERE attempt > 1").fetchone()
    assert rows == (0,)


def test_steps_that_are_being_written_when_their_execution_is_taken_away_run_once_more(
    settings, database, world, superuser
):
    """Steps without effect do not wait for their commit: those of a lost worker's claim go."""
    body = {"id": "each", "type": "loop", "items": "inputs.items", "steps": [put("a", "{{item}}")]}
    agent = wp.make_agent(world.operator.id, [body | {"max_iterations": 3000}], inputs=ANY)
    done = "SELECT count(*) FROM step_execution WHERE status = 'completed'"
    with wp.working(settings):
        execution = wp.start(agent, world.operator.id, items=list(range(2000)))
        while superuser.execute(done).fetchone()[0] < 100:
            pass
        (worker,) = superuser.execute("SELECT worker_id FROM execution").fetchone()
        superuser.execute("SELECT take_away(%s, %s, 'worker_died')", (execution, worker))
        assert wp.wait_for(database, execution)[0] == "completed"
    (claims,) = superuser.execute("SELECT fence FROM execution").fetchone()
    rows = superuser.execute(
        "SELECT count(*), count(DISTINCT path) FROM step_execution "
        "WHERE status = 'completed' AND path LIKE '%/a'"
    ).fetchone()
    assert (claims, rows) == (3, (2000, 2000))  # claimed, taken away, claimed


ASK = {
    "id": "ask",
    "type": "human_approval",
    "title": "Go on?",
    "approvers": ["owner"],
    "timeout_s": 600,
    "on_timeout": "approve",
}
# Which transactions last wrote what a decision changes: one, or a crash leaves half of it.
WRITTEN_BY = """
SELECT count(DISTINCT txn), count(*) FROM (
  SELECT xmin::text AS txn FROM approval UNION ALL SELECT xmin::text FROM wait
  UNION ALL SELECT xmin::text FROM execution
  UNION ALL (SELECT xmin::text FROM event ORDER BY seq DESC LIMIT 2)
  UNION ALL (SELECT xmin::text FROM audit WHERE chain <> 'system' ORDER BY seq DESC LIMIT 1)) AS one
"""


@pytest.mark.parametrize("how", ["a person", "nobody in time"])
def test_decision_and_state_share_a_commit(settings, database, world, superuser, how):
    agent = wp.make_agent(world.operator.id, [ASK])
    with wp.working(settings):
        execution = wp.start(agent, world.operator.id)
        wp.wait_for(database, execution, {"waiting"})
    (approval, seen) = superuser.execute("SELECT id, payload_hash FROM approval").fetchone()
    if how == "a person":
        who = {"by": world.operator.actor, "user_id": world.operator.id}
        approvals.decide(approval, "approved", seen_hash=seen, **who)
    else:
        superuser.execute("UPDATE approval SET expires_at = pilot_now()")
        superuser.execute("SELECT expire_approval(%s)", [approval])
    assert wp.row(database, execution)[0] == "queued"
    assert superuser.execute(WRITTEN_BY).fetchone() == (1, 6)


def test_finished_execution_is_never_marked_failed_later(settings, database, world, superuser):
    """Its worker dies, its deadline passes, and what came too late wants to be written."""
    agent = wp.make_agent(world.operator.id, [put("a", 1)])
    with wp.working(settings):
        execution = wp.start(agent, world.operator.id)
        assert wp.wait_for(database, execution)[0] == "completed"
    superuser.execute("UPDATE execution SET deadline_at = pilot_now() - interval '1 h'")
    (worker,) = superuser.execute("SELECT worker_id FROM step_execution").fetchone()
    whole = (
        "SELECT e::text, (SELECT count(*) FROM event), (SELECT count(*) FROM audit),"
        " (SELECT string_agg(s::text, ' ') FROM step_execution s) FROM execution e"
    )
    before = superuser.execute(whole).fetchone()
    failing = Checkpoint(execution, 1, "finish")
    failing.status = "failed"
    failing.events.append(("execution", None, {"status": "failed"}))
    late = parameters(worker, [failing.rows()])
    assert superuser.execute("SELECT stop_worker(%s)", [worker]).fetchall() == []
    assert superuser.execute("SELECT kind FROM due(100)").fetchall() == []
    assert superuser.execute("SELECT * FROM claim(%s, 99, 10, 200)", [worker]).fetchall() == []
    for why in ("worker_died", "crashed", "released", "grace_over"):
        superuser.execute("SELECT take_away(%s, %s, %s)", [execution, worker, why])
    superuser.execute("SELECT wake(%s)", [execution])
    superuser.execute("SELECT * FROM checkpoint(%s, %s, %s, %s, %s, %s)", late)
    assert superuser.execute(whole).fetchone() == before


@contextmanager
def hanging(settings, database, world, tmp_path, count=1, **fields):
    """Give executions whose step has sent a request that nobody answers for long."""
    with receiving() as outside, reaching(outside, database, settings.redis_url, tmp_path):
        step = outside.send("slow", **fields)
        step["params"]["url"] += "?wait_ms=5000"
        agent = wp.make_agent(world.operator.id, [step])
        ids = [wp.start(agent, world.operator.id) for _ in range(count)]
        wp.until(lambda: outside.sent["slow"] == count)
        yield ids


def test_deadline_ends_a_hanging_step(settings, database, world, superuser, tmp_path):
    with hanging(settings, database, world, tmp_path, timeout_s=60) as (execution,):
        superuser.execute("UPDATE execution SET deadline_at = pilot_now()")
        status, _, error, reason = wp.wait_for(database, execution)
        assert (status, error["class"], reason) == ("failed", "deadline", "deadline")
    assert wp.paths(database, execution) == {"slow": "interrupted"}  # no answer was waited for


def test_heartbeats_cost_one_row_per_process(settings, database, world, superuser, tmp_path):
    written = (
        "SELECT 'execution', id::text, xmin::text, cmin::text FROM execution UNION ALL"
        " SELECT 'step', path, xmin::text, cmin::text FROM step_execution UNION ALL"
        " SELECT 'event', seq::text, xmin::text, '' FROM event ORDER BY 1, 2, 3"
    )
    beats = "SELECT id, heartbeat_at FROM worker"
    with hanging(settings, database, world, tmp_path, count=4) as ids:
        before, seen = superuser.execute(written).fetchall(), set()
        while len(seen) < 4:
            seen |= set(superuser.execute(beats).fetchall())
        after = superuser.execute(written).fetchall()
        superuser.execute("UPDATE execution SET deadline_at = pilot_now()")
        wp.wait_for(database, *ids[:1])
    assert len({worker for worker, _ in seen}) == 1
    assert after == before


@pytest.fixture
def armed(monkeypatch):
    """Give a function that arms a crash point of this process on a database."""

    def arm(point, database):
        monkeypatch.setenv("PILOT_FAILPOINT", point)
        monkeypatch.setenv("DATABASE_URL", database)
        failpoints._armed.cache_clear()

    yield arm
    failpoints._armed.cache_clear()


def test_postgres_restart_during_takeover_strands_nothing(tmp_path, armed):
    """The list of what the dead worker held is in the memory of the one that takes over."""
    with restartable() as server:
        engine = db.configure(server.url)
        armed("sweep.between_items:2:sleep:400", server.url)
        wp.switch_on()
        person = people.person("owner", "operator").id
        agent = wp.make_agent(person, [put("a", 1)])
        ids = [wp.start(agent, person) for _ in range(6)]
        server.ask(
            "WITH dead AS (INSERT INTO worker (host, pid, version, lease_until)"
            " VALUES ('gone', 1, 'test', pilot_now()) RETURNING id)"
            " UPDATE execution SET status = 'running', fence = 1, worker_id = dead.id FROM dead"
        )
        taken = "SELECT count(*) FROM execution WHERE fence > 1"
        with wp.working(wp.config(server.url, server.redis_url, tmp_path)):
            wp.until(lambda: server.ask(taken)[0][0] > 1)
            server.restart()
            for one in ids:
                assert wp.wait_for(server.url, one)[0] == "completed"
        fences = "SELECT min(fence), max(fence), count(*) FROM execution"
        assert server.ask(fences) == [(3, 3, 6)]  # each was taken away once
        engine.dispose()
