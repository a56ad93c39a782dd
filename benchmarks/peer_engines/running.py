"""The benchmark's side of the line: the peers that are installed, running while it measures."""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TextIO

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.installation import GIVE_UP_S, Installation, as_installed
from pilot import db, strictjson
from pilot.services import processes
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
RESTATE_SERVER = "node_modules/@restatedev/restate-server-*/bin/restate-server"
QUIETLY = {"DO_NOT_TRACK": "1", "RESTATE_DISABLE_TELEMETRY": "true", "LANGSMITH_TRACING": "false"}


@dataclass(frozen=True)
class Peer:
    """A peer that is ready to work."""

    title: str
    lacks: frozenset[str]  # the works that it is not asked for
    talk: TextIO
    log: Path

    def seconds(self, work: str, **numbers: object) -> float:
        """Let it work; returns how long it took, by its own clock.

        Raises:
            RuntimeError: it ended instead.
        """
        print(json.dumps(numbers | {"work": work}), file=self.talk, flush=True)
        reply = self.talk.readline()
        if not reply:
            raise RuntimeError(f"{self.title} ended: {processes.last_line(self.log)}")
        return strictjson.loads(reply)


@dataclass(frozen=True)
class Home:
    """One peer's packages, the folder it writes to, and the processes that end with it."""

    name: str
    packages: Path
    written: Path
    running: ExitStack

    @property
    def program(self) -> list[str | Path]:
        """The peer's interpreter with the peer's program."""
        return [self.packages / "bin/python", "-m", f"benchmarks.peer_engines.{self.name}"]

    def start(self, log: str, *arguments: object, **environment: str) -> processes.Process:
        """Start a process that ends with the benchmark, however that ends."""
        command = processes.Command(
            [str(one) for one in arguments],
            signal.SIGKILL,
            self.written / log,
            as_installed(**QUIETLY, **environment),
            folder=ROOT,
        )
        process = processes.start(command)
        self.running.callback(processes.stop, process, signal.SIGKILL, GIVE_UP_S)
        return process

    def driven(self, title: str, *role: str, by: tuple, lacks: frozenset = frozenset()) -> Peer:
        """Start the program that answers the benchmark; returns when it is ready.

        Raises:
            RuntimeError: it does not become ready.
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            log = self.written / "driver.log"
            port = server.getsockname()[1]
            process = self.start(log.name, *self.program, *role, port, *by)
            line = _accepted(server, process)
        if line is None:
            raise RuntimeError(f"{title} does not start: {processes.last_line(log)}")
        line.settimeout(GIVE_UP_S)
        self.running.enter_context(line)
        return Peer(title, lacks, line.makefile("rw"), log)


def _accepted(server: socket.socket, process: processes.Process) -> socket.socket | None:
    server.settimeout(0.1)
    end = monotonic() + GIVE_UP_S
    while process.poll() is None and monotonic() < end:
        try:
            return server.accept()[0]
        except TimeoutError:
            continue
    return None


def restate(home: Home, _: Installation) -> Peer:
    """Run its server, the process that serves the steps and the one that asks."""
    server = next(home.packages.glob(RESTATE_SERVER))
    service, ingress, admin, nodes = (free_port() for _ in range(4))
    home.start(
        "server.log",
        server,
        "--base-dir",
        home.written / "journal",
        "--node-name=bench",
        RESTATE_LISTEN_MODE="tcp",
        RESTATE_LOG_FILTER="error",
        RESTATE_BIND_ADDRESS=f"127.0.0.1:{nodes}",
        RESTATE_INGRESS__BIND_ADDRESS=f"127.0.0.1:{ingress}",
        RESTATE_ADMIN__BIND_ADDRESS=f"127.0.0.1:{admin}",
    )
    serving = home.start("service.log", *home.program, "serve", service)
    return home.driven("Restate", "drive", by=(ingress, admin, service, serving.pid))


def langgraph(home: Home, pilot: Installation) -> Peer:
    """Run its one process, with a database of its own."""
    return home.driven("LangGraph", by=(new_database(pilot, "peer_langgraph"),))


def rq(home: Home, pilot: Installation) -> Peer:
    """Run its worker and the process that queues, with a database and a queue of their own.

    The worker takes one job at a time: 100 executions that wait for a second each take 100 s.
    """
    place = (f"{pilot.redis_url}?db=1", new_database(pilot, "peer_rq"))
    worker = home.start("worker.log", *home.program, "work", *place)
    return home.driven("RQ", "drive", by=(*place, worker.pid), lacks=frozenset({"waits"}))


ENGINES: dict[str, tuple[str, Callable[[Home, Installation], Peer]]] = {
    "restate": (RESTATE_SERVER, restate),
    "langgraph": ("lib/python*/site-packages/langgraph/checkpoint/postgres", langgraph),
    "rq": ("lib/python*/site-packages/rq", rq),
}


def new_database(pilot: Installation, name: str) -> str:
    """Create a database on Pilot's server; returns where it is, for psycopg."""
    place = db.dsn(pilot.superuser_url)
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return make_conninfo(place, dbname=name)


@contextmanager
def peers(pilot: Installation) -> Iterator[list[Peer]]:
    """Run the peers whose packages are installed; the others are named on stderr."""
    folder = Path(os.environ.get("PILOT_PEERS") or ROOT / "build/peers").absolute()
    with ExitStack() as running:
        ready = []
        for name, (needed, start) in ENGINES.items():
            packages = folder / name
            if (packages / "bin/python").exists() and any(packages.glob(needed)):
                written = pilot.folder / name
                written.mkdir()
                ready.append(start(Home(name, packages, written, running), pilot))
            else:
                print(
                    f"{name} is not installed in {packages}: left out (see CONTRIBUTING.md)",
                    file=sys.stderr,
                )
        yield ready
