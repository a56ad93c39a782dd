"""The laboratory: slots with databases of their own, a receiver outside, trials side by side."""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pilot import strictjson
from tests.servers import short_folder

SLOTS = 4
ROOT = Path(__file__).parents[2]


@contextmanager
def receiving(journal):
    """Run the receiver in a process of its own; gives its address."""
    command = [sys.executable, str(Path(__file__).with_name("receiver.py")), str(journal)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


@pytest.fixture
def laboratory(servers):
    """Give a function that runs trials and fails with everything that went wrong."""
    folder = short_folder()
    yield lambda trials, slots=SLOTS: run(servers, folder, trials, slots)
    shutil.rmtree(folder)


def run(servers, folder, trials, slots):
    journal = folder / "journal"
    journal.touch()
    asked = [one | {"n": n} for n, one in enumerate(trials)]
    with ExitStack() as stack:
        base = stack.enter_context(receiving(journal))
        places = []
        for number in range(slots):
            (folder / f"slot{number}").mkdir()
            places.append(
                {
                    "database": stack.enter_context(servers.database()),
                    "redis": f"{servers.redis_url}?db={number + 1}",
                    "folder": str(folder / f"slot{number}"),
                    "base": base,
                    "journal": str(journal),
                }
            )
        lines = in_laboratory({"places": places, "trials": asked}, folder)
    results = [strictjson.loads(line) for line in lines]
    assert {one["n"] for one in results} == {*range(-1, len(asked))}, "a slot died"
    found = [
        "\n  ".join([str(asked[one["n"]] if one["n"] >= 0 else "uninterrupted"), *one["faults"]])
        for one in results
        if one["faults"]
    ]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def in_laboratory(asked, folder):
    ended = subprocess.run(
        [sys.executable, "-m", "tests.crash.lab"],
        input=strictjson.dumps(asked),
        capture_output=True,
        check=False,
        text=True,
        cwd=ROOT,
        timeout=400,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    kept = os.environ.get("CRASH_LOGS")
    if kept:
        shutil.copytree(folder, kept, dirs_exist_ok=True)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return ended.stdout.splitlines()
