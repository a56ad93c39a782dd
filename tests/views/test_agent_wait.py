"""A start that waits for its result: one shape for success, failure and what goes on."""

import pytest

from tests.engine import worker_process as wp

SET = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}
FAILS = {"id": "two", "type": "transform", "operation": "limit", "config": {"count": 1}}
REST = {"id": "rest", "type": "delay", "for_s": 600}


@pytest.fixture
def worker(database, redis_url, config):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, config.data)) as resident:
        yield resident


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


def started(operator, world, *steps, wait=20):
    agent = wp.make_agent(world.operator.id, list(steps))
    return operator.post(f"/agents/{agent}/start?wait={wait}", {"request_id": str(agent)})


@pytest.mark.capability(10)
def test_a_failed_start_answers_500_with_the_error_of_the_row(worker, operator, world):
    answer = started(operator, world, SET, FAILS | {"input": "steps.one.output"})
    assert answer.status_code == 500
    told = answer.json
    assert (told["success"], told["pilot"], told["status"]) == (False, True, "failed")
    row = operator.get(f"/executions/{told['execution_id']}.json").json
    assert (row["status"], row["error"]) == ("failed", told["error"])
    assert told["error"]["step"] == "two"
    assert told["steps"] == {"completed": 1, "failed": 1, "skipped": 0}


@pytest.mark.capability(10)
def test_a_good_one_answers_200_and_one_that_goes_on_202(worker, operator, world):
    good = started(operator, world, SET)
    assert (good.status_code, good.json["success"], good.json["output"]) == (200, True, 1)
    assert good.json["cost_usd"] == {"amount": "0", "currency": "USD"}
    going = started(operator, world, REST, wait=0)
    assert (going.status_code, going.json["success"]) == (202, None)


def test_a_start_that_is_refused_is_refused_as_always(operator, world):
    agent = wp.make_agent(world.operator.id, [SET])
    answer = operator.post(f"/agents/{agent}/start?wait=x", {"budget": "little"})
    assert answer.status_code == 422
