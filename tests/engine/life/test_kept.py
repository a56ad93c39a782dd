"""What reuse saves: what the one run cost that gave the result, with executions within it."""

import pytest
from cryptography.fernet import Fernet

from pilot import db, vault
from pilot.engine.life import forks, receipts, retrying
from pilot.engine.life.forks import Fork
from pilot.reports import execution as report
from tests.engine import worker_process as wp
from tests.engine.generation.asked import set_up

FREE = {"type": "object", "additionalProperties": True}


@pytest.fixture
def worker(peer, database, world, redis_url, tmp_path):
    vault.configure([Fernet.generate_key().decode()])
    set_up(peer)
    peer.script({"reply": "fine"})
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path), hears=True) as resident:
        yield resident
    vault.configure([])


def ask(name, *after):
    made = {"id": name, "type": "ai_processing", "prompt": f"Say {name}.", "max_output_tokens": 90}
    return made | {"dependencies": list(after)}


def paid(superuser, execution):
    query = "SELECT path, sum(cost) / count(*) FROM call WHERE execution_id = %s GROUP BY path"
    return dict(superuser.execute(query, [execution]).fetchall())


def receipt(user, execution, step):
    with db.reading(user.id) as session:
        found = receipts.receipt(session, execution, "retry", step)
    return {line.path: line.usd for line in found.reused}


def saved(user, execution):
    with db.reading(user.id) as session:
        found = report.shown(session, execution).reused
    return found.steps, found.usd


def again(database, user, execution, step):
    retrying.from_step(execution, step, by=user.actor, user_id=user.id)
    assert wp.wait_for(database, execution, {"completed"})


@pytest.mark.capability(254)
@pytest.mark.capability(264)
def test_of_a_step_that_ran_again_one_run_counts(worker, database, world, superuser):
    user = world.operator
    steps = [ask("a"), ask("b", "a"), wp.put("z", 1, dependencies=["b"])]
    execution, _ = wp.run(database, user, steps)
    again(database, user, execution, "b")
    one = paid(superuser, execution)
    assert receipt(user, execution, "z") == one
    made = forks.fork(execution, Fork(), by=user.actor, user_id=user.id)
    wp.wait_for(database, made)
    assert saved(user, made) == (3, one["a"] + one["b"])
    again(database, user, execution, "a")  # what a fork took over happened before that
    assert saved(user, made) == (3, one["a"] + one["b"])
    again(database, user, made, "b")
    assert saved(user, made) == (1, one["a"])
    again(database, user, made, "a")
    assert saved(user, made) == (0, 0)
    assert receipt(user, made, "z") == paid(superuser, made)


@pytest.mark.capability(264)
def test_what_a_step_did_by_executions_within_is_kept_with_it(worker, database, world, superuser):
    user = world.operator
    child = wp.make_agent(user.id, [ask("deep"), {"id": "in", "type": "sub_workflow"} | STEPS])
    named = {"id": "named", "type": "sub_workflow", "agent": str(child)}
    execution, _ = wp.run(database, user, [named, wp.put("z", 1, dependencies=["named"])])
    total = superuser.execute("SELECT sum(cost) FROM call").fetchone()[0]
    assert total > 0
    again(database, user, execution, "named")
    assert receipt(user, execution, "z") == {"named": total}
    made = forks.fork(execution, Fork(), by=user.actor, user_id=user.id)
    wp.wait_for(database, made)
    assert saved(user, made) == (2, total)
    assert superuser.execute("SELECT sum(cost) FROM call").fetchone()[0] == 2 * total


STEPS = {"steps": [ask("deeper")], "dependencies": ["deep"]}
