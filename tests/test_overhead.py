"""The figure of overhead is about equal work, and names a step and a ratio."""

import psycopg
import pytest

from benchmarks import overhead
from pilot import db, strictjson
from tests.engine import worker_process as wp
from tests.engine.acting.test_ai_steps import answering


@pytest.mark.capability(52)
def test_both_sides_make_the_same_calls_and_the_ratio_is_printed(
    database, redis_url, world, tmp_path, superuser, capsys
):
    owner = world.operator.id
    rules = strictjson.loads(overhead.answers())["rules"]
    made = []
    with answering(database, redis_url, tmp_path, *rules):
        agents = {
            "pilot steps": wp.make_agent(owner, overhead.workflow()),
            "simple loop": wp.make_agent(owner, overhead.simple_loop()),
        }

        def run(name):
            made.append(wp.start(agents[name], owner))
            assert wp.wait_for(database, made[-1])[0] == "completed"
            return made[-1]

        with psycopg.connect(
            db.dsn(database), autocommit=True, options="-c role=pilot_app"
        ) as connection:
            connection.execute("SELECT set_config('app.sees_all', 'on', false)")
            ratio = overhead.compare(connection, run, runs=1, warm=0)

    counts = []
    for execution in made:
        (calls,) = superuser.execute(
            "SELECT count(*) FROM call WHERE execution_id = %s", [execution]
        ).fetchone()
        actions = [
            one
            for one in wp.attempts(database, execution)
            if one[0].endswith("mail.search") or (one[0][0] == "s" and int(one[0][1:]) % 2)
        ]
        counts.append((calls, len(actions)))
    assert counts == [(overhead.ACTIONS + 1, overhead.ACTIONS)] * 2
    printed = [strictjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["unit"], one["value"] > 0) for one in printed] == [
        ("ms", True),
        ("ms", True),
        ("", True),
    ]
    assert printed[2]["value"] == pytest.approx(ratio, rel=0.01)
