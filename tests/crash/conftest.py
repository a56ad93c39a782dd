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


@pytest.fixture(scope="session")
def laboratory(servers):
    """Give a function that runs trials and fails with everything that went wrong."""
    folder = short_folder()
    with ExitStack() as stack:
        process = stack.enter_context(_laboratory(servers, folder, stack))
        for _ in range(SLOTS):
            _answer(process)  # they are ready
        yield lambda trials: run(process, trials)
    kept = os.environ.get("CRASH_LOGS")
    if kept:
        shutil.copytree(folder, kept, dirs_exist_ok=True)
    shutil.rmtree(folder)


@contextmanager
def _laboratory(servers, folder, stack):
    journal = folder / "journal"
    journal.touch()
    base = stack.enter_context(_receiving(journal))
    places = []
    for number in range(SLOTS):
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
    with subprocess.Popen(
        [sys.executable, "-m", "tests.crash.lab"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        _tell(process, places)
        yield process
        process.stdin.close()
        process.wait(120)


@contextmanager
def _receiving(journal):
    """Run the receiver in a process of its own; gives its address."""
    command = [sys.executable, str(Path(__file__).with_name("receiver.py")), str(journal)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def run(process, trials):
    """Run trials side by side."""
    asked = [one | {"n": n} for n, one in enumerate(trials)]
    _tell(process, asked)
    _judged([_answer(process) for _ in asked], asked)


def _tell(process, facts):
    process.stdin.write(strictjson.dumps(facts) + "\n")
    process.stdin.flush()


def _answer(process):
    line = process.stdout.readline()
    assert line, "the laboratory ended: see its messages"
    return strictjson.loads(line)


def _judged(results, asked):
    found = [
        "\n  ".join([str(asked[one["n"]]), *one["faults"]]) for one in results if one["faults"]
    ]
    if found:
        pytest.fail("\n".join(found), pytrace=False)
