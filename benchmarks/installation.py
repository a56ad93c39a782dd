"""Servers, a worker and executions to measure: durable as in production, in a database of their own."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic
from urllib.parse import urlsplit
from uuid import UUID

import psutil
import psycopg
from cryptography.fernet import Fernet
from flask import Flask
from werkzeug.serving import make_server

from pilot import db, jobs, progress, vault
from pilot.audit import Actor
from pilot.engine.life import starts
from pilot.engine.people import users
from tests import servers, world
from tests.engine.worker_process import make_agent, switch_on
from tests.peer.fixture import PeerProcess

GIVE_UP_S = 60
# A package that only tests need brings rich, which structlog loads where it finds it.
ABSENT = Path(__file__).parent / "absent"
NOOP = {"type": "transform", "input": "inputs.rows", "operation": "limit", "config": {"count": 100}}
ROWS = [{"name": f"row {n}", "text": "x" * 73} for n in range(10)]  # 1 KB as JSON


def pause(seconds: float) -> None:
    """Let others work."""
    Event().wait(seconds)


def as_installed(**values: str) -> dict[str, str]:
    """Return the environment of a process as customers run it.

    It may keep its compiled code, and finds no packages that only developers have.
    """
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    found = [str(ABSENT), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(found)} | values


@dataclass(frozen=True)
class Installation:
    """A migrated database with fsync on, a queue, one owner, Pilot switched on."""

    database_url: str
    superuser_url: str  # of the same database, to probe the disk with tables of one's own
    redis_url: str
    owner: UUID
    folder: Path

    def agent(self, *steps: dict, **document: object) -> UUID:
        """Save an agent with these steps."""
        return make_agent(self.owner, list(steps), **document)

    def noop_agent(self, steps: int = 10) -> UUID:
        """Save an agent whose steps each depend on the one before and give 1 KB of output."""
        chain = [
            NOOP | {"id": f"s{n}", "dependencies": [f"s{n - 1}"] if n else []} for n in range(steps)
        ]
        inputs = {"type": "object", "properties": {"rows": {"type": "array"}}}
        return self.agent(*chain, inputs=inputs)

    def start(self, agent_id: UUID, **inputs: object) -> UUID:
        """Start an execution as its owner."""
        asked = starts.Start(inputs=inputs)
        return starts.start(agent_id, asked, by=Actor(f"user:{self.owner}"), user_id=self.owner)

    @contextmanager
    def worker(self, **more: str) -> Iterator[psutil.Process]:
        """Run one worker process, with more in its environment."""
        environment = as_installed(
            DATABASE_URL=self.database_url,
            REDIS_URL=self.redis_url,
            PILOT_DATA=str(self.folder / "data"),
            **more,
        )
        with (self.folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pilot.cli", "worker"],
                env=environment,
                stdout=log,
                stderr=log,
            )
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)

    @contextmanager
    def looking(self) -> Iterator["Looking"]:
        """Open a connection that sees all rows."""
        with psycopg.connect(
            db.dsn(self.database_url), autocommit=True, options="-c role=pilot_app"
        ) as connection:
            connection.execute("SELECT set_config('app.sees_all', 'on', false)")
            yield Looking(connection)


@dataclass(frozen=True)
class Looking:
    """Reads how executions stand, and holds the workers' gate."""

    connection: psycopg.Connection

    def one(self, statement: str, *values: object) -> tuple:
        """Return the first row."""
        return self.connection.execute(statement, values, prepare=True).fetchone()

    def wait_until(self, statement: str, *values: object, every_s: float = 0.001) -> None:
        """Ask again until the answer is true."""
        end = monotonic() + GIVE_UP_S
        while not self.one(statement, *values)[0]:
            if monotonic() > end:
                raise TimeoutError(f"still not: {statement} {values}")
            pause(every_s)

    def wait_for_worker(self) -> None:
        """Wait until a worker lives."""
        self.wait_until(
            "SELECT count(*) > 0 FROM worker WHERE stopped_at IS NULL AND heartbeat_at > started_at"
        )

    def wait_done(self, agent_id: UUID, count: int, every_s: float = 0.01) -> None:
        """Wait until `count` executions of an agent are completed; others are an error."""
        self.wait_until(
            "SELECT count(*) >= %s FROM execution WHERE agent_id = %s AND finished_at IS NOT NULL",
            count,
            agent_id,
            every_s=every_s,
        )
        others = self.one(
            "SELECT count(*) FROM execution WHERE agent_id = %s AND status <> 'completed'", agent_id
        )
        if others[0]:
            raise AssertionError(f"{others[0]} executions did not complete")

    def wait_finished(self, execution_id: UUID) -> None:
        """Wait until one execution has ended, at little cost for what it competes with."""
        self.wait_until("SELECT finished_at IS NOT NULL FROM execution WHERE id = %s", execution_id)

    def close_gate(self) -> None:
        """Let no worker claim anything."""
        self.connection.execute("UPDATE worker SET draining = true")

    def open_gate(self, execution_id: UUID) -> None:
        """Let workers claim, and ring."""
        self.connection.execute("UPDATE worker SET draining = false")
        jobs.ring_now(execution_id)


@contextmanager
def installed() -> Iterator[Installation]:
    """Start servers that keep what they commit (fsync on), with an owner and Pilot on."""
    folder = Path(tempfile.mkdtemp(prefix="pilot-bench-"))
    try:
        with servers.running({}) as running, running.database() as url:
            engine = db.configure(url)
            jobs.configure(running.redis_url)
            progress.configure(running.redis_url)
            switch_on()
            owner = world.person("owner", "operator").id
            superuser_url = running.cluster.url(urlsplit(url).path.strip("/"))
            yield Installation(url, superuser_url, running.redis_url, owner, folder)
            engine.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def peer_of(pilot: Installation) -> Iterator[PeerProcess]:
    """Run a peer that stands for providers; their keys are sealed, also for workers begun now."""
    key = Fernet.generate_key().decode()
    vault.configure([key])
    os.environ["PILOT_SECRET_KEYS"] = key
    peer = PeerProcess(pilot.folder / "bill.jsonl")
    try:
        yield peer
    finally:
        peer.close()


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve the application on a real port of this machine; gives its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()


def peak_mb(process: psutil.Process) -> float:
    """Return the most memory that a process has held."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError("VmHWM")


def sign_in(name: str) -> str:
    """Return a session token of one of these people, who all have the password of tests."""
    origin = users.Origin("127.0.0.1", "benchmark")
    return users.authenticate(f"{name}@pilot.test", world.PASSWORD, origin)
