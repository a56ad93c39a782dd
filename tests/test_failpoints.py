import os
import subprocess
import sys
import time

import pytest

from tests.patience import LONG_S

ON_TESTS = "postgresql://pilot@/pilot_test_1"
PASS_TWICE = """
from pilot.failpoints import failpoint
for number in range(3):
    failpoint("other")
    failpoint("mine")
    print(number, flush=True)
"""


def run(point, url=ON_TESTS):
    environment = {"PATH": os.environ["PATH"], "PILOT_FAILPOINT": point, "DATABASE_URL": url}
    return subprocess.run(
        [sys.executable, "-c", PASS_TWICE],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=LONG_S,
    )


@pytest.mark.parametrize(("action", "code"), [("kill9", -9), ("exit", 70), ("raise", 1)])
def test_the_armed_pass_ends_the_process(action, code):
    ended = run(f"mine:2:{action}")
    assert ended.returncode == code
    assert ended.stdout.split() == ["0"]


def test_without_a_test_database_nothing_happens():
    ended = run("mine:1:kill9", "postgresql://pilot@/pilot")
    assert ended.returncode == 0
    assert ended.stdout.split() == ["0", "1", "2"]


def test_other_points_are_not_counted():
    assert run("unknown:1:kill9").returncode == 0


def test_a_sleeping_point_delays():
    started = time.monotonic()
    assert run("mine:1:sleep:700").returncode == 0
    assert time.monotonic() - started >= 0.7


def test_a_stopped_process_goes_on_when_it_is_told_to():
    environment = {"PILOT_FAILPOINT": "mine:2:stop", "DATABASE_URL": ON_TESTS}
    command = [sys.executable, "-c", PASS_TWICE]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(18)  # SIGCONT
        assert process.communicate(timeout=LONG_S)[0].split() == ["0", "1", "2"]


@pytest.mark.parametrize("text", ["mine", "mine:x:kill9", "mine:1:explode", "mine:1:sleep", ":1:"])
def test_a_malformed_point_is_an_error_not_a_silent_pass(text):
    ended = run(text)
    assert ended.returncode == 1
    assert "PILOT_FAILPOINT" in ended.stderr
