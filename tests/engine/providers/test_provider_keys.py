"""Keys of providers: sealed, bound to their row, never shown, forgotten with the address."""

import base64

import pytest
from sqlalchemy import select, text

from pilot import db, strictjson, vault
from pilot.audit import Actor
from pilot.engine.providers import model_catalogue, provider_keys
from pilot.engine.secrets import sealed
from pilot.errors import ConfigError, InvalidError, NotFoundError
from pilot.models.audit import AuditEntry

BY = Actor("cli:ann")
CANARY = "canary-0123456789-abcd"
KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
NEWER = base64.urlsafe_b64encode(b"n" * 32).decode()


@pytest.fixture(autouse=True)
def _sealing():
    vault.configure([KEY])
    yield
    vault.configure([])


def row(name="openai"):
    with db.reading(None) as session:
        query = text("SELECT * FROM provider WHERE name = :name")
        return session.execute(query, {"name": name}).mappings().one()


def connection(name="openai"):
    with db.reading(None) as session:
        return provider_keys.connection(session, name)


def records():
    with db.reading(None, sees_all=True) as session:
        return session.execute(
            select(AuditEntry.event, AuditEntry.record).order_by(AuditEntry.seq)
        ).all()


def test_a_key_is_stored_sealed_and_opens_for_a_call_only(database):
    provider_keys.set_key("openai", f" {CANARY}\n", by=BY)
    stored = row()
    assert CANARY not in repr(dict(stored))
    assert (stored["key_ending"], stored["key_version"]) == ("abcd", 1)
    assert connection()["key"] == CANARY
    with db.reading(None) as session:
        shown = repr(model_catalogue.entries(session)["gpt-6-luna"].provider.__dict__)
    assert CANARY not in shown
    assert "sealed" not in shown


def test_the_trail_tells_of_a_key_without_it(database):
    provider_keys.set_key("google", CANARY, by=BY)
    provider_keys.set_key("google", CANARY, by=BY)
    provider_keys.remove_key("google", by=BY)
    assert [event for event, _ in records()] == [
        "PROVIDER_KEY_SET",
        "PROVIDER_KEY_SET",
        "PROVIDER_KEY_REMOVED",
    ]
    assert all(CANARY not in record and "abcd" not in record for _, record in records())
    details = [strictjson.loads(record)["details"] for _, record in records()]
    assert [one.get("was_set") for one in details] == [False, True, None]


def test_the_first_key_switches_a_provider_on_a_later_one_leaves_it(database):
    assert not row("google")["enabled"]
    provider_keys.set_key("google", CANARY, by=BY)
    assert row("google")["enabled"]
    provider_keys.change("google", {"enabled": False}, by=BY)
    provider_keys.set_key("google", CANARY, by=BY)
    assert not row("google")["enabled"]


def test_a_removed_key_is_gone(database):
    provider_keys.set_key("openai", CANARY, by=BY)
    provider_keys.remove_key("openai", by=BY)
    assert row()["sealed"] is None
    assert "key" not in connection()
    with pytest.raises(NotFoundError, match="no key"):
        provider_keys.remove_key("openai", by=BY)


@pytest.mark.parametrize(
    "key", ["", "short", "two words here", "schlüssel-0123", "x" * 501, "a\0bcdefgh"]
)
def test_what_is_no_key_is_refused_without_repeating_it(database, key):
    with pytest.raises(InvalidError) as refused:
        provider_keys.set_key("openai", key, by=BY)
    (issue,) = refused.value.issues
    assert issue.got is None
    assert not key or key not in issue.message
    assert row()["sealed"] is None


def test_an_unknown_provider_is_named_with_the_known_ones(database):
    with pytest.raises(NotFoundError, match="anthropic, deepseek"):
        provider_keys.set_key("opnai", CANARY, by=BY)


def test_a_key_copied_to_another_provider_does_not_open(database, superuser):
    provider_keys.set_key("openai", CANARY, by=BY)
    superuser.execute(
        "UPDATE provider SET (sealed, key_version, key_ending, key_set_at) = (SELECT sealed,"
        " key_version, key_ending, key_set_at FROM provider WHERE name = 'openai')"
        " WHERE name = 'mistral'"
    )
    with pytest.raises(ConfigError, match="another place"):
        connection("mistral")


def test_another_address_needs_the_key_again(database):
    provider_keys.set_key("openai", CANARY, by=BY)
    provider_keys.change("openai", {"base_url": "https://api.openai.com/v1/"}, by=BY)
    assert connection()["key"] == CANARY
    provider_keys.change("openai", {"base_url": "https://other.example/v1"}, by=BY)
    assert connection() == {"base_url": "https://other.example/v1"}


@pytest.mark.parametrize(
    "url",
    ["http://localhost:11434/v1", "http://10.0.0.7/v1", "http://[::1]:80", "http://ollama/v1"],
)
def test_a_private_address_needs_no_https(database, url):
    provider_keys.change("openai", {"base_url": url}, by=BY)
    assert connection()["base_url"] == url


def test_organisation_and_project_are_sent_along(database):
    provider_keys.change("openai", {"organisation": "org", "project": "p"}, by=BY)
    assert connection() == {
        "base_url": "https://api.openai.com/v1",
        "organisation": "org",
        "project": "p",
    }
    assert [event for event, _ in records()] == ["PROVIDER_CHANGED"]


@pytest.mark.parametrize(
    "given",
    [
        {"sealed": "x"},
        {"adapter": "anthropic"},
        {"enabled": "yes"},
        {"base_url": "ftp://x.example"},
        {"base_url": "https://"},
        {"base_url": "http://api.openai.com/v1"},
        {"base_url": "http://8.8.8.8/v1"},
        {"base_url": "https://me:secret@x.example"},
        {"base_url": "https://x.example:port"},
        {"base_url": None},
        {"project": 5},
    ],
)
def test_what_cannot_be_changed_is_refused(database, given):
    before = row()
    with pytest.raises(InvalidError):
        provider_keys.change("openai", given, by=BY)
    assert row() == before


def test_keys_are_sealed_anew_with_the_newest_key(database):
    provider_keys.set_key("openai", CANARY, by=BY)
    provider_keys.set_key("google", CANARY, by=BY)
    vault.configure([NEWER, KEY])
    assert [sealed.rotate(by=BY)["provider"] for _ in range(2)] == [2, 0]
    assert [event for event, _ in records()].count("SECRETS_ROTATED") == 1
    vault.configure([NEWER])
    assert connection()["key"] == connection("google")["key"] == CANARY


def test_without_a_key_of_the_installation_nothing_is_stored(database):
    vault.configure([])
    with pytest.raises(ConfigError, match="PILOT_SECRET_KEYS"):
        provider_keys.set_key("openai", CANARY, by=BY)
    assert row()["sealed"] is None
