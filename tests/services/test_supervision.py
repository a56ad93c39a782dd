import signal
import sys
import time

import pytest

from pilot.errors import ConfigError
from pilot.services import processes, supervision
from pilot.services.supervision import Part, Supervisor
from tests.patience import LONG_S

NAP = "import time; time.sleep(60)"


@pytest.fixture
def supervisor():
    watching = Supervisor(processes.Signals())
    yield watching
    watching.stop()
    watching.signals.close()


def part(tmp_path, name, code=NAP, stopped=None):
    command = processes.Command([sys.executable, "-c", code], signal.SIGTERM, tmp_path / "log")

    def stop(process):
        processes.stop(process, signal.SIGKILL, 5)
        if stopped is not None:
            stopped.append(name)

    return Part(name, lambda: processes.start(command), stop)


def watch_until(supervisor, condition):
    deadline = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline
        supervisor.watch(0.05)


def test_a_killed_part_comes_back_as_another_process(supervisor, tmp_path):
    mine = part(tmp_path, "worker")
    supervisor.add(mine)
    before = mine.process
    before.kill()
    before.wait()
    watch_until(supervisor, lambda: mine.process is not before)
    assert not mine.is_down()


def test_a_part_that_keeps_dying_waits_longer_each_time(supervisor, tmp_path, monkeypatch):
    monkeypatch.setattr(supervision, "FIRST_PAUSE_S", 0.01)
    mine = part(tmp_path, "web", "raise SystemExit(3)")
    supervisor.add(mine)
    watch_until(supervisor, lambda: mine.deaths >= 3)
    pauses = []
    for deaths in range(20):
        mine.deaths = deaths
        pauses.append(mine.pause_s())
    assert pauses == sorted(pauses)
    assert pauses[-1] == supervision.LONGEST_PAUSE_S


def test_a_part_that_lived_long_starts_again_soon(supervisor, tmp_path, monkeypatch):
    monkeypatch.setattr(supervision, "HEALTHY_S", 0.0)
    mine = part(tmp_path, "web", "pass")
    supervisor.add(mine)
    mine.deaths = 9
    mine.process.wait()
    supervisor.watch(0.01)
    assert mine.deaths == 0


def test_a_server_that_does_not_start_again_is_tried_on(supervisor, tmp_path):
    mine = part(tmp_path, "postgres")
    supervisor.add(mine)
    again, attempts = mine.start, []

    def failing():
        attempts.append(1)
        if len(attempts) == 1:
            raise ConfigError("the disk is full")
        return again()

    mine.start = failing
    mine.process.kill()
    mine.process.wait()
    watch_until(supervisor, lambda: len(attempts) == 2)
    assert not mine.is_down()


def test_parts_stop_in_the_reverse_order_of_their_start(supervisor, tmp_path):
    stopped = []
    for name in ("postgres", "valkey", "worker", "web"):
        supervisor.add(part(tmp_path, name, stopped=stopped))
    supervisor.stop()
    assert stopped == ["web", "worker", "valkey", "postgres"]


def test_nothing_starts_after_a_signal(supervisor, tmp_path):
    supervisor.signals.stopping = True
    with pytest.raises(processes.StopRequestedError):
        supervisor.add(part(tmp_path, "web"))
    assert supervisor.parts == []
