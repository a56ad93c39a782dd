"""`pilot up` as a person starts it: real processes, real signals."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from pilot import cli, vault
from pilot.audit import Actor
from pilot.engine.secrets import secret_handles
from tests.pages import KEY
from tests.patience import LONG_S
from tests.servers import free_port, healthz

PILOT = [sys.executable, "-m", "pilot.cli"]
READY_S = 2 * LONG_S


class Installation:
    """A data folder, a port, and the lines that `pilot up` printed."""

    def __init__(self, folder: Path):
        self.data = folder / "data"
        self.out = folder / "out"
        self.environment = {**os.environ, "PILOT_DATA": str(self.data), "PILOT_PORT": free_port()}
        self.process = None

    @property
    def text(self):
        return self.out.read_text()

    @contextmanager
    def up(self, **popen):
        """Start and wait until it is ready; at the end kill what is left."""
        with self.out.open("w") as out:
            self.process = subprocess.Popen(
                [*PILOT, "up"], env=self.environment, stdout=out, stderr=out, **popen
            )
        try:
            self.wait(lambda: "Pilot runs at" in self.text or self.process.poll() is not None)
            assert self.status() == 200, self.text
            yield self
        finally:
            self.stop()

    def stop(self, by=signal.SIGTERM):
        with suppress(ProcessLookupError):
            self.process.send_signal(by)
        return self.process.wait(LONG_S)

    def wait(self, condition, seconds=READY_S):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.text
            time.sleep(0.05)

    def status(self):
        return healthz(self.environment["PILOT_PORT"])

    def children(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, word):
        for each in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # a zombie is one too
                if any(word in part for part in each.cmdline()):
                    return each
        return None

    def command(self, *arguments):
        return subprocess.run(
            [*PILOT, *arguments],
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=LONG_S,
        )


@pytest.fixture
def installations(tmp_path):
    """Give a function that makes an installation of its own; nothing of them stays."""
    made = []

    def make():
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Installation(folder))
        return made[-1]

    yield make
    for each in made:
        place = each.data / "postgres"
        if place.is_symlink():  # root's is below /var/lib/pilot
            shutil.rmtree(place.readlink().parent)


@pytest.mark.crash
def test_what_is_killed_comes_back_and_a_signal_stops_all_but_not_what_runs_beside(
    installations, subtests
):
    installation, beside = installations(), installations()
    with installation.up():
        link = re.search(r"http://127.0.0.1:\d+/first-run\S+", installation.text).group()
        with urlopen(link, timeout=LONG_S) as page:  # noqa: S310 - our own
            assert "Welcome to Pilot" in page.read().decode()
        children_come_back(installation, subtests)
        children = installation.children()
        installation.stop(signal.SIGKILL)
    installation.environment["PILOT_ADMIN_PASSWORD"] = "four unrelated words here"
    with installation.up(preexec_fn=ignore_interrupts):  # as a shell starts a script's job
        assert [each for each in children if each.is_running()] == []
        assert "Sign in as admin@localhost" in installation.text
        again = installation.command("up")
        assert again.returncode == 1
        assert re.fullmatch(r"pilot: Pilot already runs on .*PILOT_DATA.*\n", again.stderr)
        with beside.up():
            stopped_by(signal.SIGINT, installation)
            assert beside.status() == 200
            stopped_by(signal.SIGTERM, beside)


def children_come_back(installation, subtests):
    for word in ("worker", "gunicorn", "postgres", "valkey-server"):
        with subtests.test(killed=word):
            before = installation.child(word)
            before.kill()
            installation.wait(lambda w=word, b=before: installation.child(w) not in {None, b})
            installation.wait(lambda: installation.status() == 200)
    assert installation.command("doctor").returncode == 0


def stopped_by(number, installation):
    children = installation.children()
    assert installation.stop(number) == 0
    assert [each for each in children if each.is_running()] == []
    assert installation.text.endswith("Stopped.\n")


def ignore_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Give a function that starts Pilot with some environment and returns its one line."""

    def start(**environment):
        monkeypatch.setenv("PILOT_DATA", str(tmp_path / "data"))
        monkeypatch.setenv("PILOT_PORT", free_port())
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert cli.main(["up"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert len(err.splitlines()) == 1
        return err

    return start


def test_a_busy_port_is_one_line(refused):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert "set PILOT_PORT" in refused(PILOT_PORT=str(other.getsockname()[1]))


def test_a_folder_that_cannot_be_written_is_one_line(refused):
    assert "set PILOT_DATA" in refused(PILOT_DATA="/proc/pilot")


def test_a_folder_of_another_postgresql_is_one_line(refused, tmp_path):
    (tmp_path / "data" / "postgres").mkdir(parents=True)
    (tmp_path / "data" / "postgres" / "PG_VERSION").write_text("16\n")
    assert "pg_dump" in refused()


def test_a_database_that_does_not_answer_is_one_line(refused):
    line = refused(DATABASE_URL="postgresql://pilot@127.0.0.1:1/pilot")
    assert "unset it to use the embedded PostgreSQL" in line


def test_a_queue_that_does_not_answer_is_one_line(refused):
    assert "unset it to use the embedded Valkey" in refused(REDIS_URL="redis://127.0.0.1:1")


def test_a_superuser_as_login_is_one_line(refused, servers):
    assert "NOSUPERUSER" in refused(
        DATABASE_URL=servers.cluster.url("postgres"), REDIS_URL=servers.redis_url
    )


def test_a_key_that_went_away_is_one_line_while_something_is_sealed(
    refused, database, redis_url, world, tmp_path
):
    vault.configure((KEY,))
    secret_handles.put(
        "shop-key", "a-long-secret-value", ["a.test"], by=Actor("test"), user_id=world.operator.id
    )
    line = refused(DATABASE_URL=database, REDIS_URL=redis_url)
    assert "1 are sealed with one: put it back" in line
    assert not (tmp_path / "data" / "secret_keys").exists()


def test_an_open_address_without_https_is_one_line(refused):
    assert "PILOT_ALLOW_HTTP" in refused(PILOT_HOST="0.0.0.0")  # noqa: S104  refused
