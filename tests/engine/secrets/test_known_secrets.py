"""A process hides what the installation keeps sealed, and personal data if the setting says so."""

import base64
from dataclasses import replace

import pytest

from pilot import db, redaction, settings, vault
from pilot.audit import Actor
from pilot.config import Config
from pilot.engine.providers import provider_keys
from pilot.engine.secrets import known_secrets
from pilot.redaction import redact

BY = Actor("cli:ann")
KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
CANARY = "canary/0123456789:abcd"


@pytest.fixture(autouse=True)
def _sealing(monkeypatch):
    vault.configure([KEY])
    monkeypatch.setattr(known_secrets._Process, "opened", frozenset())
    yield
    vault.configure([])


@pytest.mark.capability(281)
def test_what_another_process_stored_is_hidden_after_the_next_look(database):
    provider_keys.set_key("openai", CANARY, by=BY)
    redaction.know({})  # as in a process that did not store it
    assert redact(CANARY) == CANARY
    known_secrets.refresh()
    assert redact(f"it said {CANARY}!") == "it said [redacted:provider]!"


def test_what_a_process_stores_it_hides_at_once(database):
    provider_keys.set_key("openai", CANARY, by=BY)
    assert redact(CANARY) == "[redacted:provider]"


def test_the_keys_of_the_config_are_hidden_even_if_the_database_is_away(tmp_path):
    base = Config.from_env({"PILOT_DATA": str(tmp_path)})
    nowhere = "postgresql://nobody@127.0.0.1:1/pilot_test"
    db.configure(nowhere)
    facts = replace(base, metrics_token="metrics-token-1", secret_keys=(KEY,))
    known_secrets.begin(facts)
    assert redact(f"{KEY} metrics-token-1") == "[redacted:secret_key] [redacted:metrics_token]"


def test_one_that_does_not_open_hides_no_other(database, superuser):
    provider_keys.set_key("openai", "another-key-99", by=BY)
    provider_keys.set_key("anthropic", CANARY, by=BY)
    superuser.execute("UPDATE provider SET key_version = 7 WHERE name = 'openai'")
    redaction.know({})
    known_secrets.refresh()
    assert redact(CANARY) == "[redacted:provider]"


def test_the_setting_hides_personal_data_from_the_next_look_on(database):
    settings.change("redact_pii", True, by=BY)
    known_secrets.refresh()
    assert redact("to ada@pilot.test") == "to [redacted:mail]"
    settings.change("redact_pii", False, by=BY)
    known_secrets.refresh()
    assert redact("to ada@pilot.test") == "to ada@pilot.test"
