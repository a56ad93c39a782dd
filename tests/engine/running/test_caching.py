"""Steps that take an earlier result: only where nothing is changed, and what that saved is true."""

from dataclasses import replace
from decimal import Decimal

import pytest

from pilot import settings, vault
from pilot.engine import validation
from pilot.engine.language import catalogue
from pilot.engine.life import retrying
from tests.engine import worker_process as wp
from tests.engine.generation.asked import BY, set_up
from tests.http_peer import serving
from tests.pages import KEY

ASK = {
    "id": "ask",
    "type": "ai_processing",
    "prompt": "Which kind of mail is this?",
    "input": "inputs.mail",
    "cache": {"ttl_s": 3_600},
}
THEN = {"id": "then", "type": "transform", "operation": "set", "config": {"value": 1}}
INPUTS = {"type": "object", "properties": {"mail": {"type": "string"}}}
CACHED = "SELECT cached FROM step_execution WHERE execution_id = %s AND cached IS NOT NULL"


@pytest.fixture
def asking(peer, world, database, redis_url, tmp_path):
    """Give a function that runs steps for a text and says how they ended; models are peers."""
    wp.switch_on()
    vault.configure([KEY])
    set_up(peer, "openai", "anthropic")
    peer.script({"reply": "An order."})

    def run(agent, mail="One"):
        execution = wp.start(agent, world.operator.id, mail=mail)
        assert wp.wait_for(database, execution)[0] == "completed"
        return execution

    with wp.working(wp.config(database, redis_url, tmp_path), hears=True):
        yield run
    vault.configure([])


def make(owner, step=ASK):
    steps = [step, THEN | {"dependencies": [step["id"]]}]
    output = "{{steps.ask.output}}"
    return wp.make_agent(owner.id, steps, inputs=INPUTS, output=output)


def test_a_step_and_the_output_read_what_the_execution_has_cost(
    asking, peer, world, superuser, database
):
    read = {"id": "read", "type": "transform", "operation": "set", "dependencies": ["ask"]}
    each = {"id": "each", "type": "loop", "items": [1], "dependencies": ["read"]}
    steps = [
        {**read, "id": "before", "dependencies": [], "config": {"value": "{{execution.cost_usd}}"}},
        ASK | {"dependencies": ["before"]},
        read | {"config": {"value": "{{execution.cost_usd}}"}},
        each | {"steps": [{**THEN, "execute_if": "execution.cost_usd > 0"}]},
    ]
    output = "{{steps.read.output == execution.cost_usd}}"
    agent = wp.make_agent(world.operator.id, steps, inputs=INPUTS, output=output)
    execution = asking(agent)
    cost = superuser.execute("SELECT cost_usd FROM execution").fetchone()[0].normalize()
    outputs = {path: value for path, _, _, value in wp.attempts(database, execution)}
    assert cost == peer.bill() > 0
    assert (outputs["before"], Decimal(str(outputs["read"]))) == (0, cost)
    assert outputs["each[0]/then"] == 1
    assert wp.row(database, execution)[1] is True


@pytest.mark.capability(234)
def test_an_equal_question_is_asked_once_and_saves_what_it_had_cost(
    asking, peer, world, superuser, browse, database
):
    agent = make(world.operator)
    first, hit = asking(agent), asking(agent)
    assert wp.row(database, first)[1] == wp.row(database, hit)[1]
    assert len(peer.requests()) == 1
    spent = "SELECT cost_usd, tokens FROM execution WHERE id = %s"
    cost, tokens = superuser.execute(spent, [first]).fetchone()
    assert cost == peer.bill() > 0
    assert superuser.execute(spent, [hit]).fetchone() == (0, 0)
    (saved,) = superuser.execute(CACHED, [hit]).fetchone()
    assert (saved["execution"], saved["path"]) == (str(first), "ask")
    assert (Decimal(saved["usd"]), saved["tokens"], saved["unpriced"]) == (cost, tokens, 0)
    operator = browse(world.operator)
    page = operator.get(f"/executions/{hit}?step=ask").text
    link = f'<a href="/executions/{first}">execution {str(first)[-8:]}</a>'
    assert f"Taken from {link} (ask, " in page
    assert "reused" in page.lower()
    told = operator.get("/costs.json").json
    assert told["cached_steps"] | {"ms": 0} == {
        "hits": 1,
        "saved_usd": {"amount": f"{cost:.12f}", "currency": "USD"},
        "unpriced": 0,
        "tokens": tokens,
        "ms": 0,
    }
    assert told["total"]["calls"] == 1
    assert "1 step took an earlier result and made no call" in operator.get("/costs").text
    assert browse(world.stranger).get("/costs.json").json["cached_steps"]["hits"] == 0


@pytest.mark.capability(234)
def test_what_decides_a_result_is_in_its_key(asking, peer, world, superuser):
    agent = make(world.operator)
    asking(agent)
    asking(agent, "Two")  # another input
    other = make(world.operator)
    asking(other)  # another agent
    asking(make(world.operator, ASK | {"prompt": "Is it an order?"}))
    assert len(peer.requests()) == 4
    everywhere = ASK | {"cache": {"ttl_s": 3_600, "scope": "user"}}
    asking(make(world.operator, everywhere))
    asking(make(world.operator, everywhere | {"name": "Asked again", "retry": {"max_attempts": 1}}))
    assert len(peer.requests()) == 5, "of the same owner, whatever else its agents are"
    settings.change("orchestrator_primary_model", "strong", by=BY)
    asking(agent)
    assert len(peer.requests()) == 6, "another model"
    settings.change("orchestrator_primary_model", "cheap", by=BY)
    superuser.execute("UPDATE step_execution SET finished_at = finished_at - interval '1 hour'")
    asking(agent)
    assert len(peer.requests()) == 7, "too old"
    settings.change("pilot_step_cache", False, by=BY)
    asking(agent)
    assert len(peer.requests()) == 8, "switched off"


@pytest.mark.capability(234)
def test_a_step_that_a_person_runs_again_asks_again(asking, peer, world, database):
    agent = make(world.operator)
    execution = asking(agent)
    receipt = {"by": world.operator.actor, "user_id": world.operator.id}
    retrying.from_step(execution, "ask", **receipt)
    assert wp.wait_for(database, execution)[0] == "completed"
    assert len(peer.requests()) == 2
    asking(agent)
    assert len(peer.requests()) == 2, "what it gave is taken from then on"


@pytest.mark.capability(234)
def test_calls_that_only_read_are_taken_too(world, database, redis_url, tmp_path):
    wp.switch_on()
    with serving() as peer:
        place = f"127.0.0.1:{peer.server_address[1]}"
        facts = replace(wp.config(database, redis_url, tmp_path), egress_allow=(place,))
        call = {"id": "ask", "type": "action", "plugin": "http", "action": "request"}
        call |= {"params": {"url": f"http://{place}/x"}, "cache": {"ttl_s": 60}}
        each = {"id": "each", "type": "loop", "items": [1, 1, 2], "steps": [call]}
        with wp.working(facts, hears=True):
            _, found = wp.run(database, world.operator, [each])
            assert found[0] == "completed"
            assert len(peer.seen) == 1


@pytest.mark.capability(234)
@pytest.mark.parametrize("method", ["POST", "PUT", "{{inputs.method}}"])
def test_a_cache_over_an_effect_is_refused_at_save_with_its_fix(method):
    call = {"id": "call", "type": "action", "plugin": "http", "action": "request"}
    call |= {"params": {"url": "https://x.test", "method": method}, "cache": {"ttl_s": 9}}
    issues = validation.validate({"format": 1, "name": "It", "steps": [call]}, catalogue.load())
    (issue,) = [one for one in issues if one.code == "E_CACHE"]
    fix = [{"op": "remove", "path": "/steps/0/cache"}]
    assert (issue.path, issue.fix) == ("/steps/0/cache", fix)
