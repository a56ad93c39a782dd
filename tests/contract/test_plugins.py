"""What holds for every plugin and action alike."""

import subprocess
import sys
from string import Formatter

import pytest

from pilot import plugins
from pilot.errors import NotFoundError
from pilot.plugins import Action, Block, Confirm, Effect, Limit, Warn

ACTIONS = [
    pytest.param(action, id=action.name)
    for name in plugins.names()
    for action in plugins.load(name).actions.values()
]


def described(schema):
    """Yield each field of a JSON schema and of its definitions."""
    for one in [schema, *schema.get("$defs", {}).values()]:
        yield from one.get("properties", {}).items()


def objects(schema):
    return [one for one in [schema, *schema.get("$defs", {}).values()] if "properties" in one]


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_says_what_it_does_and_when_to_use_it(action: Action):
    assert action.name == f"{action.plugin}.{action.run.__name__}"
    assert action.summary.endswith(".")
    assert "\n" not in action.summary
    assert len(action.guidance) > 20
    assert 0 < action.timeout_s <= 120


@pytest.mark.parametrize("action", ACTIONS)
def test_every_field_is_described(action: Action):
    for schema in (action.params_schema, action.output_schema):
        bare = [name for name, field in described(schema) if not field.get("description")]
        assert bare == []


@pytest.mark.parametrize("action", ACTIONS)
def test_unknown_fields_are_refused_at_every_depth(action: Action):
    for schema in (action.params_schema, action.output_schema):
        assert all(one["additionalProperties"] is False for one in objects(schema))


@pytest.mark.parametrize("action", ACTIONS)
def test_the_success_sentence_names_fields_that_are_there(action: Action):
    used = {part for _, part, _, _ in Formatter().parse(action.success) if part}
    known = {*action.params_schema["properties"], *action.output_schema["properties"]}
    assert used <= known


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_declared_probe_can_be_asked(action: Action):
    probed = Effect.PROBE in {action.effect, action.connected_effect}
    assert probed == (action.was_applied is not None)


@pytest.mark.parametrize("action", ACTIONS)
def test_rules_are_complete(action: Action):
    for rule in action.rules:
        if isinstance(rule, Limit):
            assert rule.maximum > 0
        else:
            assert isinstance(rule, Block | Confirm | Warn)
            assert "params." in rule.when
            assert rule.message.endswith((".", "?"))


@pytest.mark.capability(154)
@pytest.mark.parametrize("action", ACTIONS)
def test_missing_unknown_and_mistyped_params_are_named(action: Action):
    required = action.params_schema.get("required", [])
    assert {(one.code, one.path) for one in action.check({})} == {
        ("E_PARAM_MISSING", f"/{name}") for name in required
    }
    bad = dict.fromkeys(required, "") | {"no_such": 1}
    codes = {(one.code, one.path) for one in action.check(bad)}
    assert ("E_PARAM_UNKNOWN", "/no_such") in codes
    assert all((f"/{name}" in {path for _, path in codes}) for name in required)


def test_files_with_an_underscore_are_no_plugins():
    assert plugins.names() == sorted(plugins.names())
    assert not [name for name in plugins.names() if name.startswith("_")]
    with pytest.raises(NotFoundError, match="Present: "):
        plugins.load("_private")


@pytest.mark.capability(153)
def test_a_plugin_is_loaded_at_first_use_and_once():
    code = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pilot import plugins
assert "mail" in plugins.names() and "pilot.plugins.mail" not in sys.modules
with ThreadPoolExecutor(50) as pool:
    loaded = list(pool.map(plugins.load, ["mail"] * 200))
assert len({id(one) for one in loaded}) == 1
assert "pilot.plugins.tables" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_loaded_plugin_is_not_looked_for_again(monkeypatch):
    loaded = plugins.load("http")
    monkeypatch.setattr(plugins, "names", lambda: pytest.fail("it was looked for"))
    assert plugins.load("http") is loaded
