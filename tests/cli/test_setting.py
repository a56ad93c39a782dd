import json

import pytest

from pilot import cli
from pilot.settings import SETTINGS


@pytest.fixture
def pilot(database, monkeypatch, capsys):
    """Give a function that runs a command: its exit code and what it wrote."""
    monkeypatch.setenv("DATABASE_URL", database)

    def run(*arguments):
        code = cli.main(["--json", "setting", *arguments])
        out, err = capsys.readouterr()
        return code, json.loads(out or err)

    return run


@pytest.mark.capability(109)
def test_init_stores_the_defaults_once_and_prints_all(pilot):
    _, first = pilot("init")
    _, second = pilot("init")
    assert set(first["written"]) == set(SETTINGS)
    assert second["written"] == []
    defaults = {key: one.default for key, one in SETTINGS.items()}
    assert first["settings"] == second["settings"] == defaults


@pytest.mark.capability(109)
def test_init_keeps_what_was_changed(pilot):
    pilot("set", "orchestrator_primary_model", "claude-haiku-5-5")
    _, said = pilot("init")
    assert "orchestrator_primary_model" not in said["written"]
    assert said["settings"]["orchestrator_primary_model"] == "claude-haiku-5-5"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("orchestrator_enable_fallback", "off", False),
        ("orchestrator_enable_fallback", "true", True),
        ("generation_shortlist", "20", 20),
        ("generation_cost_cap_usd", "0.250", "0.25"),
        ("generation_semantic_gate", "warn", "warn"),
        ("orchestrator_further_models", "gpt-6.1-sol,kimi-k3", ["gpt-6.1-sol", "kimi-k3"]),
        ("orchestrator_further_models", "", []),
    ],
)
def test_a_typed_value_is_stored_as_its_type(pilot, key, text, value):
    assert pilot("set", key, text) == (0, {key: value})
    assert pilot("list")[1][key] == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("orchestrator_enable_fallback", "maybe"),
        ("generation_shortlist", "many"),
        ("generation_shortlist", "2"),
        ("generation_cost_cap_usd", "0,1"),
        ("orchestrator_primary_model", "gpt-0"),
    ],
)
def test_what_cannot_be_stored_is_refused(pilot, key, text):
    code, said = pilot("set", key, text)
    assert code == 5
    assert len(said["issues"]) == 1


def test_people_read_lines(database, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", database)
    for arguments in (["list"], ["init"], ["set", "pilot_enabled", "on"]):
        assert cli.main(["setting", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "orchestrator_primary_model       gpt-6-luna" in lines
    assert lines[-1] == "pilot_enabled: on"
