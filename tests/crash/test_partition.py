"""Hosts of their own: a worker in a network namespace is cut off from the database, with no reset.

`make nightly` only: what is promised takes 17 seconds to show.
"""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import settings

from pilot.engine import folders
from pilot.worker import RESTART_ME
from tests.engine import worker_process as wp

NIGHTLY = settings.get_current_profile_name() == "nightly"
pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(not NIGHTLY, reason="it waits for a lease to end: make nightly"),
]
HERE, THERE = "10.213.77.1", "10.213.77.2"  # of a link within this machine
ITEMS = 120
NO_EFFECT_AFTER_S, TAKEN_OVER_WITHIN_S = 10, 17
STEPS = [
    {
        "id": "each",
        "type": "loop",
        "items": list(range(ITEMS)),
        "max_iterations": ITEMS,
        "steps": [
            {
                "id": "add",
                "type": "action",
                "plugin": "tables",
                "action": "append_rows",
                "params": {"table": "log", "rows": [{"id": "{{item}}"}]},
            },
            {"id": "rest", "type": "delay", "for_s": 0.1, "dependencies": ["add"]},
        ],
    }
]


def ip(*words):
    command = [shutil.which("ip") or "ip", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10)


@pytest.fixture
def host():
    """Give the name of a network namespace with one link to this one."""
    name, link = f"pilot{os.getpid()}", f"pilot{os.getpid()}"[:15]
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', '') or error}")
    try:
        ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("addr", "add", f"{HERE}/30", "dev", link)
        ip("link", "set", link, "up")
        ip("-n", name, "addr", "add", f"{THERE}/30", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        yield name
    finally:
        ip("netns", "del", name)  # its end of the link goes with it, and so the other


@pytest.fixture
def relayed(host, database):
    """Give the database's URL as the other host reaches it: by TCP over the link."""
    parts = urlsplit(database)
    where = parse_qs(parts.query)
    path = f"{where['host'][0]}/.s.PGSQL.{where['port'][0]}"
    with socket.create_server((HERE, 0)) as server:
        threading.Thread(target=_relay, args=(server, path), daemon=True).start()
        port = server.getsockname()[1]
        yield f"postgresql://pilot@{HERE}:{port}{parts.path}?sslmode=disable"
        server.shutdown(socket.SHUT_RDWR)


def _relay(server, path):
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        inner = socket.socket(socket.AF_UNIX)
        inner.connect(path)
        for source, target in ((client, inner), (inner, client)):
            threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source, target):
    try:
        while data := source.recv(65_536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for one in (source, target):
            one.close()


@pytest.fixture
def workers(redis_url, relayed):
    """Give a function that starts a worker, on another host if it is named, and its URL there."""
    running = []

    def start(url, data, host=None):
        command = [*(["ip", "netns", "exec", host] if host else [])]
        command += [sys.executable, "-m", "pilot.cli", "worker"]
        environment = os.environ | {"DATABASE_URL": url, "REDIS_URL": redis_url}
        environment |= {"PILOT_DATA": str(data)}
        running.append(subprocess.Popen(command, env=environment))
        return running[-1]

    yield start, relayed
    for process in running:
        process.kill()
        process.wait()


def log_of(data, owner):
    table = folders.private(data, owner) / "tables" / "log.csv"
    table.parent.mkdir(parents=True, mode=0o700)
    table.write_text("id\n")
    return table


def rows(table):
    return table.read_text().split()[1:]


def test_a_worker_cut_off_from_the_database_stops_acting_and_another_goes_on(
    host, workers, world, database, superuser, tmp_path
):
    worker_on, relayed = workers
    wp.switch_on()
    owner = world.operator.id
    there, here = tmp_path / "there", tmp_path / "here"
    far, near = log_of(there, owner), log_of(here, owner)
    cut_off = worker_on(relayed, there, host)
    execution = wp.start(wp.make_agent(owner, STEPS), owner)
    wp.until(lambda: len(rows(far)) >= 3, 30)
    worker_on(database, here)
    alive = "SELECT count(*) FROM worker WHERE stopped_at IS NULL"
    wp.until(lambda: superuser.execute(alive).fetchone() == (2,), 30)
    ip("-n", host, "link", "set", "eth0", "down")
    cut_at = acted_at = time.monotonic()
    acted = len(rows(far))
    while not rows(near):
        if len(rows(far)) > acted:
            acted, acted_at = len(rows(far)), time.monotonic()
        assert time.monotonic() - cut_at < TAKEN_OVER_WITHIN_S, "nobody took over"
        time.sleep(0.05)
    assert acted_at - cut_at < NO_EFFECT_AFTER_S
    assert cut_off.wait(20) == RESTART_ME, "it ends, for its supervisor to start it again"
    assert wp.wait_for(database, execution, seconds=60)[0] == "completed"
    assert len(rows(far)) == acted, "nothing was done after that"
    done = rows(far) + rows(near)
    assert sorted(set(done), key=int) == [str(n) for n in range(ITEMS)]
    assert len(done) - ITEMS <= 1, "at most the step that was under way, on the other host's disk"
