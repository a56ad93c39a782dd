"""The tests' own PostgreSQL and Valkey: one of each per session, copies of their database."""

import http.client
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from pilot.config import TEST_DATABASE, embedded_redis_url
from pilot.services import binaries, postgres, processes, schema, valkey

TEMPLATE = f"{TEST_DATABASE}_template"
PEOPLED = f"{TEST_DATABASE}_peopled"  # the template with everybody of tests/world.py in it
DISK, MEMORY = Path("/tmp"), Path("/dev/shm")  # noqa: S108
MEMORY_BYTES = 4 * 2**30  # of a session: its databases and up to 1 GB of write-ahead log


@dataclass
class Servers:
    """Running servers; `database` gives a fresh migrated database."""

    cluster: postgres.Cluster
    redis_url: str
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def admin_url(self) -> str:
        """The superuser's URL."""
        return self.cluster.url("postgres")

    @cached_property
    def _admin(self) -> psycopg.Connection:
        return psycopg.connect(self.admin_url, autocommit=True)

    def execute(self, statement: str, **names: str) -> None:
        """Run one statement as superuser; names are quoted."""
        quoted = {key: sql.Identifier(value) for key, value in names.items()}
        self._admin.execute(sql.SQL(statement).format(**quoted))

    def close(self) -> None:
        """Let the database stop at once."""
        self._admin.close()

    def copy(self, name: str, template: str = TEMPLATE) -> str:
        """Create a database from a template; returns its URL."""
        self.execute(
            "CREATE DATABASE {name} TEMPLATE {template} OWNER pilot_owner STRATEGY FILE_COPY",
            name=name,
            template=template,
        )
        return self.cluster.url(name, schema.LOGIN)

    def new_name(self) -> str:
        """Return a name that no database of this session had."""
        return f"{TEST_DATABASE}_{next(self._numbers)}"

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.execute("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=name)

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """Give the URL of a copy of the template, dropped at the end."""
        name = self.new_name()
        try:
            yield self.copy(name, template)
        finally:
            self.drop(name)


def free_port() -> str:
    """Return a port of 127.0.0.1 that nobody uses now, and that no client is given meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(7_000)  # systems give those from 32,768 to clients
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return str(port)


def healthz(port: str, timeout_s: float = 5) -> int | None:
    """Return the status of the ready check on a port, None when nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=timeout_s)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def short_folder(home: Path = DISK) -> Path:
    """Make a folder that the user of the servers may reach (pytest's tmp_path is closed)."""
    folder = Path(tempfile.mkdtemp(prefix=f"pilot-test-{os.getpid()}-", dir=home))
    folder.chmod(0o755)
    for name in ("place", "run"):
        (folder / name).mkdir(mode=0o700)
        if binaries.runs_as_root():
            os.chown(folder / name, *binaries.server_user())
    return folder


def fastest() -> Path:
    """Return where a database that may be lost is copied fastest: in memory, if it has room."""
    if not MEMORY.is_dir():
        return DISK
    for left in MEMORY.glob("pilot-test-*"):  # by a session that was killed
        owner = left.name.split("-")[2]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    room = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    return MEMORY if room >= MEMORY_BYTES else DISK


@contextmanager
def running(settings: dict[str, str] = postgres.FOR_TESTS) -> Iterator[Servers]:
    """Start both servers in a folder of their own, with one migrated template database."""
    folder = short_folder(DISK if settings.get("fsync") != "off" else fastest())
    signals = processes.Signals()
    cluster = postgres.Cluster(
        data=folder / "place" / "data",
        sockets=folder / "run",
        log=folder / "postgres.log",
        settings=tuple(settings.items()),
    )
    try:
        database = postgres.start(cluster, signals)
        queue = valkey.start(cluster.sockets, folder / "valkey.log", signals)
        servers = Servers(cluster, embedded_redis_url(cluster.sockets))
        schema.prepare_roles(servers.admin_url)
        schema.create_database(servers.admin_url, TEMPLATE)
        schema.migrate(cluster.url(TEMPLATE, schema.LOGIN))
        yield servers
        servers.close()
        valkey.stop(queue)
        postgres.stop(database)
    finally:
        signals.close()
        shutil.rmtree(folder, ignore_errors=True)
