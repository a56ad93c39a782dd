import json
from types import SimpleNamespace

import pytest
from cryptography.fernet import Fernet

from pilot import audit, cli, db, settings, vault
from pilot.config import Config
from pilot.engine.providers import provider_keys
from pilot.engine.secrets import connections
from pilot.engine.upkeep.anchors import FILE, KEY_FILE, Anchors
from pilot.services import doctor, installation
from tests.engine.worker_process import make_agent, start

FIELDS = {
    "smtp_host": "127.0.0.1",
    "smtp_port": 2525,
    "smtp_security": "none",
    "user": "sales",
    "sender": "sales@peer.test",
}
STEP = {"id": "say", "type": "ai_processing", "prompt": "Say it."}


@pytest.fixture
def examine(servers, database, tmp_path, monkeypatch):
    """Give a function that examines this test's installation: no web, no worker."""
    monkeypatch.setenv("PILOT_DATA", str(tmp_path))
    monkeypatch.setenv("PILOT_PORT", "1")
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("REDIS_URL", servers.redis_url)

    def findings():
        return {each.check: each for each in doctor.examine(Config.from_env())}

    return findings


def failing(findings):
    return {name for name, finding in findings.items() if not finding.ok}


def test_what_is_not_there_is_named_and_the_rest_is_fine(examine):
    findings = examine()
    assert failing(findings) == {"keys", "workers", "web"}
    assert "PILOT_SECRET_KEYS" in findings["keys"].message
    assert "pilot worker" in findings["workers"].message


def test_a_live_worker_is_counted(examine, superuser):
    superuser.execute(
        "INSERT INTO worker (host, pid, version, lease_until)"
        " VALUES ('here', 1, '0', pilot_now() + interval '1 minute')"
    )
    assert examine()["workers"].message == "1 alive"


def test_a_changed_audit_record_is_found(examine, world, superuser):
    assert examine()["audit"].ok
    superuser.execute("SET session_replication_role = replica")
    superuser.execute("UPDATE audit SET record = replace(record, 'system', 'nobody') WHERE seq = 2")
    finding = examine()["audit"]
    assert not finding.ok
    assert "record 2" in finding.message


@pytest.mark.capability(259)
def test_a_trail_that_differs_from_its_anchors_is_found(examine, world, superuser, tmp_path):
    Anchors(tmp_path).append()
    assert examine()["audit"].message == "5 records verified, with 1 anchors"
    superuser.execute("SET session_replication_role = replica")
    superuser.execute("DELETE FROM audit")
    superuser.execute("DELETE FROM audit_head")
    assert "system record 1: the chain is missing" in examine()["audit"].message
    assert "pilot audit verify" in examine()["audit"].message


def test_anchors_that_were_taken_away_are_missed(examine, world, tmp_path):
    assert examine()["audit"].ok  # no worker has made one yet
    Anchors(tmp_path).append()
    (tmp_path / FILE).write_text("")
    assert "there is no anchor" in examine()["audit"].message
    (tmp_path / FILE).unlink()
    assert "the file of anchors is missing" in examine()["audit"].message
    (tmp_path / KEY_FILE).unlink()
    assert examine()["audit"].ok


def test_an_anchor_that_is_being_written_is_no_fault(examine, world, tmp_path):
    Anchors(tmp_path).append()
    with (tmp_path / FILE).open("a") as file:
        file.write('{"number": 2')
    assert examine()["audit"].message == "5 records verified, with 1 anchors"


DAMAGE = {
    "not text": lambda path: path.write_bytes(b"\xff\xfe\n"),
    "not JSON": lambda path: path.write_text("hello\n"),
    "null": lambda path: path.write_text("null\n"),
    "empty": lambda path: path.write_text(""),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("name", [FILE, KEY_FILE, "secret_keys"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_one_finding_among_the_others(
    examine, world, tmp_path, capsys, name, damage
):
    Anchors(tmp_path).append()
    path = tmp_path / name
    path.unlink(missing_ok=True)
    DAMAGE[damage](path)
    if path.is_file():
        path.chmod(0o600)
    assert cli.main(["--json", "doctor"]) == 1
    findings = {one["check"]: one for one in json.loads(capsys.readouterr().out)}
    check = findings["keys" if name == "secret_keys" else "audit"]
    assert not check["ok"]
    assert name in check["message"] or damage == "empty"
    assert {one for one in findings if not findings[one]["ok"]} == {
        "keys", "workers", "web", check["check"]
    }  # fmt: skip


def test_a_data_folder_that_is_a_file_is_named(examine, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PILOT_DATA", str(tmp_path / "file"))
    findings = examine()
    assert "is no folder: move it away" in findings["data folder"].message
    assert failing(findings) >= {"data folder", "keys", "workers"}


def test_the_disk_of_the_database_is_looked_at_too(examine, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "postgres").symlink_to(tmp_path / "elsewhere")
    full = {tmp_path / "elsewhere": 3 * 2**20}
    usage = lambda place: SimpleNamespace(free=full.get(place, 2**40))  # noqa: E731
    monkeypatch.setattr(doctor.shutil, "disk_usage", usage)
    assert f"Only 3 MiB are free at {tmp_path / 'elsewhere'}" in examine()["disk"].message


def test_a_check_that_breaks_does_not_hide_the_others(examine, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: 1 / 0)
    findings = examine()
    assert "failed itself (ZeroDivisionError)" in findings["disk"].message
    assert failing(findings) == {"disk", "keys", "workers", "web"}


def test_a_lost_key_is_put_back_and_not_made_anew(examine, world, tmp_path, monkeypatch):
    vault.configure([Fernet.generate_key().decode()])
    provider_keys.set_key("openai", "sk-test-0123456789", by=world.admin.actor)
    findings = examine()
    assert "but 1 secrets are sealed: put the old key back" in findings["keys"].message
    assert str(tmp_path / "secret_keys") in findings["keys"].message
    assert "No key opens provider openai (1 in all)" in findings["secrets"].message
    monkeypatch.setenv("DATABASE_URL", "postgresql://x@127.0.0.1:1/x")
    assert "if secrets are sealed here, put the old" in examine()["keys"].message


def test_late_messages_are_counted(examine, world, superuser):
    superuser.execute(
        "INSERT INTO outbox (owner_id, kind, key, payload, due_at)"
        " VALUES (%s, 'x', 'k', '{}', pilot_now() - interval '1 hour')",
        [world.operator.id],
    )
    assert examine()["outbox"].message.startswith("Messages late or given up: 1. Workers send")


def test_a_schema_of_a_newer_pilot_asks_for_that(examine, superuser):
    present = superuser.execute("SELECT version_num FROM alembic_version").fetchone()
    superuser.execute("UPDATE alembic_version SET version_num = '9999'")
    told = examine()["migrations"].message
    superuser.execute("UPDATE alembic_version SET version_num = %s", present)
    assert told.startswith("The schema is 9999, of a newer Pilot")


def test_an_older_schema_is_named(examine, superuser):
    superuser.execute("UPDATE alembic_version SET version_num = '0001'")
    assert "pilot migrate" in examine()["migrations"].message


def test_a_dead_queue_is_named(examine, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    assert "queue" in failing(examine())


def test_models_without_keys_are_told_and_no_fault(examine):
    finding = examine()["models"]
    assert finding.ok
    assert "pilot provider set-key" in finding.message


def test_a_retired_model_is_a_fault(examine, world):
    settings.change("orchestrator_primary_model", "claude-sonnet-4", by=world.admin.actor)
    finding = examine()["models"]
    assert not finding.ok
    assert "was retired on 2026-06-15" in finding.message


@pytest.mark.capability(85, 86)
def test_each_fault_of_money_and_models_has_its_name_and_its_cure(examine, world, superuser):
    assert failing(examine()) == {"keys", "workers", "web"}
    vault.configure([Fernet.generate_key().decode()])
    provider_keys.set_key("openai", "sk-test-0123456789", by=world.admin.actor)
    superuser.execute(
        "INSERT INTO model_state (model_id, failed_at, open_until)"
        " VALUES ('gpt-6-luna', '{}', pilot_now() + interval '20 s')"
    )
    given = connections.Given("Sales", FIELDS, "canary-password-1")
    connections.create("mail", given, by=world.operator.actor, owner_id=world.operator.id)
    superuser.execute("UPDATE connection SET state = 'reconnect', reason = 'wrong password'")
    superuser.execute(
        "INSERT INTO setting (key, value) VALUES ('llm_timeout_s', '\"soon\"'), ('gone', '1')"
    )
    agent = make_agent(world.operator.id, [STEP])
    superuser.execute(
        "UPDATE execution SET status = 'budget_paused' WHERE id = %s",
        [start(agent, world.operator.id)],
    )
    findings = examine()
    assert failing(findings) >= {"settings", "provider keys", "model connections", "budgets"}
    assert "OpenAI" in findings["provider keys"].message
    assert "gpt-6-luna" in findings["model connections"].message
    assert "Time for a call must be a whole number" in findings["settings"].message
    assert "No setting is called gone" in findings["settings"].message
    assert "pilot execution budget" in findings["budgets"].message
    assert "Sales (mail, reconnect): wrong password" in findings["connections"].message


@pytest.mark.capability(85, 86)
def test_what_an_operator_has_to_see_to_has_its_name_and_its_cure(
    examine, world, superuser, tmp_path, monkeypatch
):
    assert examine()["backups"].message == "none yet: pilot backup FILE"
    superuser.execute("UPDATE app_user SET created_at = pilot_now() - interval '8 days'")
    vault.configure([Fernet.generate_key().decode()])
    provider_keys.set_key("openai", "sk-test-0123456789", by=world.admin.actor)
    monkeypatch.setenv("PILOT_SECRET_KEYS", Fernet.generate_key().decode())
    installation.marker(tmp_path).touch()
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 2**62)
    monkeypatch.setattr(doctor, "MOST_APART_S", -1)
    findings = examine()
    for name, told in {
        "backups": "never a backup: pilot backup FILE",
        "data folder": "run pilot restore again",
        "disk": "pilot prune",
        "clock": "synchronised",
        "secrets": "No key opens provider openai",
    }.items():
        assert not findings[name].ok
        assert told in findings[name].message
    told = {"actor": world.admin.actor, "about": ("backup", 1)}
    with db.transaction("test.backup", None) as session:
        audit.record(session, audit.Event.BACKUP_CREATED, **told)
    assert examine()["backups"].message == "the newest is 0 days old"


def test_without_a_database_every_check_still_answers(examine, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://x@127.0.0.1:1/x")
    findings = examine()
    assert "DATABASE_URL does not answer" in findings["database"].message
    assert failing(findings) >= {"database", "migrations", "audit", "workers"}


def test_the_command_fails_while_something_is_missing(examine, capsys):
    assert cli.main(["doctor"]) == 1
    assert "FAIL workers" in capsys.readouterr().out
    assert cli.main(["--json", "doctor"]) == 1
    lines = json.loads(capsys.readouterr().out)
    assert {"check", "ok", "message"} == set(lines[0])
