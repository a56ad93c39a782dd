"""An installation to make backups of, and a new one to restore them into."""

from dataclasses import replace

import pytest
from cryptography.fernet import Fernet

from pilot import vault
from pilot.audit import Actor
from pilot.engine.providers import provider_keys
from pilot.services import schema
from tests.engine.worker_process import config, switch_on

BY = Actor("cli:test")


@pytest.fixture
def emptied(servers):
    """Give the URL of an empty database, as a new installation has."""
    name = "pilot_test_restored"
    servers.execute("CREATE DATABASE {name} OWNER pilot_owner", name=name)
    yield servers.cluster.url(name, schema.LOGIN)
    servers.execute("DROP DATABASE {name} WITH (FORCE)", name=name)


@pytest.fixture
def installed(database, redis_url, tmp_path, world):
    """Give the config of an installation with people and a switched-on engine."""
    switch_on()
    facts = replace(
        config(database, redis_url, tmp_path / "old"),
        secret_keys=(Fernet.generate_key().decode(),),
    )
    facts.data.mkdir()
    vault.configure(facts.secret_keys)
    provider_keys.set_key("openai", "sk-canary-0123456789abcdef", by=BY)
    return facts


@pytest.fixture
def elsewhere(installed, emptied, tmp_path):
    """Give the config of a new installation that has the old one's secret keys."""
    facts = replace(installed, data=tmp_path / "new", given_database_url=emptied)
    facts.data.mkdir()
    return facts
