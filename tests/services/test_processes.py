import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from pilot.errors import ConfigError
from pilot.services import processes
from tests.patience import LONG_S

NAP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(60)"


def command(tmp_path, code, **more):
    return processes.Command(
        [sys.executable, "-u", "-c", code], signal.SIGTERM, tmp_path / "log", **more
    )


@pytest.fixture
def signals():
    listening = processes.Signals()
    listening.install()
    yield listening
    listening.uninstall()


def test_a_child_is_in_a_process_group_of_its_own(tmp_path):
    child = processes.start(command(tmp_path, NAP))
    try:
        assert os.getpgid(child.pid) == child.pid != os.getpgrp()
    finally:
        processes.stop(child, signal.SIGTERM, 5)
    assert child.returncode == -signal.SIGTERM


def test_a_deaf_child_is_killed_after_its_grace(tmp_path):
    child = processes.start(command(tmp_path, DEAF))
    while not (tmp_path / "log").read_text():
        time.sleep(0.02)
    processes.stop(child, signal.SIGTERM, 0.2)
    assert child.returncode == -signal.SIGKILL


def test_a_child_dies_with_its_parent(tmp_path):
    code = (
        "import signal, sys, time; from pathlib import Path; from pilot.services import processes;"
        f"child = processes.start(processes.Command([sys.executable, '-c', {NAP!r}],"
        f" signal.SIGTERM, Path({str(tmp_path / 'log')!r}))); print(child.pid, flush=True);"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(LONG_S)


def test_a_child_hears_the_signals_that_its_parent_ignores(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under `make run &` in a script
    try:
        child = processes.start(command(tmp_path, NAP))
        child.send_signal(signal.SIGINT)
        assert child.wait(LONG_S) != 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_only_the_main_thread_starts_servers(tmp_path):
    caught = []

    def attempt():
        with pytest.raises(ConfigError) as error:
            processes.start(command(tmp_path, NAP))
        caught.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert caught


def test_a_program_that_is_missing_is_one_line(tmp_path):
    wanted = processes.Command(["/no/such/program"], signal.SIGTERM, tmp_path / "log")
    with pytest.raises(ConfigError, match="/no/such/program cannot be started"):
        processes.start(wanted)


def test_a_long_log_becomes_the_older_one(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "LOG_BYTES", 10)
    (tmp_path / "log").write_text("longer than ten bytes")
    processes.start(command(tmp_path, "print('new')")).wait(LONG_S)
    assert (tmp_path / "log").read_text() == "new\n"
    assert (tmp_path / "log.1").read_text() == "longer than ten bytes"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_wait_at_once(signals, number):
    threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
    started = time.monotonic()
    with pytest.raises(processes.StopRequestedError):
        signals.wait(20)
    assert time.monotonic() - started < 15


def test_a_signal_before_the_wait_is_not_lost(signals):
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(processes.StopRequestedError):
        signals.wait(20)


def test_an_ended_child_ends_the_wait_without_stopping(signals, tmp_path):
    child = processes.start(command(tmp_path, "pass"))
    started = time.monotonic()
    signals.wait(20)
    assert time.monotonic() - started < 15
    child.wait(LONG_S)
