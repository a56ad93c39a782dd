"""Approvals at the terminal: a person types their password; no program votes."""

import json
import os
import pty
import subprocess
import sys

import pytest

from pilot import cli
from tests.engine import worker_process as wp
from tests.patience import LONG_S
from tests.world import PASSWORD

ASK = {
    "id": "ask",
    "type": "human_approval",
    "title": "Go on?",
    "approvers": ["role:approver"],
    "allow_delegate": True,
}


@pytest.fixture
def environment(database, redis_url, tmp_path, monkeypatch):
    values = {"DATABASE_URL": database, "REDIS_URL": redis_url, "PILOT_DATA": str(tmp_path)}
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def approval(environment, database, redis_url, tmp_path, world, superuser):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path)):
        execution = wp.start(wp.make_agent(world.operator.id, [ASK]), world.operator.id)
        wp.wait_for(database, execution, {"waiting"})
    return str(superuser.execute("SELECT id FROM approval").fetchone()[0])


def at_a_terminal(*arguments, typed):
    """Run the command with a terminal of its own and type into it."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "pilot.cli", *arguments]
    running = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    shown = b""
    while b"Password:" not in shown:  # what is typed before the question is thrown away
        shown += os.read(master, 1024)
    os.write(master, f"{typed}\n".encode())
    code = running.wait(timeout=LONG_S)
    os.close(master)
    return code


def test_it_is_listed_and_shown_to_who_may_decide(approval, world, capsys):
    as_approver = ("--as", world.approver.email, "approval")
    assert cli.main([*as_approver, "list"]) == 0
    assert "Go on?" in capsys.readouterr().out
    assert cli.main(["--json", *as_approver, "list"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["decided_at"], told["needed"], told["approved"]) == (None, 1, 0)
    assert told["expires_at"].endswith("Z")
    assert told["id"] == approval
    assert cli.main([*as_approver, "show", approval]) == 0
    assert "SHA-256" in capsys.readouterr().out
    assert cli.main(["--as", world.stranger.email, "approval", "show", approval]) == 3


def test_without_a_terminal_nothing_is_decided(approval, world, superuser, monkeypatch):
    arguments = ["--as", world.approver.email, "approval", "decide", approval, "approve"]
    done = subprocess.run(
        [sys.executable, "-m", "pilot.cli", *arguments],
        input=PASSWORD,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 5
    assert superuser.execute("SELECT count(*) FROM vote").fetchone() == (0,)


@pytest.mark.parametrize(("typed", "code", "votes"), [(PASSWORD, 0, 1), ("wrong", 5, 0)])
def test_the_typed_password_decides(approval, world, superuser, typed, code, votes):
    arguments = ["--as", world.approver.email, "approval", "decide", approval, "approve"]
    assert at_a_terminal(*arguments, typed=typed) == code
    assert superuser.execute("SELECT count(*) FROM vote").fetchone() == (votes,)


def test_it_is_handed_on_with_the_password(approval, world, superuser):
    arguments = ["--as", world.approver.email, "approval", "delegate", approval, world.admin.email]
    assert at_a_terminal(*arguments, typed=PASSWORD) == 0
    asked = superuser.execute("SELECT approver_ids FROM approval").fetchone()[0]
    assert asked == [world.admin.id]
