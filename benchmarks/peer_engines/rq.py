"""RQ: one job an execution, which commits each step's output to PostgreSQL, in one worker process.

`python -m benchmarks.peer_engines.rq work REDIS DATABASE` is the worker;
`python -m benchmarks.peer_engines.rq drive PORT REDIS DATABASE PROCESS` answers the benchmark at
PORT: it queues the jobs, and holds the worker's process meanwhile.
"""

import json
import os
import sys
from functools import cache
from time import perf_counter
from uuid import uuid4

import psycopg
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.results import Result

from benchmarks.peer_engines.answering import answer, held

GIVE_UP_S = 60
JOBS = "benchmarks.peer_engines.rq"  # this module's name in the worker
TABLE = "CREATE TABLE checkpoint (execution text, step int, output json, UNIQUE (execution, step))"


@cache
def database() -> psycopg.Connection:
    """Return the worker's connection."""
    return psycopg.connect(os.environ["CHECKPOINTS"], autocommit=True, prepare_threshold=0)


def save(execution: str, step: int, output: object) -> None:
    """Commit one step's output."""
    statement = "INSERT INTO checkpoint VALUES (%s, %s, %s)"
    database().execute(statement, (execution, step, json.dumps(output)))


def chain(execution: str, steps: int, rows: list) -> None:
    """Run steps one after the other: 1 KB of input, 1 KB of output."""
    for n in range(steps):
        rows = rows[:100]
        save(execution, n, rows)


class Driver:
    """Queues jobs."""

    def __init__(self, queue: Queue, process: int) -> None:
        self.queue, self.process = queue, process

    def one(self, steps: int, rows: list) -> float:
        """Time one execution of a chain, from queueing it to its end."""
        begun = perf_counter()
        finish(self.queue.enqueue(f"{JOBS}.chain", uuid4().hex, steps, rows))
        return perf_counter() - begun

    def at_once(self, executions: int, steps: int, rows: list) -> float:
        """Time so many executions of a chain."""
        return self.queued("chain", [(uuid4().hex, steps, rows) for _ in range(executions)])

    def items(self, items: list) -> float:
        """Time a job for each item."""
        execution = uuid4().hex
        return self.queued("save", [(execution, n, item) for n, item in enumerate(items)])

    def queued(self, function: str, arguments: list[tuple]) -> float:
        """Queue jobs while nothing runs them; return the seconds from then to their end."""
        with held(self.process), self.queue.connection.pipeline() as pipeline:
            jobs = self.queue.enqueue_many(
                [Queue.prepare_data(f"{JOBS}.{function}", one) for one in arguments], pipeline
            )
            pipeline.execute()
        begun = perf_counter()
        finish(jobs[-1])
        seconds = perf_counter() - begun
        if self.queue.failed_job_registry.count:
            raise RuntimeError("a job failed")
        return seconds


def finish(job: Job) -> None:
    """Wait for the end of a job; one worker takes them in their order."""
    result = job.latest_result(timeout=GIVE_UP_S)
    if result is None or result.type != Result.Type.SUCCESSFUL:
        raise RuntimeError(f"a job ended with {result}")


def main() -> None:
    """Work, or answer the benchmark."""
    role, *others = sys.argv[1:]
    if role == "work":
        redis, os.environ["CHECKPOINTS"] = others
        queue = Queue("bench", connection=Redis.from_url(redis))
        SimpleWorker([queue], connection=queue.connection).work(logging_level="ERROR")
    else:
        port, redis, checkpoints, process = others
        with psycopg.connect(checkpoints) as connection:
            connection.execute(TABLE)
        patient = Redis.from_url(redis, socket_timeout=None)  # its default gives up after 5 s
        driver = Driver(Queue("bench", connection=patient), int(process))
        works = {"one": driver.one, "at_once": driver.at_once, "items": driver.items}
        answer(int(port), works)


if __name__ == "__main__":
    main()
