"""The disk below the data folder is full: steps wait, say so, and go on once there is room."""

import errno
import os

import pytest

from pilot.engine import outages
from pilot.engine.upkeep.anchors import KEY_FILE
from tests.engine import worker_process as wp

SEND = {"plugin": "mail", "action": "send"}
MAIL = {
    "id": "tell",
    "type": "action",
    **SEND,
    "params": {"to": ["me"], "subject": "Hi", "text": "Hi"},
}
SUMS = {"table": "sums.csv", "tab": "sums", "columns": ["month", "sum"]}
TABLE = {"id": "note", "type": "action", "plugin": "tables", "action": "ensure_tab", "params": SUMS}
ERROR = "SELECT error FROM step_execution WHERE execution_id = %s AND status = 'failed' LIMIT 1"


@pytest.fixture(params=[errno.ENOSPC, errno.EDQUOT], ids=lambda one: errno.errorcode[one])
def disk(monkeypatch, request):
    """Give a disk that is full from the first byte on, until its list is emptied."""
    full, real = [request.param], os.fsync

    def fsync(number):
        if full:
            raise OSError(full[0], os.strerror(full[0]))
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(outages, "ROOM_FIRST_S", 1.2)
    return full


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("step", [MAIL, TABLE], ids=lambda one: one["id"])
def test_a_step_waits_for_room(database, world, superuser, tmp_path, disk, step):
    params = step["params"] | ({"to": [world.operator.email]} if step is MAIL else {})
    once = step | {"params": params, "retry": {"max_attempts": 1}}
    execution = wp.start(wp.make_agent(world.operator.id, [once]), world.operator.id)
    wp.wait_for(database, execution, {"waiting"})
    error = superuser.execute(ERROR, [execution]).fetchone()[0]
    assert (error["class"], error["code"]) == ("server", "no_room")
    assert str(tmp_path) in error["message"]
    assert os.strerror(disk[0]) in error["message"]
    files = [one for one in (tmp_path / "users").rglob("*") if one.is_file()]
    assert [one for one in files if one.suffix == ".tmp" or one.parent.name == "tmp"] == []
    assert not (tmp_path / KEY_FILE).exists(), "no half of a key is left"
    disk.clear()
    assert wp.wait_for(database, execution)[0] == "completed"
    assert len({one[1] for one in wp.attempts(database, execution)}) > 1
