import json
import re

import pytest

from pilot import cli
from pilot.engine.people import users
from tests.world import PASSWORD


@pytest.fixture
def pilot(world, database, monkeypatch, capsys):
    """Give a function that runs a command: its exit code and what it wrote."""
    monkeypatch.setenv("DATABASE_URL", database)

    def run(*arguments):
        code = cli.main(["--json", "user", *arguments])
        out, err = capsys.readouterr()
        return code, json.loads(out or err)

    return run


@pytest.mark.capability(226)
def test_people_are_invited_switched_off_and_on_and_given_roles(pilot, world):
    code, said = pilot("add", "ada@pilot.test", "--invite", "--role", "operator")
    assert code == 0
    assert re.search(r"/password\?token=[\w-]{43}$", said["link"])
    assert pilot("disable", "viewer@pilot.test")[0] == 0
    assert pilot("role", "approver@pilot.test", "--role", "viewer", "--role", "approver")[0] == 0
    _, rows = pilot("list")
    known = {row["email"]: (row["state"], row["roles"]) for row in rows}
    assert known["ada@pilot.test"] == ("invited", ["operator"])
    assert known["viewer@pilot.test"] == ("disabled", ["viewer"])
    assert known["approver@pilot.test"] == ("active", ["approver", "viewer"])
    assert pilot("enable", "viewer@pilot.test")[0] == 0
    assert users.authenticate("viewer@pilot.test", PASSWORD, users.Origin("1"))


def test_a_reset_link_is_printed(pilot):
    code, said = pilot("reset", "viewer@pilot.test")
    assert code == 0
    assert "/password?token=" in said["link"]


def test_what_cannot_be_done_is_said(pilot):
    assert pilot("reset", "nobody@pilot.test")[0] == 3
    for last in (("disable",), ("role", "--role", "viewer")):
        code, said = pilot(last[0], "admin@pilot.test", *last[1:])
        assert code == 4
        assert "last active administrator" in said["message"]


def test_people_read_lines(world, database, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", database)
    assert cli.main(["user", "disable", "viewer@pilot.test"]) == 0
    assert cli.main(["user", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "viewer@pilot.test is signed out and stays out."
    assert "viewer@pilot.test  viewer  (disabled)" in lines
