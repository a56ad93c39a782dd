"""The two commands of the README, in a fresh copy of the repository."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from tests.patience import LONG_S
from tests.servers import free_port, healthz
from tests.test_repository import ROOT, files


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Give a folder with the files of the repository and nothing else."""
    folder = tmp_path_factory.mktemp("copy")
    for path in files():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    yield folder
    place = folder / "data" / "postgres"
    if place.is_symlink():
        shutil.rmtree(place.readlink().parent)


@pytest.mark.crash
@pytest.mark.capability(276)
def test_make_run_starts_pilot_on_a_bare_machine(copy):
    port = free_port()
    with (copy / "out").open("w") as out:
        make = subprocess.Popen(
            ["make", "run"],  # noqa: S607
            cwd=copy,
            env={**_shell(), "PILOT_PORT": port, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=out,
            stderr=out,
            process_group=0,
        )
    deadline = time.monotonic() + 600
    while healthz(port) != 200 and make.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    ready = healthz(port)
    time.sleep(0.5)
    os.killpg(make.pid, signal.SIGINT)  # what a terminal's Ctrl+C does
    make.wait(LONG_S)
    text = (copy / "out").read_text()
    assert ready == 200, text
    assert f"Pilot runs at http://127.0.0.1:{port}" in text
    assert "/first-run?token=" in text
    assert "Stopped." in text
    assert healthz(port) is None
    assert list((copy / "pilot").rglob("*.pyc"))  # the next start need not compile it again


@pytest.mark.crash
@pytest.mark.capability(173, 276)
def test_make_test_sets_up_and_ends_with_the_summary(copy):
    ended = subprocess.run(
        ["make", "test"],  # noqa: S607
        cwd=copy,
        env={**_shell(), "PYTEST_ADDOPTS": "tests/test_config.py", "JOBS": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"\d+ passed in [\d.]+s", ended.stdout.splitlines()[-1])


def _shell():
    """Return the environment without what a calling make adds to it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
