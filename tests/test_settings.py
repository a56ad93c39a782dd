"""Settings: typed, bounded, versioned, audited, undone."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select

from pilot import db, settings
from pilot.audit import Actor
from pilot.errors import ConflictError, InvalidError, NotFoundError
from pilot.models.audit import AuditEntry
from pilot.settings import SETTINGS

SYSTEM = Actor("system")


def snapshot():
    with db.reading(None) as session:
        return settings.snapshot(session)


def history():
    with db.reading(None) as session:
        lines = settings.history(session)
    return [(line.definition.key, line.before, line.after, line.can_undo) for line in lines]


def audited():
    with db.reading(None, sees_all=True) as session:
        return session.execute(
            select(AuditEntry.event, AuditEntry.record).order_by(AuditEntry.seq)
        ).all()


@pytest.mark.capability(48)
def test_a_bare_database_has_the_defaults_and_pilot_off(database):
    values, version = snapshot()
    assert version == 0
    assert values == {key: one.default for key, one in SETTINGS.items()}
    assert values["pilot_enabled"] is False


@pytest.mark.capability(269)
def test_a_change_is_read_back_in_a_new_transaction_and_audited(world):
    saved = settings.change("pilot_enabled", True, by=world.admin.actor, reason="demo")
    version = saved.version
    assert saved.changed == ("pilot_enabled",)
    assert snapshot() == (
        {key: one.default for key, one in SETTINGS.items()} | {"pilot_enabled": True},
        version,
    )
    event, record = audited()[-1]
    assert event == "PILOT_CONFIG_UPDATED"
    assert f'"before":false,"after":true,"version":{version},"reason":"demo"' in record
    assert f'"actor":"user:{world.admin.id}"' in record


def test_another_process_reads_the_new_value(world, database):
    settings.change("pilot_max_steps", 7, by=world.admin.actor)
    with psycopg.connect(database, options="-c role=pilot_app") as connection:
        stored, version = connection.execute(settings.SNAPSHOT).fetchone()
    assert (settings.with_defaults(stored), version) == snapshot()
    assert settings.with_defaults(stored)["pilot_max_steps"] == 7


def test_one_value_is_read_by_its_name(world):
    settings.change("pilot_max_steps", 7, by=world.admin.actor)
    with db.reading(None) as session:
        assert settings.value(session, "pilot_max_steps") == 7
        assert settings.value(session, "pilot_max_parallel_steps") == 3
        with pytest.raises(InvalidError):
            settings.value(session, "pilot_max_step")


@pytest.mark.parametrize(
    ("key", "new", "code"),
    [
        ("pilot_enable", True, "setting_unknown"),
        ("a/b~c", 1, "setting_unknown"),
        ("pilot_enabled", "on", "setting_type"),
        ("pilot_enabled", 1, "setting_type"),
        ("pilot_enabled", None, "setting_type"),
        ("pilot_max_steps", True, "setting_type"),
        ("pilot_max_steps", "50", "setting_type"),
        ("pilot_max_steps", 50.0, "setting_type"),
        ("pilot_max_steps", 0, "setting_range"),
        ("pilot_max_steps", 501, "setting_range"),
        ("pilot_max_steps", 10**30, "setting_range"),
        ("generation_free_threshold", 0.8, "setting_type"),
        ("generation_free_threshold", "1e-1", "setting_type"),
        ("generation_free_threshold", "0,8", "setting_type"),
        ("generation_free_threshold", "NaN", "setting_type"),
        ("generation_free_threshold", "1.01", "setting_range"),
        ("generation_cost_cap_usd", "0", "setting_range"),
        ("generation_cost_cap_usd", "-1", "setting_type"),
        ("generation_semantic_gate", "loud", "setting_range"),
        ("orchestrator_primary_model", "gpt-0", "setting_model"),
        ("orchestrator_primary_model", 5, "setting_type"),
        ("orchestrator_further_models", "gpt-6-luna", "setting_type"),
        ("orchestrator_further_models", ["gpt-6-luna", 5], "setting_type"),
        ("orchestrator_further_models", ["gpt-6-luna"] * 2, "setting_range"),
        ("orchestrator_further_models", ["a", "b", "c", "d"], "setting_range"),
        ("orchestrator_further_models", ["gpt-0"], "setting_model"),
        ("pilot_effects_approval", "some", "setting_range"),
        ("pilot_internal_domains", ["ann@example.com"], "setting_range"),
        ("pilot_internal_domains", [".example.com"], "setting_range"),
        ("pilot_internal_domains", ["Example.com"], "setting_range"),
        ("pilot_internal_domains", ["example.com\n"], "setting_range"),
    ],
)
def test_what_cannot_be_stored_is_named_and_nothing_is_dropped(database, key, new, code):
    with pytest.raises(InvalidError) as refused:
        settings.change_all({"pilot_max_parallel_steps": 5, key: new}, by=SYSTEM)
    (issue,) = refused.value.issues
    assert issue.code == code
    assert issue.path == "/" + key.replace("~", "~0").replace("/", "~1")
    assert issue.expected
    assert snapshot()[1] == 0


@pytest.mark.parametrize("key", [key for key, one in SETTINGS.items() if one.type is int])
def test_bounds_are_inclusive(database, key):
    one = SETTINGS[key]
    for edge in (one.minimum, one.maximum):
        settings.change(key, edge, by=SYSTEM)
        assert snapshot()[0][key] == edge
    assert one.minimum <= one.default <= one.maximum


@pytest.mark.capability(108)
def test_the_defaults_are_a_cheap_and_a_strong_model_with_fallback(database):
    values, _ = snapshot()
    assert values["orchestrator_primary_model"] == "gpt-6-luna"
    assert values["orchestrator_fallback_model"] == "claude-sonnet-5-5"
    assert values["orchestrator_enable_fallback"] is True


@pytest.mark.capability(110)
def test_each_type_is_read_back_as_it_was_stored(database):
    given = {
        "orchestrator_primary_model": "claude-haiku-5-5",
        "orchestrator_enable_fallback": False,
        "orchestrator_further_models": ["gpt-6.1-sol", "claude-opus-5-5"],
        "generation_shortlist": 20,
        "generation_cost_cap_usd": "0.25",
        "generation_semantic_gate": "warn",
    }
    settings.change_all(given, by=SYSTEM)
    assert snapshot()[0].items() >= given.items()


def test_a_number_is_exact_and_has_one_form(database):
    assert settings.change("generation_free_threshold", "0.800", by=SYSTEM).changed == ()
    settings.change("generation_cost_cap_usd", "10.00", by=SYSTEM)
    assert snapshot()[0]["generation_cost_cap_usd"] == "10"


def test_every_default_is_a_good_value_in_words():
    for one in SETTINGS.values():
        assert one.issues(one.default) == []
        assert one.stored(one.default) == one.default
        assert one.words(one.default)
        assert one.bounds


def test_several_settings_change_as_one_version(database):
    saved = settings.change_all({"pilot_max_steps": 9, "pilot_max_parallel_steps": 2}, by=SYSTEM)
    assert snapshot()[1] == saved.version
    assert history() == [
        ("pilot_max_parallel_steps", 3, 2, True),
        ("pilot_max_steps", 50, 9, True),
    ]


def test_saving_what_is_stored_changes_nothing(database):
    first = settings.change("pilot_max_steps", 9, by=SYSTEM)
    again = settings.change_all({"pilot_max_steps": 9, "pilot_enabled": False}, by=SYSTEM)
    assert again == settings.Saved(first.version, ())
    assert len(history()) == len(audited()) == 1


@pytest.mark.capability(269)
def test_a_form_made_from_older_values_is_told_yours_theirs_and_before(world):
    _, seen = snapshot()
    settings.change("pilot_max_steps", 60, by=world.admin.actor, expected_version=seen)
    theirs = settings.change("pilot_max_steps", 70, by=world.admin.actor).version
    with pytest.raises(ConflictError) as stale:
        settings.change("pilot_max_steps", 80, by=SYSTEM, expected_version=seen)
    assert stale.value.present == {
        "version": theirs,
        "fields": {"pilot_max_steps": {"yours": 80, "theirs": 70, "before": 50}},
    }
    assert snapshot()[0]["pilot_max_steps"] == 70
    settings.change("pilot_max_steps", 80, by=SYSTEM, expected_version=theirs)


def test_a_change_of_another_setting_makes_no_form_stale(database):
    _, seen = snapshot()
    settings.change("pilot_enabled", True, by=SYSTEM)
    settings.change("pilot_max_steps", 60, by=SYSTEM, expected_version=seen)
    assert snapshot()[0]["pilot_max_steps"] == 60


@pytest.mark.capability(269)
def test_undo_is_a_new_change(world):
    first = settings.change("pilot_max_steps", 60, by=world.admin.actor).version
    second = settings.undo(first, by=world.admin.actor).version
    assert second > first
    assert snapshot()[0]["pilot_max_steps"] == 50
    assert history() == [("pilot_max_steps", 60, 50, True), ("pilot_max_steps", 50, 60, False)]
    settings.undo(second, by=world.admin.actor)
    assert snapshot()[0]["pilot_max_steps"] == 60
    assert [row.event for row in audited()][-3:] == ["PILOT_CONFIG_UPDATED"] * 3


def test_an_undo_does_not_overwrite_a_later_change(database):
    first = settings.change("pilot_max_steps", 60, by=SYSTEM).version
    settings.change("pilot_max_steps", 70, by=SYSTEM)
    with pytest.raises(ConflictError):
        settings.undo(first, by=SYSTEM)
    with pytest.raises(NotFoundError):
        settings.undo(10**9, by=SYSTEM)
    assert snapshot()[0]["pilot_max_steps"] == 70


def test_an_undo_back_to_the_default_stores_nothing(database):
    settings.undo(settings.change("pilot_max_steps", 60, by=SYSTEM).version, by=SYSTEM)
    with db.reading(None) as session:
        assert settings.changed_by(session) == {}


def test_who_set_a_value_is_kept(world):
    settings.change("pilot_max_steps", 60, by=world.admin.actor)
    settings.change("pilot_enabled", True, by=Actor("cli:root"))
    with db.reading(None) as session:
        who = {key: name for key, (name, _) in settings.changed_by(session).items()}
    assert who == {"pilot_max_steps": "Admin", "pilot_enabled": "command line"}


def test_a_version_names_one_snapshot_however_many_change_at_once(database):
    def change(number):
        key = "pilot_max_steps" if number % 2 else "pilot_max_parallel_steps"
        settings.change(key, number + 1, by=SYSTEM)
        return snapshot()

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(change, range(40)))
    by_version = {version: values for values, version in seen}
    assert len(by_version) > 1
    assert all(by_version[version] == values for values, version in seen)


def test_a_setting_of_another_event_family_is_a_system_change():
    assert settings.event("approval_window_s").name == "SYSTEM_CONFIG_CHANGED"
    assert settings.event("pilot_enabled").name == "PILOT_CONFIG_UPDATED"


def test_every_setting_is_read_by_some_code():
    root = Path(settings.__file__).parent
    own = {root / "settings.py", root / "views" / "system_config.py"}
    code = "\n".join(path.read_text() for path in root.rglob("*.py") if path not in own)
    assert [key for key in SETTINGS if not re.search(rf"[\"']{key}[\"']", code)] == []


def test_values_are_told_in_words():
    assert SETTINGS["pilot_enabled"].words(True) == "on"
    assert SETTINGS["pilot_enabled"].words(False) == "off"
    assert SETTINGS["pilot_max_running_per_owner"].words(1200) == "1,200 executions"


def test_every_setting_says_what_it_does():
    for key, one in SETTINGS.items():
        assert re.fullmatch(r"[a-z_]+", key)
        assert one.label[0].isupper()
        assert one.help.endswith(".")
        assert one.type is not int or one.unit


def test_reading_settings_needs_no_web_framework():
    script = "import sys, pilot.settings; print('flask' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
