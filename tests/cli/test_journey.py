"""The command line from an empty installation to a finished execution."""

import io
import json

import pytest

from pilot import cli
from pilot.engine.agents import agents
from tests.engine import worker_process as wp

GOAL = "Mail me the leads in stage 4; none found otherwise"


@pytest.fixture
def shell(world, database, redis_url, tmp_path, monkeypatch, capsys):
    """Give `shell(*arguments)`: the exit code and what was printed."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("PILOT_DATA", str(tmp_path))

    def shell(*arguments):
        code = cli.main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return shell


@pytest.fixture
def worker(database, redis_url, tmp_path):
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident


def test_a_person_is_added_with_a_typed_password(shell, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("four unrelated words here\n"))
    add = ("user", "add", "new@pilot.test", "--role", "operator", "--password-stdin")
    assert shell(*add) == (0, "new@pilot.test may sign in as operator.\n", "")
    assert "new@pilot.test  operator" in shell("user", "list")[1]


def test_without_a_terminal_no_password_is_asked(shell, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    code, _, err = shell("user", "add", "new@pilot.test")
    assert (code, "--password-stdin" in err) == (5, True)


@pytest.mark.capability(116)
def test_a_goal_becomes_a_finished_execution(shell, worker):
    code, out, _ = shell("--json", "demo")
    assert (code, len(json.loads(out)["agents"])) == (0, 4)
    code, out, _ = shell("--json", "agent", "generate", GOAL, "--name", "Stage 4")
    agent = json.loads(out)["agent"]
    assert code == 0
    assert "Stage 4" in shell("agent", "list")[1]
    code, out, _ = shell("--json", "agent", "start", "Stage 4", "--wait")
    assert (code, json.loads(out)["status"]) == (0, "completed")
    assert shell("agent", "start", agent, "--input", "to=not an address")[0] == 5


def test_questions_go_to_the_terminal_and_take_answers(shell):
    shell("demo")
    code, out, err = shell("agent", "generate", "Send me the rows")
    assert (code, out) == (5, "")
    assert "--answer '" in err


def test_an_execution_that_fails_ends_with_6(shell, worker, world):
    wp.switch_on()
    step = {
        "id": "bad",
        "type": "transform",
        "operation": "set",
        "config": {"value": 1},
        "execute_if": "inputs.missing.part",
    }
    wp.make_agent(world.admin.id, [step], inputs={"type": "object", "additionalProperties": True})
    assert shell("agent", "start", "Test", "--wait")[0] == 6


@pytest.mark.capability(218)
def test_a_start_takes_inputs_as_its_version_asks_for_them(shell, worker, world):
    wp.switch_on()
    needs = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    agent = wp.make_agent(world.admin.id, [wp.put("one", "{{ inputs.n }}")], inputs=needs)
    document = {"format": 1, "name": "Test", "steps": [wp.put("one", 2)]}
    who = {"by": world.admin.actor, "user_id": world.admin.id}
    agents.save_version(agent, document, reason="Two.", base=1, **who)
    start = ("--json", "agent", "start", "Test", "--wait", "--version")
    code, out, _ = shell(*start, "1", "--input", "n=7")
    assert (code, json.loads(out)["output"]) == (0, 7)
    assert shell(*start, "3")[0] == 3


@pytest.mark.capability(8, 174, 266)
def test_a_start_that_cannot_work_ends_with_5_and_says_all_that_is_in_its_way(shell, world):
    wp.switch_on()
    read = {"id": "read", "type": "action", "plugin": "mail", "action": "search", "params": {}}
    needs = {"type": "object", "required": ["to"], "properties": {"to": {"type": "string"}}}
    wp.make_agent(world.admin.id, [read | {"connection": "Sales"}], inputs=needs)
    code, out, err = shell("--json", "agent", "start", "Test")
    issues = json.loads(err)["issues"]
    assert (code, out, [one["step"] for one in issues]) == (5, "", ["", "read"])
    _, _, err = shell("agent", "start", "Test")
    assert [line.split(": ")[1] for line in err.splitlines()] == ["/to", "/steps/0/connection"]


def test_unknown_agents_and_bad_pairs_are_told(shell):
    assert shell("agent", "start", "Nobody")[0] == 3
    assert shell("agent", "generate", "x", "--answer", "no-equals")[0] == 5
