"""Executions at the terminal: what they did, live, and what a person may do with them."""

import io
import json
from threading import Thread

import pytest

from pilot.engine.agents import agents
from tests.engine import worker_process as wp
from tests.patience import LONG_S

ASK = {"id": "ask", "type": "human_approval", "title": "Go on?", "approvers": ["owner"]}
ONE = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}
WRONG = {"id": "bad", "type": "transform", "operation": "set", "config": {"value": 1}}
WRONG |= {"execute_if": "inputs.missing.part"}
OPEN = {"inputs": {"type": "object", "additionalProperties": True}}
NOBODY = "00000000-0000-0000-0000-000000000000"


class Terminal(io.StringIO):
    """A person who has typed this."""

    def isatty(self):
        return True


@pytest.fixture
def worker(shell, database, redis_url, tmp_path):
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident


def started(world, *steps, **document):
    agent = wp.make_agent(world.operator.id, list(steps), **document)
    return str(wp.start(agent, world.operator.id))


@pytest.mark.capability(228)
def test_executions_are_listed_and_shown_with_their_errors(shell, worker, database, world):
    failed = started(world, ONE, WRONG, **OPEN)
    wp.wait_for(database, failed)
    code, out, _ = shell("execution", "list", "--status", "failed")
    assert (code, failed in out, "bad:" in out) == (0, True, True)
    code, out, _ = shell("execution", "show", failed)
    assert "completed    one" in out
    assert "attempt 1:" in out
    twin = json.loads(shell("--json", "execution", "show", failed)[1])
    assert {step["path"]: step["status"] for step in twin["steps"]}["one"] == "completed"
    assert json.loads(shell("--json", "execution", "list", "--status", "queued")[1]) == []


@pytest.mark.capability(228)
def test_tail_prints_every_event_until_the_end(shell, world, database, redis_url, tmp_path):
    execution, printed = started(world, ONE), []
    tail = Thread(target=lambda: printed.append(shell("--json", "execution", "tail", execution)))
    tail.start()
    with wp.working(wp.config(database, redis_url, tmp_path)):
        tail.join(LONG_S)
    code, out, _ = printed[0]
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [one["seq"] for one in events] == list(range(1, len(events) + 1))
    assert events[-1]["data"]["status"] == "completed"


def test_the_tail_of_a_failure_ends_with_6(shell, worker, database, world):
    execution = started(world, WRONG, **OPEN)
    wp.wait_for(database, execution)
    code, out, _ = shell("execution", "tail", execution)
    assert code == 6
    assert "status failed" in out


def test_it_is_paused_resumed_with_a_receipt_and_cancelled(shell, worker, database, world):
    execution = started(world, ONE, ASK | {"dependencies": ["one"]})
    wp.wait_for(database, execution, {"waiting"})
    assert shell("execution", "pause", execution)[0] == 0
    assert shell("execution", "pause", execution)[0] == 4
    code, out, _ = shell("execution", "resume", execution, "--yes")
    assert (code, "Reused: 1" in out, "Runs: ask" in out) == (0, True, True)
    wp.wait_for(database, execution, {"waiting"})
    assert json.loads(shell("--json", "execution", "cancel", execution, "--yes")[1]) == {
        "execution": execution,
        "status": "cancelled",
    }
    assert shell("execution", "retry", execution, "--yes")[0] == 4


@pytest.mark.capability(217, 228)
def test_it_is_retried_from_a_step(shell, worker, database, world):
    two = ONE | {"id": "two", "dependencies": ["one"]}
    execution = started(world, ONE, two)
    wp.wait_for(database, execution)
    code, out, _ = shell("execution", "retry", execution, "--from", "two", "--yes")
    assert (code, "Reused: 1" in out, "Runs: two" in out) == (0, True, True)
    wp.wait_for(database, execution)
    assert [one[:2] for one in wp.attempts(database, execution)][-1] == ("two", 2)
    assert shell("execution", "retry", execution, "--from", "none", "--yes")[0] == 3


@pytest.mark.capability(217, 228)
def test_it_is_forked_with_another_input(shell, worker, database, world):
    read = ONE | {"id": "read", "config": {"value": "{{inputs.x}}"}}
    agent = wp.make_agent(world.operator.id, [ONE, read], **OPEN)
    execution = str(wp.start(agent, world.operator.id, x="1"))
    wp.wait_for(database, execution)
    asked = ("execution", "fork", execution, "--input", "x=2")
    code, out, _ = shell("--json", *asked, "--receipt")
    assert (code, json.loads(out)["runs"]) == (0, ["read"])
    made = json.loads(shell("--json", *asked, "--yes")[1])["execution"]
    wp.wait_for(database, made)
    found = {path: output for path, *_, output in wp.attempts(database, made)}
    assert found == {"one": 1, "read": "2"}
    for version in ("9", str(2**53)):
        assert shell("execution", "fork", execution, "--version", version, "--yes")[0] == 3


@pytest.mark.capability(219, 228)
def test_it_goes_on_with_another_version(shell, worker, database, world):
    agent = wp.make_agent(world.operator.id, [ONE, WRONG], **OPEN)
    execution = str(wp.start(agent, world.operator.id))
    wp.wait_for(database, execution)
    assert shell("execution", "migrate", execution, "--yes")[0] == 4
    mended = {name: value for name, value in WRONG.items() if name != "execute_if"}
    document = {"format": 1, "name": "Test", "steps": [ONE, mended]} | OPEN
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    agents.save_version(agent, document, reason="Mended.", base=1, **who)
    code, out, _ = shell("--json", "execution", "migrate", execution, "--receipt")
    assert (code, json.loads(out)["reused"]) == (0, ["one"])
    assert shell("execution", "migrate", execution, "--yes")[0] == 0
    wp.wait_for(database, execution, {"completed"})


@pytest.mark.parametrize(("typed", "code"), [("", 1), ("n", 1), ("y", 0), ("Yes", 0)])
def test_at_a_terminal_a_cancel_is_asked(shell, world, database, typed, code, monkeypatch):
    execution = started(world, ONE)
    monkeypatch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    assert shell("execution", "cancel", execution)[0] == code
    assert wp.row(database, execution)[0] == ("queued" if code else "cancelled")


@pytest.mark.capability(27)
def test_a_paused_one_says_why_and_shows_its_receipt(shell, world):
    execution = started(world, ONE, ASK)
    assert shell("execution", "resume", execution)[0] == 4
    shell("execution", "pause", execution)
    assert shell("execution", "why", execution)[1] == "It is paused: by a person.\n"
    code, out, _ = shell("--json", "execution", "resume", execution, "--receipt")
    assert (code, json.loads(out)["runs"]) == (0, ["one", "ask"])
    assert "paused" in shell("execution", "show", execution)[1]
    assert shell("execution", "resume", execution)[0] == 0
    assert "queued" in shell("execution", "show", execution)[1]


def test_the_tail_of_a_cancelled_one_ends_with_6(shell, world):
    execution = started(world, ONE)
    assert shell("execution", "cancel", execution)[0] == 0
    assert shell("execution", "tail", execution)[0] == 6
    assert shell("execution", "cancel", execution)[0] == 4


def test_another_persons_execution_is_not_found(shell, world):
    execution = started(world, ONE)
    for action in ("show", "tail", "pause", "resume", "retry", "cancel"):
        arguments = ("execution", action, execution)
        assert shell("--as", world.stranger.email, *arguments)[0] == 3, action
    assert shell("execution", "show", NOBODY)[0] == 3
    assert shell("--as", world.stranger.email, "--json", "execution", "list")[1] == "[]\n"
