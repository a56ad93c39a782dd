import os
import shutil
import signal
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from pilot.errors import ConfigError
from pilot.services import binaries, postgres, processes
from tests.patience import LONG_S
from tests.servers import short_folder

pytestmark = pytest.mark.long


@pytest.fixture
def signals():
    silent = processes.Signals()
    yield silent
    silent.close()


@pytest.fixture
def cluster():
    folder = short_folder()
    settings = tuple(postgres.FOR_TESTS.items())
    yield postgres.Cluster(
        folder / "place" / "data", folder / "run", folder / "postgres.log", settings
    )
    shutil.rmtree(folder)


@pytest.fixture
def shared(monkeypatch):
    """Give a folder in the place of /var/lib/pilot, and a home that uses it."""
    folder = short_folder()
    monkeypatch.setattr(binaries, "SHARED", folder)
    yield folder / "home"
    shutil.rmtree(folder)


def ask(cluster, statement):
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        return connection.execute(statement).fetchone()[0]


@contextmanager
def serving(cluster, signals):
    server = postgres.start(cluster, signals)
    try:
        yield server
    finally:
        postgres.stop(server)


def test_a_stopped_server_keeps_its_rows(cluster, signals):
    with serving(cluster, signals) as server:
        assert ask(cluster, "SELECT lo_create(77)") == 77
    assert server.returncode == 0
    with serving(cluster, signals):
        assert ask(cluster, "SELECT oid FROM pg_largeobject_metadata") == 77


def test_a_killed_server_starts_again_while_its_children_still_end(cluster, signals):
    with serving(cluster, signals) as server:
        os.kill(server.pid, signal.SIGKILL)
        server.wait(LONG_S)
        with serving(cluster, signals):
            assert ask(cluster, "SELECT 1") == 1


@pytest.mark.parametrize("sockets", ["run", "place"])
def test_a_server_that_others_started_on_the_folder_is_named(
    cluster, signals, monkeypatch, sockets
):
    """Also where it answers in the place of our own, as one that `pg_ctl restart` started."""
    monkeypatch.setattr(postgres, "START_S", 0.5)
    ours = replace(cluster, sockets=cluster.data.parent.parent / sockets)
    with serving(cluster, signals) as other:
        with pytest.raises(ConfigError, match=rf"kill -INT {other.pid}\)"):
            postgres.start(ours, signals)
        assert ask(cluster, "SELECT 1") == 1


def test_a_folder_left_half_made_is_made_anew(cluster, signals):
    unfinished = cluster.data.with_name("data.new")
    unfinished.mkdir()
    (unfinished / "rubbish").write_text("x")
    postgres.stop(postgres.start(cluster, signals))
    assert not unfinished.exists()


def test_nobody_else_of_this_machine_gets_in(cluster, signals):
    with serving(cluster, signals):
        assert ask(cluster, "SHOW listen_addresses") == ""
        rules = (cluster.data / "pg_hba.conf").read_text()
        assert rules == "local all all peer map=pilot\n"


def test_a_setting_that_postgres_refuses_is_one_line(cluster, signals):
    wrong = postgres.Cluster(
        cluster.data, cluster.sockets, cluster.log, (("fsync", "off"), ("max_connections", "x"))
    )
    with pytest.raises(ConfigError, match=r"does not start.*max_connections") as caught:
        postgres.start(wrong, signals)
    assert "\n" not in caught.value.message


def test_a_signal_during_the_start_leaves_no_server(cluster, signals):
    signals.stopping = True
    with pytest.raises(processes.StopRequestedError):
        postgres.start(cluster, signals)
    assert not (cluster.data / "postmaster.pid").exists()


def test_the_folders_of_a_home_are_found_again(shared):
    cluster = postgres.prepare_folders(shared)
    assert postgres.prepare_folders(shared) == cluster
    assert (shared / "sockets").resolve() == cluster.sockets
    assert len(os.fsencode(cluster.sockets)) < postgres.SOCKET_BYTES


def test_sockets_of_a_deep_home_are_put_in_a_short_private_folder(shared):
    cluster = postgres.prepare_folders(shared / ("d" * 90))
    assert len(os.fsencode(cluster.sockets)) < postgres.SOCKET_BYTES
    assert cluster.sockets.stat().st_mode & 0o077 == 0
    shutil.rmtree(cluster.sockets)


def test_a_home_of_another_major_version_is_refused(shared):
    (shared / "postgres").mkdir(parents=True)
    (shared / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigError, match=r"PostgreSQL 16, this Pilot brings 18.*PILOT_DATA"):
        postgres.prepare_folders(shared)


def test_a_home_in_the_place_of_a_file_is_refused(shared):
    shared.write_text("a file")
    with pytest.raises(ConfigError, match="cannot be used"):
        postgres.prepare_folders(shared)
