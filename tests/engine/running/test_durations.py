"""How long steps took: each for itself, whenever a commit came by, and failed ones too."""

from itertools import pairwise

import pytest

from pilot import db
from pilot.reports import execution
from tests.engine import worker_process as wp

SORT = {
    "type": "transform",
    "operation": "sort",
    "input": "inputs.rows",
    "config": {"by": [{"field": "n"}]},
}


@pytest.fixture
def worker(database, redis_url, config):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, config.data)) as resident:
        yield resident


def shown(owner, execution_id):
    with db.reading(owner.id) as session:
        return execution.shown(session, execution_id)


@pytest.mark.capability(35)
@pytest.mark.usefixtures("worker")
def test_steps_that_ran_one_after_the_other_do_not_overlap(world, database):
    rows = [{"n": str(n * 7919 % 9973)} for n in range(9_000)]
    chain = [SORT | {"id": f"s{n}", "dependencies": [f"s{n - 1}"] if n else []} for n in range(4)]
    execution_id, _ = wp.run(database, world.operator, chain, {"rows": rows})
    found = shown(world.operator, execution_id)
    ran = [step.attempts[-1] for step in found.steps]
    assert all(one.duration_ms == one.working_ms > 0 for one in ran)
    assert all(one.finished_at <= after.started_at for one, after in pairwise(ran))
    assert sum(step.duration_ms for step in found.steps) <= found.duration_ms


@pytest.mark.capability(35)
@pytest.mark.usefixtures("worker")
def test_a_failed_attempt_tells_how_long_it_took(world, database, browse):
    execution_id, _ = wp.run(database, world.operator, [wp.broken("bad")])
    attempts = shown(world.operator, execution_id).steps[0].attempts
    assert [one.status for one in attempts] == ["failed"]
    assert all(one.duration_ms is not None for one in attempts)
    page = browse(world.operator).get(f"/executions/{execution_id}?step=bad").text
    assert "not finished" not in page
