"""Providers and models of one's own: checked, audited, asked like the shipped ones."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from pilot import db, settings
from pilot.audit import Actor
from pilot.engine.providers import model_catalogue, own_models
from pilot.engine.providers.model_catalogue import NewPrice
from pilot.engine.providers.own_models import NewModel, NewProvider
from pilot.errors import ConflictError, InvalidError, NotFoundError
from pilot.models.audit import AuditEntry

BY = Actor("cli:ann")
OLLAMA = NewProvider("ollama", "Ollama", "http://localhost:11434/v1/", keyless=True)
LLAMA = NewModel("llama", "ollama", "llama3.3:70b", "Llama", "balanced", 128_000, 8_000)


def chain(*ids):
    with db.reading(None) as session:
        return model_catalogue.chain(session, ids)


@pytest.mark.capability(88)
def test_a_server_of_ones_own_is_added_chosen_and_asked(database):
    own_models.add_provider(OLLAMA, by=BY)
    own_models.add_model(replace(LLAMA, flags={"tools": True}), by=BY)
    settings.change("orchestrator_primary_model", "llama", by=BY)
    (model,) = chain("llama").models
    assert (model.provider, model.offered_by, model.name) == ("openai", "ollama", "llama3.3:70b")
    assert model.connection == {
        "base_url": "http://localhost:11434/v1",
        "allow": "localhost:11434",
        "key": "none",
    }
    assert model.flags == own_models.CAUTIOUS | {"tools": True}
    assert model.price is None
    with db.reading(None, sees_all=True) as session:
        events = session.scalars(select(AuditEntry.event).order_by(AuditEntry.seq)).all()
    assert events == ["PROVIDER_CHANGED", "MODEL_CHANGED", "SYSTEM_CONFIG_CHANGED"]


@pytest.mark.parametrize(
    ("base_url", "allow"),
    [
        ("http://10.0.0.7/v1", "10.0.0.7:80"),
        ("http://[::1]:11434/v1", "[::1]:11434"),
        ("http://169.254.169.254/v1", ""),
        ("http://[fe80::1]:11434/v1", ""),
        ("http://[::ffff:169.254.169.254]/v1", ""),
    ],
)
def test_a_private_address_opens_itself_and_none_of_the_link(database, base_url, allow):
    own_models.add_provider(replace(OLLAMA, base_url=base_url), by=BY)
    own_models.add_model(LLAMA, by=BY)
    assert chain("llama").models[0].connection.get("allow", "") == allow


def test_a_model_of_ones_own_is_free_once_that_is_said(database):
    own_models.add_provider(OLLAMA, by=BY)
    own_models.add_model(LLAMA, by=BY)
    free = NewPrice({"input": 0, "output": 0}, "runs here", free=True)
    model_catalogue.add_price("llama", free, by=BY)
    assert chain("llama").models[0].price.input == 0


def test_a_provider_that_needs_a_key_waits_for_it(database):
    own_models.add_provider(replace(OLLAMA, keyless=False), by=BY)
    own_models.add_model(LLAMA, by=BY)
    assert [one.code for one in chain("llama").skipped] == ["provider_off"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": "My Server"}, "/name"),
        ({"name": ""}, "/name"),
        ({"label": " "}, "/label"),
        ({"adapter": "scripted"}, "/adapter"),
        ({"base_url": "ollama"}, "/base_url"),
        ({"base_url": "http://models.example.com"}, "/base_url"),
    ],
)
def test_a_provider_that_cannot_be_used_is_refused(database, change, path):
    with pytest.raises(InvalidError) as refused:
        own_models.add_provider(replace(OLLAMA, **change), by=BY)
    assert [issue.path for issue in refused.value.issues] == [path]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"id": "a b"}, "/id"),
        ({"name": ""}, "/name"),
        ({"tier": "quick"}, "/tier"),
        ({"window": 0, "max_output": 0}, "/window"),
        ({"max_output": 200_000}, "/max_output"),
        ({"flags": {"cache": "always"}}, "/flags/cache"),
        ({"flags": {"speed": 1}}, "/flags/speed"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused(database, change, path):
    own_models.add_provider(OLLAMA, by=BY)
    with pytest.raises(InvalidError) as refused:
        own_models.add_model(replace(LLAMA, **change), by=BY)
    assert path in [issue.path for issue in refused.value.issues]


def test_a_name_is_given_once_and_a_model_needs_its_provider(database):
    with pytest.raises(NotFoundError, match="no provider"):
        own_models.add_model(LLAMA, by=BY)
    with pytest.raises(ConflictError):
        own_models.add_provider(replace(OLLAMA, name="openai"), by=BY)
    with pytest.raises(ConflictError):
        own_models.add_model(replace(LLAMA, id="gpt-6-luna", provider="openai"), by=BY)
