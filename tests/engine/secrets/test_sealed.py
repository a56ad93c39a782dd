"""Sealed secrets: all places are known, and sealing them anew goes on after a kill."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

import pilot
from pilot import db, vault
from pilot.audit import Actor
from pilot.engine.notices import notices
from pilot.engine.providers import provider_keys
from pilot.engine.secrets import sealed, secret_handles
from pilot.errors import ConfigError

BY = Actor("cli:test")
OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))
PLACE = re.compile(r"vault\.Place\(\s*\"(\w+)\"")


@pytest.fixture
def stored(world):
    """Give secrets in three tables, sealed with the old key; the new one is there by now."""
    vault.configure([OLD])
    for name in ("openai", "google", "anthropic"):
        provider_keys.set_key(name, f"canary-of-{name}", by=BY)
    owner = world.operator.id
    for number in range(4):
        secret_handles.put(f"s{number}", f"canary-{number}-000", ["a.test"], by=BY, user_id=owner)
    mail = notices.Mail("a@pilot.test", "Hello", "Text")
    with db.transaction("test.mail", owner) as session:
        until = datetime.now(UTC) + timedelta(days=1)
        row = notices.queue(session, mail, owner_id=owner, expires_at=until)
    vault.configure([NEW, OLD])
    yield owner, row
    vault.configure([])


def audited():
    with db.reading(None, sees_all=True) as session:
        query = text("SELECT count(*) FROM audit WHERE event = 'SECRETS_ROTATED'")
        return session.scalar(query)


def everything_opens(owner, row):
    with db.reading(None, sees_all=True) as session:
        for name in ("openai", "google", "anthropic"):
            assert provider_keys.connection(session, name)["key"] == f"canary-of-{name}"
        kept = session.scalar(text("SELECT payload ->> 'sealed' FROM outbox"))
    assert notices.opened(row, owner, kept).subject == "Hello"
    found = secret_handles.opened(owner, ["s0", "s3"])
    assert [found[name].value for name in ("s0", "s3")] == ["canary-0-000", "canary-3-000"]


@pytest.mark.capability(281)
def test_sealing_anew_goes_on_after_a_kill_at_any_batch(stored, monkeypatch):
    total, begun = 8, 0
    assert sealed.state() == (total, total, [])
    while sealed.state()[1]:
        commits = iter([False] * begun)  # each run dies one commit later than the one before

        def die(name, left=commits):
            if name == "secrets.rotate.before_commit" and next(left, True):
                raise KeyboardInterrupt

        monkeypatch.setattr(db, "failpoint", die)
        begun += 1
        assert begun < 20
        try:
            sealed.rotate(by=BY, batch=1)
        except KeyboardInterrupt:
            everything_opens(*stored)  # both keys are read meanwhile
    monkeypatch.undo()
    assert begun > 3
    assert audited() == total
    assert set(sealed.rotate(by=BY).values()) == {0}
    vault.configure([NEW])
    everything_opens(*stored)


def test_a_secret_that_no_key_opens_is_named_and_the_rest_is_done(stored, world):
    vault.configure([OTHER])
    secret_handles.put("lost", "canary-lost-1", ["a.test"], by=BY, user_id=world.stranger.id)
    vault.configure([NEW, OLD])
    count, older, [lost] = sealed.state()
    assert (count, older) == (9, 9)
    with pytest.raises(ConfigError, match=f"{lost}: .*put that key back"):
        sealed.rotate(by=BY)
    assert lost.startswith("secret ")
    everything_opens(*stored)


def test_every_place_that_code_seals_for_is_known():
    sources = Path(pilot.__path__[0]).rglob("*.py")
    used = {name for path in sources for name in PLACE.findall(path.read_text())}
    assert used == {place.table for place in sealed.places()}
    assert len(used) >= 3
