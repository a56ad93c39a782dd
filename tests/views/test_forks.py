"""The pages of forks and moves: choose, read the receipt, begin or go on."""

import re

import pytest

from pilot.engine.agents import agents
from tests.engine import worker_process as wp
from tests.engine.worker_process import broken, put

INPUTS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "n": {"type": "integer", "title": "How many"}},
    "required": ["city"],
}
STEPS = [put("a", "{{inputs.city}}"), put("b", "{{inputs.n}}"), put("c", "{{steps.b.output}}")]


@pytest.fixture
def worker(database, redis_url, config):
    with wp.working(wp.config(database, redis_url, config.data), hears=True) as resident:
        yield resident


@pytest.fixture
def agent(world):
    wp.switch_on()
    return wp.make_agent(world.operator.id, STEPS, inputs=INPUTS)


@pytest.fixture
def execution(worker, database, world, agent):
    made = wp.start(agent, world.operator.id, city="Kassel", n=1)
    wp.wait_for(database, made)
    return made


@pytest.fixture
def operator(browse, world):
    return browse(world.operator)


def sent(page, *names, **more):
    """Return what the form of a receipt would send."""
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    kept = {name: value.replace("&#34;", '"') for name, value in fields}
    return {name: kept[name] for name in names or ("given", "version", "seq")} | more


@pytest.mark.capability(217, 254, 264)
def test_edited_inputs_show_their_receipt_and_begin_once(execution, database, operator):
    url = f"/executions/{execution}"
    assert f"{url}/fork" in operator.get(url).text
    form = operator.get(f"{url}/fork").text
    assert 'value="Kassel"' in form
    edited = {"inputs": "all", "input-city": "Kassel", "input-n": "2"}
    page = operator.post(f"{url}/fork", edited).text
    assert "Reused: 1 step" in page
    assert "To run: 2 steps" in page
    made = [operator.post(f"{url}/fork", sent(page, request_id="x")) for _ in range(2)]
    assert [one.status_code for one in made] == [303, 303]
    (place,) = {one.headers["Location"] for one in made}
    new = place.rpartition("/")[2]
    assert wp.wait_for(database, new)[0] == "completed"
    page = operator.get(f"{place}?step=a").text
    assert "1 step reused" in page
    assert "Reused" in page
    assert url in page
    assert place in operator.get(url).text
    steps = {one["path"]: one for one in operator.get(f"{place}.json").json["steps"]}
    assert steps["a"]["attempts"][0]["reused_from"] == str(execution)
    assert steps["b"]["attempts"][0]["reused_from"] is None


def test_another_version_is_chosen_and_wrong_inputs_are_named(execution, agent, world, operator):
    document = {"format": 1, "name": "Test", "inputs": INPUTS}
    document["steps"] = [*STEPS[:2], put("c", 7)]
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    agents.save_version(agent, document, reason="Seven.", base=1, **who)
    url = f"/executions/{execution}/fork"
    assert "2: Seven." in operator.get(url).text
    assert 'name="version" value="2"' in operator.get(f"{url}?version=2").text
    edited = {"inputs": "all", "input-city": "Kassel", "version": "2"}
    wrong = operator.post(url, edited | {"input-n": "many"})
    assert wrong.status_code == 422
    assert 'value="many"' in wrong.text
    page = operator.post(url, edited | {"input-n": "1"}).text
    assert "Reused: 2 steps" in page
    assert sent(page)["version"] == "2"
    stale = operator.post(url, sent(page, seq="1"))
    assert (stale.status_code, "changed since" in stale.text) == (409, True)


def test_without_fields_the_inputs_are_json(world, database, worker, operator):
    wp.switch_on()
    free = {"type": "object", "additionalProperties": True}
    agent = wp.make_agent(world.operator.id, [put("a", "{{inputs.x}}")], inputs=free)
    execution = wp.start(agent, world.operator.id, x=1)
    wp.wait_for(database, execution)
    url = f"/executions/{execution}/fork"
    assert "{&#34;x&#34;:1}" in operator.get(url).text
    broken = operator.post(url, {"given": "{not"})
    assert (broken.status_code, "{not" in broken.text) == (422, True)
    assert "To run: 1 step" in operator.post(url, {"given": '{"x": 2}'}).text


def test_who_may_not_run_it_forks_nothing(execution, world, browse):
    url = f"/executions/{execution}/fork"
    assert browse(world.stranger).get(url).status_code == 404
    assert browse(world.stranger).post(url, {"given": "{}"}).status_code == 404
    assert browse(world.viewer).post(url, {"given": "{}"}).status_code == 403


@pytest.mark.capability(219, 264)
def test_a_failed_one_goes_on_with_an_edited_version(worker, database, world, operator):
    wp.switch_on()
    steps = [put("a", 1), broken("bad", dependencies=["a"])]
    free = {"type": "object", "additionalProperties": True}
    agent = wp.make_agent(world.operator.id, steps, inputs=free)
    execution = wp.start(agent, world.operator.id)
    wp.wait_for(database, execution)
    url = f"/executions/{execution}"
    assert "runs version 1 already" in operator.get(f"{url}/migrate").text
    assert f"{url}/migrate" not in operator.get(url).text
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    mended = {"format": 1, "name": "Test", "inputs": free}
    gone = mended | {"steps": [put("bad", 2)]}
    agents.save_version(agent, gone, reason="Without.", base=1, **who)
    refused = operator.get(f"{url}/migrate")
    assert (refused.status_code, "no such step" in refused.text) == (409, True)
    fits = mended | {"steps": [steps[0], put("bad", 2, dependencies=["a"])]}
    agents.save_version(agent, fits, reason="Mended.", base=2, **who)
    assert f"{url}/migrate" in operator.get(url).text
    page = operator.get(f"{url}/migrate").text
    assert "Go on with version 3" in page
    assert "Reused: 1 step" in page
    form = sent(page, "version", "seq")
    assert operator.post(f"{url}/migrate", form | {"seq": "1"}).status_code == 409
    assert operator.post(f"{url}/migrate", form).status_code == 303
    assert wp.wait_for(database, execution, {"completed"})[1] == 2
