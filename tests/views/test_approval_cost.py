"""What an execution cost until an approval asked: on its page, in its bytes, for programs."""

import re

import pytest

from pilot import money, settings, strictjson, vault
from pilot.engine.providers import own_models
from pilot.engine.providers.own_models import NewModel
from tests.engine import worker_process as wp
from tests.engine.generation import asked as gen
from tests.pages import KEY

ASK = {"id": "ask", "type": "human_approval", "title": "Go on?", "approvers": ["owner"]}


@pytest.fixture
def worker(peer, database, world, redis_url, tmp_path):
    vault.configure([KEY])
    gen.set_up(peer)
    peer.script({"reply": "fine"})
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path), hears=True) as resident:
        yield resident
    vault.configure([])


def question(name):
    return {"id": name, "type": "ai_processing", "prompt": "Say it.", "max_output_tokens": 90}


def asked(superuser, database, user):
    """Run to an approval behind a call of its own and one of an execution within."""
    within = {"id": "sub", "type": "sub_workflow", "steps": [question("in")]}
    steps = [question("own"), within, ASK | {"dependencies": ["own", "sub"]}]
    execution = wp.start(wp.make_agent(user.id, steps), user.id)
    wp.until(lambda: approval(superuser))
    assert wp.wait_for(database, execution, {"waiting"})
    return approval(superuser)


def approval(superuser):
    return superuser.execute("SELECT id, payload FROM approval").fetchone()


def test_approvers_see_what_it_cost_so_far(worker, database, world, superuser, browse):
    found, payload = asked(superuser, database, world.operator)
    spent = superuser.execute("SELECT sum(cost) FROM call").fetchone()[0]
    assert strictjson.loads(payload)["cost_usd"] == format(spent.normalize(), "f")
    page = re.sub(r"<[^>]+>", "", browse(world.operator).get(f"/approvals/{found}").text)
    assert f"Cost so far{money.usd(spent)}, when it asked" in page
    told = browse(world.operator).get(f"/approvals/{found}.json").json["payload"]
    assert (told["cost_usd"], told["unpriced_calls"]) == (format(spent.normalize(), "f"), 0)


def test_what_has_no_price_is_told_beside_it(worker, database, world, superuser, browse):
    own = NewModel("own", "peer-cheap", "own", "Own", "fast", 200_000, 8_000, gen.FLAGS)
    own_models.add_model(own, by=wp.BY)
    settings.change("llm_allow_unpriced", True, by=wp.BY)
    settings.change("orchestrator_primary_model", "own", by=wp.BY)
    found, _ = asked(superuser, database, world.operator)
    page = browse(world.operator).get(f"/approvals/{found}").text
    assert "&gt;= $0 + 2 unpriced" in page
