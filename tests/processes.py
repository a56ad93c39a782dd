"""Worker processes of tests: the real command on the test's servers, ended with the test."""

import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing.context import ForkServerProcess

import pytest

from pilot import cli, config, jobs, progress
from tests.patience import LONG_S

# They are forked of a process that has imported all of this once: that takes seconds.
FORKING = multiprocessing.get_context("forkserver")
ASKING = "pilot.engine.generation.asking"  # what a worker loads with its first goal
FORKING.set_forkserver_preload(["pilot.worker", ASKING, __name__])


def start_worker(environment: dict[str, str]) -> ForkServerProcess:
    """Start a worker with this environment and nothing else in it."""
    process = FORKING.Process(target=_work, args=(environment,))
    process.start()
    return process


def run_until_killed(**values: str) -> None:
    """Run a worker with this environment, whose `PILOT_FAILPOINT` kills it."""
    process = start_worker(config.child_environment(values))
    process.join(LONG_S)
    code = process.exitcode
    process.kill()
    assert code == -signal.SIGKILL, f"the worker ended with {code}"


def _work(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os._exit(cli.main(["worker"]))


@pytest.fixture
def worker_process(database, redis_url, tmp_path):
    """Give `worker_process()`: a new `pilot worker` on this test's database."""
    jobs.configure(redis_url)
    progress.configure(redis_url)
    running = []
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "PILOT_DATA": str(tmp_path),
    }

    def worker_process(**more) -> subprocess.Popen:
        command = [sys.executable, "-m", "pilot.cli", "worker"]
        process = subprocess.Popen(command, env=environment | more)
        running.append(process)
        return process

    yield worker_process
    for process in running:
        process.kill()
        process.wait()
