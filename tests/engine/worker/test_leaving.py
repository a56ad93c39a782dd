"""A worker that is asked to end does so in time, whatever its steps wait for."""

import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.engine import worker_process as wp
from tests.patience import LONG_S

OF_THE_STEP = "SELECT status FROM step_execution WHERE execution_id = %s"


@pytest.fixture
def silent():
    """Give an address that takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def environment(database, redis_url, tmp_path, silent, monkeypatch):
    given = {"DATABASE_URL": database, "REDIS_URL": redis_url, "PILOT_DATA": str(tmp_path)}
    for name, value in (given | {"PILOT_DRAIN_S": "1", "PILOT_EGRESS_ALLOW": silent}).items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("environment")
@pytest.mark.capability(242)
@pytest.mark.parametrize(("effect", "left"), [("once", "unknown"), ("keyed", "interrupted")])
def test_no_step_keeps_a_worker(database, world, superuser, silent, effect, left):
    wp.switch_on()
    params = {"method": "POST", "url": f"http://{silent}/", "json": {}}
    if effect == "keyed":
        params["idempotency"] = "receiver_honours_key"
    step = {"id": "call", "type": "action", "plugin": "http", "action": "request"}
    steps = [step | {"params": params, "timeout_s": 300}]
    execution = wp.start(wp.make_agent(world.operator.id, steps), world.operator.id)
    command = [sys.executable, "-m", "pilot.cli", "worker"]
    worker = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        wp.until(lambda: superuser.execute(OF_THE_STEP, [execution]).fetchall() == [("running",)])
        worker.send_signal(signal.SIGTERM)
        _, told = worker.communicate(timeout=LONG_S)
    finally:
        worker.kill()
    assert worker.returncode == 0
    assert "destroyed" not in told
    assert "Traceback" not in told
    assert superuser.execute(OF_THE_STEP, [execution]).fetchall() == [(left,)]
    assert wp.row(database, execution)[0] in {"queued", "needs_attention"}


@pytest.mark.usefixtures("environment")
@pytest.mark.capability(242)
def test_more_signals_change_nothing(database, world, superuser, silent, monkeypatch):
    monkeypatch.setenv("PILOT_DRAIN_S", "3")
    wp.switch_on()
    params = {"url": f"http://{silent}/"}
    step = {"id": "call", "type": "action", "plugin": "http", "action": "request"}
    steps = [step | {"params": params, "timeout_s": 300}]
    execution = wp.start(wp.make_agent(world.operator.id, steps), world.operator.id)
    command = [sys.executable, "-m", "pilot.cli", "worker"]
    worker = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        wp.until(lambda: superuser.execute(OF_THE_STEP, [execution]).fetchall() == [("running",)])
        for one in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            worker.send_signal(one)
            time.sleep(1.1)  # RQ takes no second one within a second
        _, told = worker.communicate(timeout=LONG_S)
    finally:
        worker.kill()
    assert (worker.returncode, "Traceback" in told) == (0, False)
    assert wp.row(database, execution)[0] == "queued"
    stopped = superuser.execute("SELECT count(*) FROM worker WHERE stopped_at IS NULL").fetchone()
    assert stopped == (0,)
