"""Agents of older builders on the command line: made, imported and shown."""

import json

import pytest

from pilot.engine.language import yaml_text
from tests.engine.life.test_older_agents import READ, REMINDERS
from tests.views.test_older import BUNDLE


@pytest.mark.capability(175)
def test_an_older_document_is_taken_in_and_shown_converted(shell, world, tmp_path):
    file = tmp_path / "old.json"
    file.write_text(json.dumps(REMINDERS))
    me = ("--as", world.operator.email)
    code, _, err = shell(*me, "agent", "create", "Old", "--document", str(file))
    assert code == 0, err
    shown = json.loads(shell(*me, "--json", "agent", "show", "Old")[1])
    assert [step["id"] for step in shown["document"]["steps"]] == READ
    assert "nobody: continueOnError became on_error." in shown["conversion"]
    words = shell(*me, "agent", "show", "Old")[1]
    assert "Written by an older builder" in words
    bundle = tmp_path / "old.yaml"
    bundle.write_text(yaml_text.dumps(BUNDLE))
    would = shell(*me, "agent", "import", str(bundle), "--dry-run")[1]
    assert "nobody: continueOnError became on_error." in would
    assert shell(*me, "agent", "import", str(bundle))[0] == 0


@pytest.mark.capability(175)
def test_what_cannot_be_converted_is_named(shell, world, tmp_path):
    file = tmp_path / "old.json"
    file.write_text('[{"id": "call", "step_type": "api_call"}]')
    me = ("--as", world.operator.email)
    code, _, err = shell(*me, "agent", "create", "Old", "--document", str(file))
    assert code != 0
    assert "The step call, api_call, names no action" in err
