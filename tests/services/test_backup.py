"""Backup and restore: under load, nothing is lost, nothing is doubled, nobody old can write."""

import errno
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from cryptography.fernet import Fernet

from pilot import audit, cli, db
from pilot.audit import Actor
from pilot.engine import folders
from pilot.engine.life import executions
from pilot.engine.providers import provider_keys
from pilot.engine.upkeep import anchors
from pilot.errors import ConfigError, ConflictError
from pilot.services import archive, backup, installation, restore, schema
from tests.crash.receiver import Receiver
from tests.engine.worker_process import (
    attempts,
    make_agent,
    row,
    start,
    wait_for,
    working,
)
from tests.patience import LONG_S, until

BY = Actor("cli:test")
ID = "01a20508-f0fa-7a3b-aba5-9e616450d92b"
INPUTS = {"inputs": {"type": "object", "properties": {"id": {"type": "string"}}}}


@contextmanager
def receiving(folder):
    """Run the judge outside: it notes what it was told, before anything else."""
    with (folder / "journal").open("a+") as journal, Receiver(journal) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server, f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def call(base, mode, name, *after, wait_ms=30):
    url = f"{base}/{mode}/{{{{inputs.id}}}}/{name}?wait_ms={wait_ms}"
    params = {"method": "POST", "url": url, "json": {}}
    if mode == "keyed":
        params["idempotency"] = "receiver_honours_key"
    step = {"id": name, "type": "action", "plugin": "http", "action": "request", "params": params}
    return step | {"dependencies": list(after)}


def append(*after):
    params = {"table": "log", "rows": [{"id": "{{inputs.id}}"}]}
    step = {"id": "row", "type": "action", "plugin": "tables", "action": "append_rows"}
    return step | {"params": params, "dependencies": list(after)}


def counts(url):
    """Return how many rows each table has."""
    with psycopg.connect(
        db.dsn(url), options="-c role=pilot_owner -c app.maintain=on"
    ) as connection:
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        return {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608
            for (name,) in names
        }


@pytest.mark.capability(285)
def test_a_backup_under_load_goes_on_elsewhere_and_every_effect_counts_once(
    installed, elsewhere, world, tmp_path
):
    owner = world.operator.id
    table = folders.private(installed.data, owner) / "tables" / "log.csv"
    table.parent.mkdir(parents=True)
    table.write_text("id\n")
    with receiving(tmp_path) as (server, base):
        installed = replace(installed, egress_allow=(base.removeprefix("http://"),))
        elsewhere = replace(elsewhere, egress_allow=installed.egress_allow)
        steps = [call(base, "keyed", "a"), call(base, "keyed", "b", "a"), append("b")]
        keyed = make_agent(owner, [*steps, call(base, "keyed", "c", "row")], **INPUTS)
        once = make_agent(
            owner, [call(base, "keyed", "a"), call(base, "once", "pay", "a")], **INPUTS
        )
        path = tmp_path / "pilot.backup"
        with working(installed):
            safe = [start(keyed, owner, id=f"k{n}") for n in range(12)]
            risky = [start(once, owner, id=f"o{n}") for n in range(4)]
            anchors.Anchors(installed.data).append()
            wait_for(installed.database_url, safe[0], {"completed"})
            with server.lock:  # it answers nobody until the backup is made
                late = [start(keyed, owner, id=f"l{n}") for n in range(12)]
                late_risky = [start(once, owner, id=f"p{n}") for n in range(4)]
                made = backup.make(installed, path, by=BY)
            for one in [*safe, *risky, *late, *late_risky]:  # what is sent after the backup
                wait_for(installed.database_url, one, {"completed"})
        found = restore.restore(elsewhere, path, by=BY)
        assert found.settled.going_on >= 12
        assert found.settled.held_back >= 4
        db.configure(elsewhere.database_url)
        with working(elsewhere):
            for one in [*safe, *late]:
                assert wait_for(elsewhere.database_url, one)[0] == "completed"
            for one in [*risky, *late_risky]:
                status, _, _, reason = wait_for(elsewhere.database_url, one)
                assert (status, reason) in {("completed", None), ("needs_attention", "restored")}
        applied = [result for (mode, _), result in server.applied.items() if mode == "keyed"]
        assert len(applied) == 12 * 3 + 12 * 3 + 8
    paid = [line for line in (tmp_path / "journal").read_text().splitlines() if '"once"' in line]
    assert len(paid) == 8, "a once effect was repeated"
    rows = (folders.private(elsewhere.data, owner) / "tables" / "log.csv").read_text().split()
    assert len(rows) == len(set(rows)) == 25
    assert made.files >= 2
    assert found.warnings[0].startswith("The key that signed the audit trail's anchors")
    agrees_with_the_anchors(elsewhere)


def agrees_with_the_anchors(elsewhere):
    """Verify the restored trail against the anchors that came with it."""
    with db.reading(None, sees_all=True) as session:
        checked = anchors.check(
            next(elsewhere.data.glob("audit_anchors.*.jsonl")).read_text().splitlines()
        )
        assert checked.faults == []
        assert audit.verify(session, marks=checked.marks)[1] == []


@pytest.mark.capability(285)
def test_a_restore_has_every_row_and_stops_everything_of_before(
    installed, elsewhere, world, tmp_path, superuser
):
    owner, path = world.operator.id, tmp_path / "pilot.backup"
    world.operator.sign_in()
    base = "http://127.0.0.1:9"
    pays = make_agent(owner, [call(base, "once", "pay"), call(base, "keyed", "b", "pay")], **INPUTS)
    asked = start(pays, owner, id="1")
    superuser.execute("UPDATE execution SET status = 'running', fence = 1")
    superuser.execute(
        "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status, effect, "
        "key, input, fence, started_at) VALUES (%s, 'pay', 1, %s, 'action', 'running', 'once', "
        "gen_random_uuid(), '{}', 1, pilot_now())",
        [asked, owner],
    )
    rests = start(make_agent(owner, [{"id": "rest", "type": "delay", "for_s": 60}]), owner)
    worker, fence = claimed(installed.database_url)
    before = counts(installed.database_url)

    backup.make(installed, path, by=BY)
    assert path.stat().st_mode & 0o777 == 0o600
    assert installed.secret_keys[0].encode() not in path.read_bytes()
    found = restore.restore(elsewhere, path, by=BY)

    after = counts(elsewhere.database_url)
    assert {name for name in before if after[name] != before[name]} == {"audit", "event"}
    db.configure(elsewhere.database_url)
    with db.reading(None) as session:
        assert provider_keys.connection(session, "openai")["key"] == "sk-canary-0123456789abcdef"
    assert (found.settled.going_on, found.settled.held_back, found.settled.unknown) == (1, 1, 1)
    assert row(elsewhere.database_url, rests)[0] == "queued"
    writes_nothing(elsewhere.database_url, worker, rests, fence)
    answered(elsewhere.database_url, asked, owner)


def claimed(url):
    """Let a worker of before claim what is queued; gives it and its fence."""
    with psycopg.connect(db.dsn(url), options="-c role=pilot_app", autocommit=True) as connection:
        worker = connection.execute(
            "INSERT INTO worker (host, pid, version, lease_until) VALUES ('old', 1, '0', "
            "pilot_now() + interval '1 hour') RETURNING id"
        ).fetchone()[0]
        return worker, connection.execute(
            "SELECT fence FROM claim(%s, 1, 9, 9)", [worker]
        ).fetchone()[0]


def writes_nothing(url, worker, execution, fence):
    """Do what a worker of before does when it wakes up."""
    write = f'[{{"n":0,"id":"{execution}","fence":{fence},"events":0,"result":true}}]'
    with psycopg.connect(db.dsn(url), options="-c role=pilot_app", autocommit=True) as connection:
        told = connection.execute(
            "SELECT * FROM checkpoint(%s, %s, '[]', '[]', '[]', NULL)", [worker, write]
        )
        assert told.fetchall() == []
        assert connection.execute("SELECT claim(%s, 1, 9, 9)", [worker]).fetchall() == []
        beat = "UPDATE worker SET heartbeat_at = pilot_now() WHERE id = %s AND stopped_at IS NULL"
        assert connection.execute(beat, [worker]).rowcount == 0
        assert connection.execute("SELECT epoch FROM deployment").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM user_session WHERE ended_at IS NULL"
                                  ).fetchone() == (0,)  # fmt: skip


def answered(url, execution, owner):
    """Answer what became of the effect that was in flight."""
    assert row(url, execution)[0::3] == ("needs_attention", "restored")
    assert attempts(url, execution)[0][:3] == ("pay", 1, "unknown")
    with pytest.raises(ConflictError, match="Answer first"):
        executions.resume(execution, by=BY, user_id=owner)
    executions.answer(execution, "pay", "skip", by=BY, user_id=owner)
    assert row(url, execution)[0] == "queued"


def test_a_restore_that_was_cut_short_begins_anew(
    installed, elsewhere, world, tmp_path, monkeypatch
):
    path = tmp_path / "pilot.backup"
    kept = folders.private(installed.data, world.operator.id) / "tables" / "a.csv"
    kept.parent.mkdir(parents=True)
    kept.write_text("a\n")
    backup.make(installed, path, by=BY)
    with monkeypatch.context() as patch:
        patch.setattr(restore.schema, "clear", lambda _: 1 / 0)  # while files are there, rows not
        with pytest.raises(ZeroDivisionError):
            restore.restore(elsewhere, path, by=BY)
    with pytest.raises(ConfigError, match="pilot restore again"):
        installation.refuse_unfinished_restore(elsewhere.data)
    with monkeypatch.context() as patch:
        patch.setattr(restore.restoring, "settle", lambda **_: 1 / 0)  # the database is filled
        with pytest.raises(ZeroDivisionError):
            restore.restore(elsewhere, path, by=BY)
    assert restore.restore(elsewhere, path, by=BY).files == 1
    installation.refuse_unfinished_restore(elsewhere.data)
    assert (elsewhere.data / kept.relative_to(installed.data)).read_text() == "a\n"
    with pytest.raises(ConflictError, match="has people already"):
        restore.restore(elsewhere, path, by=BY)


def test_a_name_that_is_no_text_comes_back_as_it_was(tmp_path):
    odd, source = os.fsdecode(b"caf\xe9.csv"), tmp_path / "source"
    source.write_text("x")
    writer = archive.Writer(tmp_path / "odd")
    writer.add(archive.DUMP, source)
    writer.add(f"users/{odd}", source)
    writer.finish(archive.Manifest(1, ID, "", "", "", 18, [], "", writer.members))
    assert len(archive.check(tmp_path / "odd").members) == 2
    archive.unpack(tmp_path / "odd", "users/", tmp_path / "users")
    assert [one.name for one in (tmp_path / "users").iterdir()] == [odd]


def test_a_disk_or_a_file_that_fails_is_told(installed, elsewhere, world, tmp_path, monkeypatch):
    path = tmp_path / "pilot.backup"
    kept = folders.private(installed.data, world.operator.id) / "a.csv"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("a\n")

    def fails(error):
        def fail(*_):
            raise error

        return fail

    with monkeypatch.context() as patch:
        broken = OSError(errno.EIO, "Input/output error", str(kept))
        patch.setattr(backup, "_take", fails(broken))
        with pytest.raises(ConfigError, match=r"no backup: .*a\.csv cannot be used: Input"):
            backup.make(installed, path, by=BY)
    backup.make(installed, path, by=BY)
    with monkeypatch.context() as patch:
        full = OSError(errno.ENOSPC, "No space left on device")
        patch.setattr(restore.archive, "unpack", fails(full))
        with pytest.raises(ConfigError, match=r"No space left.*make room on its disk"):
            restore.restore(elsewhere, path, by=BY)
    assert restore.restore(elsewhere, path, by=BY).files == 1


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP])
def test_a_backup_that_is_stopped_leaves_nothing(installed, tmp_path, stop):
    folder = tmp_path / "backups"
    folder.mkdir()
    values = {
        "DATABASE_URL": installed.database_url,
        "PILOT_DATA": str(installed.data),
        "PILOT_FAILPOINT": "backup.during:1:sleep:60000",
    }
    command = [sys.executable, "-m", "pilot.cli", "backup", str(folder / "made")]
    heeded = ["env", "--default-signal=HUP", *command]  # nohup around the tests ignores it
    with subprocess.Popen(heeded, env=os.environ | values) as running:
        try:
            until(lambda: any(one.stat().st_size for one in folder.glob(".backup-*/*.dump")))
            running.send_signal(stop)
            assert running.wait(LONG_S) == 1
        finally:
            running.kill()
    assert list(folder.iterdir()) == []


def test_what_would_land_outside_is_refused(tmp_path):
    writer = archive.Writer(tmp_path / "bad")
    source = tmp_path / "source"
    source.write_text("x")
    writer.add(archive.DUMP, source)
    writer.add("users/../../escaped", source)
    writer.finish(archive.Manifest(1, ID, "", "", "", 18, [], "", writer.members))
    with pytest.raises(ConfigError, match="escaped"):
        archive.check(tmp_path / "bad")


WRONG = [None, 7, [], "x", {"database.dump": None}, {"database.dump": [-1, ""]}, True, 1.5]
NO_MEMBERS = [{"ghost": None}, {"a": 7}, {"a": ["1", ""]}, {"a": [True, ""]}, {"a": [1, "", 2]}]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("members", "id", "anchor_key") for value in WRONG),
        *(("members", value) for value in NO_MEMBERS),
        *(("members", {name: [1, ""]}) for name in ("/etc/x", "users/../../x", "")),
        ("id", "'; DROP TABLE app_user; --"),
        ("anchor_key", "../../x"),
        *((name, value) for name in ("made_at", "pilot", "schema") for value in (None, 7, [])),
        *(("postgres", value) for value in (None, "18", [])),
        *(("format", value) for value in (None, "1", [])),
        *(("secret_keys", value) for value in (None, "abc", [7], {})),
    ],
)
def test_a_manifest_of_another_shape_is_damaged(tmp_path, name, value):
    writer, source = archive.Writer(tmp_path / "bad"), tmp_path / "source"
    source.write_text("x")
    writer.add(archive.DUMP, source)
    manifest = archive.Manifest(1, ID, "", "", "", 18, [], "", writer.members)
    writer.finish(replace(manifest, **{name: value}))
    with pytest.raises(ConfigError, match="is damaged"):
        archive.check(tmp_path / "bad")


SPOILT = {
    "cut short|not complete": lambda held: held[: len(held) // 2],
    "damaged: database.dump": lambda held: held.replace(b"PGDMP", b"PGDMQ", 1),
    "is not a backup": lambda _: b"nothing",
    "newer Pilot \\(its schema": lambda held: held.replace(
        f'"schema":"{schema.head()}"'.encode(), b'"schema":"9999"'
    ),
}


def test_what_is_not_whole_is_no_backup(installed, tmp_path, monkeypatch, capsys):
    path, bad = tmp_path / "pilot.backup", tmp_path / "bad"
    with monkeypatch.context() as patch:
        patch.setattr(backup, "failpoint", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            backup.make(installed, path, by=BY)
    assert [one.name for one in tmp_path.iterdir()] == ["old"]
    backup.make(installed, path, by=BY)
    for told, spoil in SPOILT.items():
        bad.write_bytes(spoil(path.read_bytes()))
        with pytest.raises(ConfigError, match=told):
            restore.check(installed, bad)
    with pytest.raises(ConflictError, match="choose another name"):
        backup.make(installed, path, by=BY)

    for name, value in {
        "DATABASE_URL": installed.database_url,
        "REDIS_URL": installed.redis_url,
        "PILOT_DATA": str(installed.data),
        "PILOT_SECRET_KEYS": Fernet.generate_key().decode(),
    }.items():
        monkeypatch.setenv(name, value)
    assert cli.main(["restore", "--check", str(path)]) == 0
    told = capsys.readouterr()
    assert "It is whole." in told.out
    assert f"secret keys {archive.key_id(installed.secret_keys[0])} are not here" in told.err
    assert "secrets by name, secrets of webhooks, channels of notices" in told.err
    assert cli.main(["restore", "--yes", str(path)]) == 4
    assert "set PILOT_DATA to an empty folder" in capsys.readouterr().err
    assert cli.main(["backup", str(tmp_path / "second")]) == 0
    assert "Keys are NOT in it" in capsys.readouterr().out
