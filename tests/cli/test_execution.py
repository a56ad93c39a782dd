"""Executions at the command line: followed to their end, paused and resumed with a receipt."""

import json

import pytest

from pilot import cli
from tests.engine import worker_process as wp

STEPS = [
    {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}},
    {"id": "two", "type": "delay", "for_s": 0.1, "dependencies": ["one"]},
]


@pytest.fixture
def shell(world, database, redis_url, tmp_path, monkeypatch, capsys):
    """Give `shell(*arguments)`: the exit code and what was printed."""
    for name, value in (
        ("DATABASE_URL", database),
        ("REDIS_URL", redis_url),
        ("PILOT_DATA", str(tmp_path)),
    ):
        monkeypatch.setenv(name, value)

    def shell(*arguments):
        code = cli.main(["--as", world.operator.email, *arguments])
        return code, capsys.readouterr().out

    return shell


@pytest.fixture
def execution(world):
    wp.switch_on()
    return str(wp.start(wp.make_agent(world.operator.id, STEPS), world.operator.id))


def test_tail_prints_every_event_until_the_end(shell, execution, database, redis_url, tmp_path):
    with wp.working(wp.config(database, redis_url, tmp_path)):
        code, out = shell("--json", "execution", "tail", execution)
    events = [json.loads(line) for line in out.splitlines() if line.startswith('{"seq"')]
    assert code == 0
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["data"]["status"] == "completed"
    assert "completed" in shell("execution", "list", "--status", "completed")[1]
    assert "completed    two" in shell("execution", "show", execution)[1]


def test_tail_of_a_cancelled_one_ends_with_6(shell, execution):
    assert shell("execution", "cancel", execution)[0] == 0
    assert shell("execution", "tail", execution)[0] == 6
    assert shell("execution", "cancel", execution)[0] == 4


@pytest.mark.capability(27)
def test_a_paused_one_says_why_and_is_resumed_with_its_receipt(shell, execution):
    assert shell("execution", "resume", execution)[0] == 4
    shell("execution", "pause", execution)
    assert shell("execution", "why", execution)[1] == "It is paused: by a person.\n"
    code, out = shell("--json", "execution", "resume", execution, "--receipt")
    assert (code, json.loads(out)["runs"]) == (0, ["one", "two"])
    assert "paused" in shell("execution", "show", execution)[1]
    assert shell("execution", "resume", execution)[0] == 0
    assert "queued" in shell("execution", "show", execution)[1]


def test_what_is_not_there_is_3(shell, world):
    assert shell("execution", "show", str(world.admin.id))[0] == 3
