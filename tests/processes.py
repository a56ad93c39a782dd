"""Worker processes of tests: the real command on the test's servers, ended with the test."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from pilot import cli, config, jobs, progress

# They are forked of a process that has imported all of this once: that takes seconds.
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["pilot.worker", __name__])


def run_until_killed(**values: str) -> None:
    """Run a worker with this environment, whose `PILOT_FAILPOINT` kills it."""
    process = FORKING.Process(target=_work, args=(config.child_environment(values),))
    process.start()
    process.join(60)
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
