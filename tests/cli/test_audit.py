"""The audit trail on the command line: whole, tampered with, and offline."""

import json

import pytest

from pilot import cli
from pilot.engine.upkeep.anchors import FILE, KEY_FILE, Anchors, own_key, public_text


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
    assert f"5 records are in {file}." in capsys.readouterr().out
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")
    assert cli.main(["audit", "verify", "--bundle", str(file)]) == 0
    file.write_text(file.read_text().replace("USER_CREATED", "USER_DELETED", 1))
    assert cli.main(["audit", "verify", "--bundle", str(file)]) == 1
    assert "record 1: the record was changed" in capsys.readouterr().err


@pytest.mark.capability(259)
def test_anchors_find_what_the_chains_cannot_tell(trail, superuser, tmp_path, capsys):
    Anchors(tmp_path).append()
    file, bundle = str(tmp_path / FILE), tmp_path / "trail.jsonl"
    assert cli.main(["audit", "verify", "--anchors", file]) == 0
    assert "They agree with 1 anchors of the key " in capsys.readouterr().out
    superuser.execute("SET session_replication_role = replica")
    superuser.execute("DELETE FROM audit WHERE seq = 5")
    superuser.execute(
        "UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)"
    )
    assert cli.main(["audit", "verify"]) == 0
    assert cli.main(["audit", "verify", "--anchors", file]) == 1
    assert cli.main(["audit", "export", str(bundle)]) == 0
    assert cli.main(["audit", "verify", "--anchors", file, "--bundle", str(bundle)]) == 1
    told = "Chain system, record 5: the end of the chain was cut off."
    assert capsys.readouterr().err.count(told) == 2


@pytest.mark.capability(259)
def test_anchors_of_another_key_are_refused(trail, tmp_path, capsys):
    Anchors(tmp_path).append()
    command = ["audit", "verify", "--anchors", str(tmp_path / FILE)]
    key = public_text(own_key(tmp_path))
    (tmp_path / KEY_FILE).unlink()
    assert cli.main(command) == 0  # nothing here says which key it was
    assert cli.main([*command, "--key", key]) == 0
    assert cli.main([*command, "--key", key[::-1]]) == 1
    assert "Chain anchors, record 1: another key signed it." in capsys.readouterr().err
    assert cli.main(["audit", "verify", "--anchors", str(tmp_path / "none")]) == 3


@pytest.mark.capability(259)
def test_an_export_that_is_cut_or_damaged_fails_and_says_where(trail, tmp_path, capsys):
    file = tmp_path / "trail.jsonl"
    assert cli.main(["audit", "export", str(file)]) == 0
    whole = file.read_bytes().splitlines(keepends=True)
    for lines, told in (
        ([], "Chain export, record 1: the end is missing"),
        (whole[:-1], "Chain export, record 7: the end is missing"),
        (whole[-1:], "Chain export, record 1: the end counts other chains or records."),
        ([*whole[:2], b"\xff\n", *whole[3:]], "Line 3 (after chain system, record 2) is not"),
        ([whole[0], b"\n", *whole[1:]], "Line 2 (after chain system, record 1) is not"),
    ):
        file.write_bytes(b"".join(lines))
        assert cli.main(["audit", "verify", "--bundle", str(file)]) == 1
        assert told in capsys.readouterr().err
    assert cli.main(["audit", "verify", "--anchors", str(file)]) == 1
    assert cli.main(["audit", "export", str(tmp_path)]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_file_that_is_no_export_is_refused(trail, tmp_path, capsys):
    file = tmp_path / "other.txt"
    file.write_text("hello\n")
    assert cli.main(["audit", "verify", "--bundle", str(file)]) == 1
    assert cli.main(["audit", "verify", "--bundle", str(tmp_path / "none")]) == 3
    errors = capsys.readouterr().err
    assert "Line 1 is not of an exported audit trail: This is not JSON" in errors
    assert "none cannot be read" in errors
