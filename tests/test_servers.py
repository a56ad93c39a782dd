"""Where the databases of the tests are."""

import os
import subprocess

from tests import servers


def test_what_killed_sessions_left_in_memory_is_removed(tmp_path, monkeypatch):
    ended = subprocess.Popen(["true"])  # noqa: S607
    ended.wait()
    ours, left, others = (
        tmp_path / name
        for name in (f"pilot-test-{os.getpid()}-a", f"pilot-test-{ended.pid}-a", "pilot-test-a")
    )
    for folder in (ours, left, others):
        folder.mkdir()
    monkeypatch.setattr(servers, "MEMORY", tmp_path)
    monkeypatch.setattr(servers, "MEMORY_BYTES", 0)
    assert servers.fastest() == tmp_path
    assert sorted(tmp_path.iterdir()) == sorted((ours, others))


def test_databases_are_on_disk_where_memory_has_no_room(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "MEMORY", tmp_path)
    monkeypatch.setattr(servers, "MEMORY_BYTES", 2**80)
    assert servers.fastest() == servers.DISK
    monkeypatch.setattr(servers, "MEMORY", tmp_path / "missing")
    assert servers.fastest() == servers.DISK
