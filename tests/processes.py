"""Worker processes of tests: the real command on the test's servers, ended with the test."""

import os
import subprocess
import sys

import pytest

from pilot import jobs, progress


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
