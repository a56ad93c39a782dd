"""Simulations over the API and on the command line."""

import json

import pytest

from pilot.cli.simulations import NOT_COMPLETED
from tests.cli.conftest import shell  # noqa: F401
from tests.engine import worker_process as wp
from tests.engine.running.test_simulation import OPEN, SWITCH, send

STEPS = [SWITCH, send("tell")]


@pytest.fixture
def worker(world, database, redis_url, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path), hears=True) as resident:
        yield resident


@pytest.fixture
def agent(world):
    return wp.make_agent(world.operator.id, STEPS, inputs=OPEN)


@pytest.mark.capability(251)
def test_it_is_started_once_for_a_key_and_read(program, worker, world, database, agent):
    one = program(world.operator)
    body, key = {"inputs": {"n": 2}, "force": {"pick": "case2"}}, {"Idempotency-Key": "k"}
    made = one.post(f"/agents/{agent}/simulate", body, key)
    assert made.status_code == 202, made.json
    again = one.post(f"/agents/{agent}/simulate", body, key)
    assert again.json["id"] == made.json["id"]
    (execution,) = again.json["executions"]
    wp.wait_for(database, execution["id"])
    read = one.get(f"/simulations/{made.json['id']}").json
    assert (read["final"], read["ways_taken"], read["ways"]) == (True, 1, 4)
    taken = [line["way"] for line in read["coverage"] if line["taken"]]
    assert (taken, read["sources"][0]["path"]) == (["case2"], "tell")
    assert read["worst_case"]["items_as_here"]["attempts_most"] == 5


def test_what_cannot_be_simulated_is_refused(program, world, agent):
    one = program(world.operator)
    wrong = one.post(f"/agents/{agent}/simulate", {"force": {"pick": "case9"}})
    assert wrong.status_code == 422
    assert "case0, case1, case2, default" in wrong.json["errors"][0]["message"]
    other = program(world.stranger)
    assert other.post(f"/agents/{agent}/simulate", {}).status_code == 404


@pytest.mark.capability(251, 228)
def test_the_command_line_tells_what_was_taken(shell, worker, world, agent):  # noqa: F811
    me = ("--as", world.operator.email)
    given = ("agent", "simulate", str(agent), "--input", "n=1")
    code, out, _ = shell(*me, *given, "--each")
    assert code == 0
    assert "4 of 4 ways taken" in out
    code, out, _ = shell(*me, "--json", *given, "--force", "pick=default")
    assert [one["way"] for one in json.loads(out)["coverage"] if one["taken"]] == ["default"]
    broken = wp.make_agent(world.operator.id, [wp.broken("first")], inputs=OPEN)
    code, out, _ = shell(*me, "agent", "simulate", str(broken))
    assert (code, "failed" in out) == (NOT_COMPLETED, True)
