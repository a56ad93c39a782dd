"""What every test may use: real servers, a database of its own, no foreign network."""

import gc
import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache

import pytest
import redis

from pilot import db, garbage, logs, redaction
from tests import compiled
from tests import servers as own_servers
from tests.databases import Reused
from tests.patience import PATIENT, until

NAMES = (
    "capabilities",
    "mail_peer",
    "imap_peer",
    "pages",
    "peer.fixture",
    "processes",
    "programs",
    "scheduling",
    "side_by_side",
    "world",
)
pytest_plugins = ["pytester", *(f"tests.{name}" for name in NAMES)]


def pytest_configure() -> None:
    """Collect tests without looking for garbage: nearly all that is made stays to the end."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave thousands of tests out of each look for garbage, and look seldom, as a worker does.

    Such a look took so long that the database ended transactions that were open meanwhile.
    """
    gc.enable()
    gc.collect()
    garbage.seldom()


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> Iterator[None]:
    """Forget what the shell says: tests start their own servers."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("PILOT_", "PG")) or name in {"DATABASE_URL", "REDIS_URL"}:
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_logs() -> None:
    """Log as the product does: a trace with the values of all its locals takes seconds to draw."""
    logs.configure()


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    """Refuse connections of this process to other machines."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        yield


def _guarded(connect):
    def guarded(self, address):
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            host = address[0]
            assert host == "localhost" or ipaddress.ip_address(host).is_loopback, (
                f"a test dialled {host}"
            )
        return connect(self, address)

    return guarded


@pytest.fixture(scope="session", autouse=True)
def _statements_compiled_once() -> Iterator[None]:
    """Let the engines of all tests share the statements that SQLAlchemy compiled for one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "create_engine", compiled.once(db.create_engine))
        yield


@pytest.fixture(scope="session", autouse=True)
def _patient_database() -> Iterator[None]:
    """Let the database end no transaction of this process: the machine may stand still in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "SESSION_LIMITS", PATIENT)
        yield


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    """Forget the secrets that other tests sealed: they would be hidden in the texts of this one."""
    redaction.know({})
    redaction.hide_personal_data(False)


@pytest.fixture(scope="session")
def servers() -> Iterator[own_servers.Servers]:
    """PostgreSQL and Valkey of this test session."""
    with own_servers.running() as running:
        yield running


@pytest.fixture(scope="session")
def reused(servers):
    """Give `reused(template)`: the database of all tests that begin with this template."""
    with ExitStack() as stack:

        @cache
        def reused(template: str) -> Reused:
            one = Reused(servers, template)
            stack.callback(one.close)
            return one

        yield reused


@pytest.fixture
def database(request, servers, reused) -> Iterator[str]:
    """Give the URL of a migrated database of this test; `pilot.db` is configured for it."""
    has_people = "world" in request.fixturenames
    if has_people:
        request.getfixturevalue("everybody")
    template = own_servers.PEOPLED if has_people else own_servers.TEMPLATE
    engine = db.configure(reused(template).fresh())
    yield reused(template).url
    _wait_for_threads(engine)


def _wait_for_threads(engine) -> None:
    """Wait for threads that still read: nobody would close what they return to a disposed pool."""
    until(lambda: not engine.pool.checkedout())


@pytest.fixture
def redis_url(servers) -> str:
    """Give the URL of the session's Valkey, emptied."""
    with redis.Redis.from_url(servers.redis_url) as client:
        client.flushall()
    return servers.redis_url
