import json

import pytest

from pilot import cli


@pytest.fixture
def pilot(database, monkeypatch, capsys):
    """Give a function that runs a command: its exit code and what it wrote."""
    monkeypatch.setenv("DATABASE_URL", database)

    def run(*arguments):
        code = cli.main(["--json", *arguments])
        out, err = capsys.readouterr()
        return code, json.loads(out or err)

    return run


def model(pilot, model_id):
    return next(one for one in pilot("prices", "list")[1] if one["id"] == model_id)


@pytest.mark.capability(88)
def test_a_server_of_ones_own_and_its_model_are_added(pilot):
    url = "http://localhost:11434/v1"
    assert pilot("provider", "add", "ollama", "--base-url", url, "--keyless")[0] == 0
    sizes = ("--window", "8000", "--max-output", "2000")
    given = ("--provider", "ollama", "--tier", "fast", *sizes, "--tools")
    assert pilot("model", "add", "llama", *given)[0] == 0
    one = model(pilot, "llama")
    assert (one["provider"], one["input"], one["not_asked"]) == ("ollama", None, None)
    assert pilot("model", "add", "llama", *given)[0] == 4


def test_a_model_is_switched_off_and_on(pilot):
    assert pilot("model", "off", "gpt-6-luna") == (0, {"model": "gpt-6-luna", "enabled": False})
    assert model(pilot, "gpt-6-luna")["not_asked"] == "GPT-6 Luna is switched off."
    pilot("model", "on", "gpt-6-luna")
    assert model(pilot, "gpt-6-luna")["not_asked"] == "OpenAI has no key."
    assert pilot("model", "off", "gpt-0")[0] == 3
