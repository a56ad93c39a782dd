"""The database restarts and the network breaks while 100 executions run: each finishes, once."""

import random
import time
from collections import Counter

import pytest
from hypothesis import settings

from pilot import db
from tests import world as people
from tests.crash.proxy import proxied
from tests.crash.restarting import restartable
from tests.engine import worker_process as wp
from tests.engine.receiving import reaching, receiving
from tests.engine.worker_process import put

pytestmark = [pytest.mark.crash, pytest.mark.long]
NIGHTLY = settings.get_current_profile_name() == "nightly"
EXECUTIONS, ROUNDS = 100, 10 if NIGHTLY else 1
LEFT = "SELECT count(*) FROM execution WHERE status <> 'completed'"


def ran(server, url, folder, disturb):
    """Run executions on two workers while they are disturbed; what was sent is compared."""
    engine = db.configure(server.url)
    wp.switch_on()
    person = people.person("owner", "operator").id
    with receiving() as outside:
        rest = {"id": "rest", "type": "delay", "for_s": 1.0, "dependencies": ["one"]}
        steps = [outside.send("one"), rest, put("mid", 1, dependencies=["rest"])]
        agent = wp.make_agent(person, [*steps, outside.send("two", "mid")])
        for number in range(ROUNDS):
            for _ in range(EXECUTIONS):
                wp.start(agent, person)
            with (
                reaching(outside, url, server.redis_url, folder / "a"),
                reaching(outside, url, server.redis_url, folder / "b"),
            ):
                disturb(random.Random(number))
                wp.until(lambda: server.ask(LEFT) == [(0,)], seconds=180)
        sent = Counter(one["key"] for one in outside._requests() if one["applied"])
        assert len(sent) == 2 * EXECUTIONS * ROUNDS
        assert set(sent.values()) == {1}
    twice = "SELECT path FROM step_execution WHERE status = 'completed' GROUP BY execution_id, path"
    assert server.ask(f"{twice} HAVING count(*) > 1") == []
    engine.dispose()


@pytest.mark.capability(240)
def test_executions_finish_once_although_postgres_restarts_and_the_network_breaks(tmp_path):
    def disturb(chance):
        for _ in range(5 if NIGHTLY else 2):
            for _ in range(15 if NIGHTLY else 4):
                time.sleep(chance.uniform(0.2, 0.6) if NIGHTLY else 0.1)
                chance.choice([cut, cut_amid, stall])(chance)
            server.restart()

    def cut(_):
        proxy.cut()

    def cut_amid(chance):
        proxy.cut_after(chance.randrange(1, 4_000))

    def stall(chance):
        proxy.stall(chance.uniform(0.1, 0.6))

    with restartable() as server, proxied(server.url) as (proxy, url):
        ran(server, url, tmp_path, disturb)
