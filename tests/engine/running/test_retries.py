"""When a failed attempt is followed by another: which failures, after which delay."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from pilot.engine.language.step_fields import Retry
from pilot.engine.running import retries
from pilot.engine.workflow import document
from pilot.errors import ErrorClass, StepError
from tests import http_peer
from tests.engine import worker_process as wp

DRAWS = 4_000
USUALLY = {"timeout", "rate_limit", "network", "server"}


def step(**retry):
    fields = {"id": "it", "type": "delay", "for_s": 1} | ({"retry": retry} if retry else {})
    return document.parse({"steps": [fields]})


@pytest.mark.capability(45, 212)
@pytest.mark.parametrize(("failures", "longest"), [(1, 1), (2, 2), (3, 4), (4, 5), (9, 5)])
def test_the_delay_is_drawn_evenly_below_its_bound(failures, longest):
    rule = Retry(base_s=1, factor=2, max_s=5)
    drawn = [retries.delay_s(rule, failures, None) for _ in range(DRAWS)]
    assert 0 <= min(drawn) <= max(drawn) <= longest
    quarters = [sum(n <= 4 * one / longest < n + 1 for one in drawn) for n in range(4)]
    assert all(0.21 < one / DRAWS < 0.29 for one in quarters)  # five standard deviations


@pytest.mark.capability(212)
def test_what_the_receiver_asks_for_is_the_least():
    rule = Retry(base_s=1, max_s=2)
    drawn = [retries.delay_s(rule, 2, 1.5) for _ in range(DRAWS)]
    assert min(drawn) == 1.5
    assert max(drawn) > 1.9
    assert retries.delay_s(rule, 2, 900) == 900


@pytest.mark.capability(212)
@pytest.mark.parametrize("kind", ErrorClass)
def test_the_class_of_a_failure_decides_whether_it_is_tried_again(kind):
    for workflow, again in (
        (step(), kind in USUALLY),
        (step(retry_on=["conflict", "schema"]), kind in {"conflict", "schema"}),
        (step(max_attempts=1), False),
    ):
        run = SimpleNamespace(simulated=None, plan=SimpleNamespace(workflow=workflow))
        (it,) = workflow.steps
        fault = StepError(kind, "")
        assert retries.may_retry(run, it, fault, 1, "keyed") is again
        assert not retries.may_retry(run, it, fault, 3, "keyed")
        assert not retries.may_retry(run, it, fault, 1, "once")  # it may have happened
        unsent = StepError(kind, "", sent=False)
        assert retries.may_retry(run, it, unsent, 1, "once") is again


@pytest.fixture
def peer():
    with http_peer.serving() as server:
        yield server


@pytest.mark.capability(212)
def test_a_peer_that_asks_to_wait_is_waited_for_without_a_worker(
    peer, database, redis_url, world, tmp_path, superuser
):
    wp.switch_on()
    host = f"127.0.0.1:{peer.server_port}"
    facts = replace(wp.config(database, redis_url, tmp_path), egress_allow=(host,))
    params = {"method": "GET", "url": f"http://{host}/status?code=503&retry-after=40"}
    asks = {"id": "ask", "type": "action", "plugin": "http", "action": "request", "params": params}
    agent = wp.make_agent(world.operator.id, [asks | {"retry": {"max_attempts": 2}}])
    with wp.working(facts):
        execution = wp.start(agent, world.operator.id)
        wp.wait_for(database, execution, {"waiting"})
        asked = superuser.execute("SELECT kind, wake_at - opened_at FROM wait").fetchone()
        assert (asked[0], round(asked[1].total_seconds())) == ("retry", 40)
        assert len(peer.seen) == 1
        superuser.execute("UPDATE wait SET wake_at = pilot_now()")
        status, _, error, _ = wp.wait_for(database, execution)
    assert (status, error["class"], len(peer.seen)) == ("failed", "server", 2)
    assert [one[2] for one in wp.attempts(database, execution)] == ["failed", "failed"]


@pytest.mark.capability(212)
def test_what_would_come_after_the_deadline_fails_now_with_its_own_error(
    peer, database, redis_url, world, tmp_path
):
    wp.switch_on()
    host = f"127.0.0.1:{peer.server_port}"
    facts = replace(wp.config(database, redis_url, tmp_path), egress_allow=(host,))
    params = {"method": "GET", "url": f"http://{host}/status?code=503&retry-after=600"}
    asks = {"id": "ask", "type": "action", "plugin": "http", "action": "request", "params": params}
    rests = {"id": "rest", "type": "delay", "for_s": 1.2}
    saved = [rests, wp.put("saved", "{{error.class}}", dependencies=["rest"])]
    policies = {"deadline_s": 30}
    steps = [asks | {"retry": {"max_attempts": 2}, "on_error": {"branch": saved}}]
    agent = wp.make_agent(world.operator.id, steps, policies=policies)
    with wp.working(facts):  # the branch rests: what is recorded is recalled
        execution = wp.start(agent, world.operator.id)
        status, output, _, _ = wp.wait_for(database, execution)
    assert (status, output, len(peer.seen)) == ("completed", "server", 1)
