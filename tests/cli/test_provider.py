import io
import json
import sys

import pytest

from pilot import cli, vault
from pilot.cli.commands import provider
from tests.engine.providers.test_provider_keys import CANARY, KEY, NEWER


class Terminal(io.StringIO):
    """A standard input at which a person sits."""

    def isatty(self):
        return True


@pytest.fixture
def pilot(database, monkeypatch, capsys):
    """Give a function that runs a command with this standard input."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("PILOT_SECRET_KEYS", KEY)

    def run(*arguments, given="", stdin=None):
        monkeypatch.setattr(sys, "stdin", stdin or io.StringIO(given))
        code = cli.main(list(arguments))
        return code, "".join(capsys.readouterr())

    yield run
    vault.configure([])


def listed(pilot):
    return {one["name"]: one for one in json.loads(pilot("--json", "provider", "list")[1])}


def test_a_key_is_read_from_standard_input_and_never_printed(pilot):
    code, said = pilot("provider", "set-key", "openai", given=f"{CANARY}\n")
    assert code == 0
    assert listed(pilot)["openai"]["key_ending"] == CANARY[-4:]
    everything = said + pilot("provider", "list")[1] + pilot("--json", "provider", "list")[1]
    assert CANARY not in everything
    assert "key ...abcd" in everything


def test_a_key_is_typed_without_echo_at_a_terminal(pilot, monkeypatch):
    monkeypatch.setattr(provider.getpass, "getpass", lambda _: CANARY)
    assert pilot("provider", "set-key", "mistral", stdin=Terminal())[0] == 0
    assert listed(pilot)["mistral"]["enabled"]


def test_a_removed_key_is_not_listed(pilot):
    pilot("provider", "set-key", "openai", given=CANARY)
    assert pilot("provider", "remove-key", "openai")[0] == 0
    assert listed(pilot)["openai"]["key_ending"] is None
    assert pilot("provider", "remove-key", "openai")[0] == 3


def test_a_provider_is_changed_and_switched(pilot):
    url = "https://models.example/v1"
    assert pilot("provider", "change", "xai", "--base-url", url, "--on")[0] == 0
    row = listed(pilot)["xai"]
    assert (row["base_url"], row["enabled"]) == (url, True)
    assert pilot("provider", "change", "xai", "--off")[0] == 0
    assert not listed(pilot)["xai"]["enabled"]
    assert "(switched off)" in pilot("provider", "list")[1]


@pytest.mark.parametrize("given", ["", "short", "two words"])
def test_what_is_no_key_is_refused(pilot, given):
    code, said = pilot("provider", "set-key", "openai", given=given)
    assert code == 5
    assert "/key: A key has" in said


def test_without_a_key_of_the_installation_it_says_what_to_do(pilot, monkeypatch, tmp_path):
    monkeypatch.delenv("PILOT_SECRET_KEYS")
    monkeypatch.setenv("PILOT_DATA", str(tmp_path))
    code, said = pilot("provider", "set-key", "openai", given=CANARY)
    assert code == 1
    assert "PILOT_SECRET_KEYS" in said


def test_keys_are_sealed_anew_and_only_once(pilot, monkeypatch):
    pilot("provider", "set-key", "openai", given=CANARY)
    monkeypatch.setenv("PILOT_SECRET_KEYS", f"{NEWER},{KEY}")
    assert json.loads(pilot("--json", "secrets", "rotate")[1])["sealed"] == 1
    assert json.loads(pilot("--json", "secrets", "rotate")[1])["sealed"] == 0
