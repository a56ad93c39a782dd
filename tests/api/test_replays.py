"""Past executions as tests, on the command line and over the API."""

import json

import pytest

from tests.cli import conftest as shells
from tests.engine import worker_process as wp
from tests.engine.life import test_replays as engine

shell, models, worker, past = shells.shell, engine.models, engine.worker, engine.past


@pytest.mark.capability(257, 228)
def test_the_command_line_and_the_api_tell_the_same(
    shell,
    past,
    program,
    database,
    world,
):
    agent, execution = past
    me = ("--as", world.operator.email, "test")
    code, out, _ = shell(*me, str(execution))
    assert (code, out.split(",")[0]) == (0, f"{execution}: equal")
    engine.save(agent, world.operator, engine.sorting(subject="New"))
    code, out, _ = shell(*me, "--agent", str(agent), "--last", "5")
    assert code == 1
    assert '  large/tell: /subject: was given "An order", now "New"' in out.splitlines()
    code, out, _ = shell("--json", *me, str(execution), "--version", "2")
    ((found,), expected) = json.loads(out), {"path": "large/tell", "what": "given"}
    assert (code, found["equal"], found["differences"][0] | expected) == (
        1,
        False,
        found["differences"][0],
    )
    assert shell(*me, str(execution), "--version", str(2**53))[0] == 3
    with pytest.raises(SystemExit) as caught:
        shell(*me)
    assert caught.value.code == 2
    one = program(world.operator)
    assert one.post(f"/executions/{execution}/replay", {"version": 2**53}).status_code == 422
    made = one.post(f"/executions/{execution}/replay", {"version": 1})
    assert made.status_code == 202, made.json
    wp.wait_for(database, made.json["id"])
    found = one.get(f"/replays/{made.json['id']}").json
    assert (found["final"], found["equal"], found["differences"]) == (True, True, [])
    other = program(world.stranger)
    assert other.post(f"/executions/{execution}/replay", {}).status_code == 404
    assert other.get(f"/replays/{made.json['id']}").status_code == 404
