"""A receiver outside that counts what is sent to it, and a worker that may reach it."""

import contextlib
import io
import json
from collections import Counter
from dataclasses import replace
from threading import Thread

import pytest

from tests.crash.receiver import Receiver
from tests.engine import worker_process as wp


class Outside:
    """What was sent to the receiver: step names with the keys they came with."""

    def __init__(self, server):
        self.host = f"127.0.0.1:{server.server_address[1]}"
        self._journal = server.journal

    def send(self, name, *after, mode="keyed", **fields):
        """Return a step that sends something, after others."""
        params = {"method": "POST", "url": f"http://{self.host}/{mode}/it/{name}", "json": {}}
        if mode == "keyed":
            params["idempotency"] = "receiver_honours_key"
        action = {"type": "action", "plugin": "http", "action": "request", "params": params}
        return action | {"id": name, "dependencies": list(after)} | fields

    def forget(self):
        """Begin to count anew."""
        self._journal.truncate(0)
        self._journal.seek(0)

    @property
    def sent(self):
        """How often each step was sent."""
        return Counter(one["step"] for one in self._requests())

    def keys(self, name):
        return [one["key"] for one in self._requests() if one["step"] == name]

    def _requests(self):
        return [json.loads(line) for line in self._journal.getvalue().splitlines()]


@contextlib.contextmanager
def receiving():
    with Receiver(io.StringIO()) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Outside(server)
        finally:
            server.shutdown()
            thread.join()


def reaching(outside, database, redis_url, folder):
    """Return a worker, as a context, that may reach the receiver."""
    facts = replace(wp.config(database, redis_url, folder), egress_allow=(outside.host,))
    return wp.working(facts, hears=True)


@pytest.fixture(scope="module")
def outside():
    """Give the receiver outside."""
    with receiving() as found:
        yield found


@pytest.fixture
def worker(database, redis_url, world, tmp_path, outside):
    """Give a worker that may reach the receiver, which has seen nothing yet."""
    outside.forget()
    wp.switch_on()
    with reaching(outside, database, redis_url, tmp_path) as resident:
        yield resident


@pytest.fixture
def who(world):
    """Give who acts in these tests: the operator."""
    return {"by": world.operator.actor, "user_id": world.operator.id}
