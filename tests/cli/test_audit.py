"""The audit trail on the command line: whole, tampered with, and offline."""

import json

import pytest

from pilot import cli


@pytest.fixture
def trail(database, redis_url, tmp_path, monkeypatch, world):
    values = {"DATABASE_URL": database, "REDIS_URL": redis_url, "PILOT_DATA": str(tmp_path)}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return world


@pytest.mark.capability(259)
def test_a_whole_trail_verifies(trail, capsys):
    assert cli.main(["audit", "verify"]) == 0
    assert "The chains are whole: 5 records." in capsys.readouterr().out


@pytest.mark.capability(259)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "UPDATE audit SET record = replace(record, 'info', 'warn') WHERE seq = 2",
            "record 2: the",
        ),
        ("DELETE FROM audit WHERE seq = 5", "record 5: the end of the chain was cut off"),
    ],
)
def test_tampering_is_named_and_fails(trail, superuser, capsys, change, told):
    superuser.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
    superuser.execute(change)
    assert cli.main(["audit", "verify"]) == 1
    assert f"Chain system, {told}" in capsys.readouterr().err
    assert cli.main(["--json", "audit", "verify"]) == 1
    assert json.loads(capsys.readouterr().out)["faults"][0]["chain"] == "system"


@pytest.mark.capability(259)
def test_an_export_is_checked_offline(trail, tmp_path, capsys, monkeypatch):
    file = tmp_path / "trail.jsonl"
    assert cli.main(["audit", "export", str(file)]) == 0
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")
    assert cli.main(["audit", "verify", "--bundle", str(file)]) == 0
    file.write_text(file.read_text().replace("USER_CREATED", "USER_DELETED", 1))
    assert cli.main(["audit", "verify", "--bundle", str(file)]) == 1
    assert "record 1: the record was changed" in capsys.readouterr().err


def test_a_file_that_is_no_export_is_refused(trail, tmp_path, capsys):
    file = tmp_path / "other.txt"
    file.write_text("hello\n")
    assert cli.main(["audit", "verify", "--bundle", str(file)]) == 1
    assert cli.main(["audit", "verify", "--bundle", str(tmp_path / "none")]) == 3
    errors = capsys.readouterr().err
    assert "Line 1 is not of an exported audit trail." in errors
    assert "none cannot be read" in errors
