"""A PostgreSQL of its own that a test may restart, and the worker's database on it."""

import os
import signal
import time
from contextlib import contextmanager

import psycopg

from pilot.services import postgres, processes
from tests import servers


class Restartable:
    """A server with one database; `restart` ends all sessions and starts it anew."""

    def __init__(self, cluster, url, redis_url):
        self.url, self.redis_url = url, redis_url
        self.superuser_url = cluster.url(url.split("/")[3].split("?")[0])
        self._cluster = cluster
        self._signals = processes.Signals()
        self._process = None

    def ask(self, statement, *values):
        """Ask as superuser, over a connection of its own."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def restart(self, how=signal.SIGINT):
        """Stop as an upgrade does (SIGINT) or as a crash (SIGQUIT), and start again."""
        self.stop(how)
        self._process = postgres.start(self._cluster, self._signals)

    def stop(self, how=signal.SIGINT):
        """Leave it away; `restart` starts it."""
        if self._process is not None:
            processes.stop(self._process, how, 20)
            return
        pid = int((self._cluster.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, how)
        while (self._cluster.data / "postmaster.pid").exists():
            time.sleep(0.01)

    def close(self):
        """End what `restart` started."""
        if self._process is not None:
            postgres.stop(self._process)
        self._signals.close()


@contextmanager
def restartable():
    """Give a server of its own with a migrated database."""
    with servers.running() as running:
        found = Restartable(
            running.cluster, running.copy(f"{servers.TEMPLATE}_1"), running.redis_url
        )
        try:
            yield found
        finally:
            found.close()
