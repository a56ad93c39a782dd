"""Connections on the command line: listed without secrets, tested."""

import json

import pytest
from cryptography.fernet import Fernet

from pilot import cli, vault
from pilot.engine.secrets import connections
from tests.mail_peer import PASSWORD, USER


@pytest.fixture
def pilot(world, database, smtp_peer, monkeypatch, tmp_path, capsys):
    """Give a function that runs a command as the operator, who has a connection."""
    key = Fernet.generate_key().decode()
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("PILOT_SECRET_KEYS", key)
    monkeypatch.setenv("PILOT_DATA", str(tmp_path))
    monkeypatch.setenv("PILOT_EGRESS_ALLOW", smtp_peer.allow)
    vault.configure([key])
    fields = {"smtp_host": "127.0.0.1", "smtp_port": smtp_peer.port, "smtp_security": "none"}
    fields |= {"user": USER, "sender": "ann@peer.test"}
    person = world.operator
    given = connections.Given("Sales", fields, PASSWORD)
    connections.create("mail", given, by=person.actor, owner_id=person.id)

    def run(*arguments):
        code = cli.main(["--as", person.email, *arguments])
        return code, "".join(capsys.readouterr())

    yield run
    vault.configure([])


def test_a_connection_is_tested_and_listed_without_its_password(pilot):
    assert pilot("connection", "test", "sales")[1].startswith(f"Signed in as {USER} in ")
    (one,) = json.loads(pilot("--json", "connection", "list")[1])
    assert (one["label"], one["state"], one["account"]) == ("Sales", "ok", USER)
    told = json.dumps(one) + pilot("connection", "list")[1]
    assert PASSWORD not in told
    assert "Sales" in told


def test_its_rate_is_changed_and_told(pilot):
    assert pilot("connection", "rate", "sales", "60")[1] == "Sales: at most 60 calls a minute.\n"
    (one,) = json.loads(pilot("--json", "connection", "list")[1])
    assert (one["rate_per_minute"], one["state"]) == (60, "untested")
    assert "at most 60 calls a minute" in pilot("connection", "list")[1]
    code, said = pilot("connection", "rate", "sales", "often")
    assert (code, "'often' is no whole number from 1 to 6,000." in said) == (5, True)
    assert "any number" in pilot("connection", "rate", "sales", "none")[1]


def test_one_that_fails_or_is_not_there_says_so(pilot, smtp_peer):
    code, said = pilot("connection", "test", "Nothing")
    assert code != 0
    assert "Yours: Sales" in said
    smtp_peer.answers["sender"] = "550 no"
    assert pilot("connection", "test", "Sales")[0] == 0, "a test sends nothing"
