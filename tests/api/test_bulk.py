"""Actions on many by programs: REST and the command line tell and do the same as the pages."""

import json

import pytest

from pilot.engine.life import bulk
from pilot.engine.people.api_tokens import Scope
from tests.cli import conftest as shells
from tests.engine.life.test_bulk import make, recorded, statuses

__all__ = ["make"]
shell = shells.shell
URL = "/executions/bulk"


def do_all():
    while bulk.look():
        pass


@pytest.mark.capability(287)
def test_a_program_previews_asks_once_and_follows(program, make, world, superuser):
    ids, ended = make(world.operator, "paused", 120), make(world.operator, "completed", 4)
    make(world.stranger, "paused", 2)
    one = program(world.operator)
    seen = one.get(f"{URL}/preview?action=cancel").json
    assert (seen["matched"], seen["can"]) == (124, 120)
    assert [(one["reason"], one["count"]) for one in seen["cannot"]] == [
        ("Already ended: completed", 4)
    ]
    body = {"action": "cancel", "filters": {"status": "paused"}, "previewed": 120}
    key = {"Idempotency-Key": "one"}
    first, second = (one.post(URL, body | {"as_of": seen["as_of"]}, headers=key) for _ in range(2))
    assert (first.status_code, first.json["open"]) == (202, 120), first.json
    assert first.json["id"] == second.json["id"]
    other = one.post(URL, {"action": "pause", "filters": {}}, headers=key)
    assert (other.status_code, other.json["code"]) == (422, "invalid")
    do_all()
    found = one.get(f"{URL}/{first.json['id']}").json
    assert (found["final"], found["done"], found["filters"]) == (True, 120, {"status": "paused"})
    assert statuses(superuser, ids) == {"cancelled": 120}
    assert statuses(superuser, ended) == {"completed": 4}
    assert recorded(superuser, "PILOT_BULK_STARTED").total() == 1
    assert one.get(f"/executions?bulk={found['id']}&limit=200").json["next"] is None
    assert program(world.stranger).get(f"{URL}/{found['id']}").status_code == 404


@pytest.mark.capability(287)
@pytest.mark.parametrize(
    ("as_of", "status"), [("9999-12-31T23:59:59-12:00", 202), ("0001-01-01T00:00:00+14:00", 422)]
)
def test_a_moment_at_an_end_of_the_calendar_is_as_good_as_any(program, make, world, as_of, status):
    make(world.operator, "paused", 3)
    body = {"action": "cancel", "filters": {}, "as_of": as_of}
    assert program(world.operator).post(URL, body).status_code == status


@pytest.mark.capability(287)
def test_what_is_wrong_is_refused(program, make, world, superuser):
    make(world.operator, "paused", 3)
    one = program(world.operator)
    for body in (
        {"action": "delete", "filters": {}},
        {"action": "cancel"},
        {"action": "cancel", "filters": {"state": "paused"}},
        {"action": "cancel", "filters": {"cost_min": "much"}},
        {"action": "cancel", "filters": {"status": "waiting"}},
        {"action": "cancel", "filters": {}, "as_of": "2026-01-01T00:00:00"},
        {"action": "cancel", "filters": {}, "previewed": 2**53},
    ):
        assert one.post(URL, body).status_code == 422, body
    many = one.post(URL, {"action": "cancel", "filters": {}, "previewed": 2})
    assert (many.status_code, many.json["code"]) == (409, "conflict")
    reader = program(world.operator, Scope.EXECUTIONS_READ)
    assert reader.post(URL, {"action": "cancel", "filters": {}}).status_code == 403
    assert statuses(superuser) == {"paused": 3}


@pytest.mark.capability(287)
def test_a_token_for_one_agent_reaches_no_other(program, make, world, superuser):
    ids = make(world.operator, "paused", 2)
    first = make.agents.pop(world.operator.id)
    others = make(world.operator, "paused", 2)
    one = program(world.operator, agent_ids=frozenset({first}))
    made = one.post(URL, {"action": "cancel", "filters": {}}).json
    do_all()
    assert (statuses(superuser, ids), statuses(superuser, others)) == (
        {"cancelled": 2},
        {"paused": 2},
    )
    assert one.get(f"{URL}/{made['id']}").json["done"] == 2
    whole = program(world.operator).post(URL, {"action": "cancel", "filters": {}}).json
    assert one.get(f"{URL}/{whole['id']}").status_code == 404
    second = make.agents[world.operator.id]
    body = {"action": "cancel", "filters": {"agent": str(second)}}
    assert one.post(URL, body).status_code == 404


@pytest.mark.capability(287, 228)
def test_the_command_line_does_the_same(shell, make, world, superuser):
    ids = make(world.operator, "failed", 120)
    make(world.operator, "completed", 4)
    me = ("--as", world.operator.email, "execution", "bulk")
    code, out, _ = shell(*me, "retry", "--preview")
    assert (code, out.splitlines()[0]) == (
        0,
        "124 match; retry is possible with 120 ($0)",
    )
    assert "Nothing failed: completed" in out
    assert statuses(superuser, ids) == {"failed": 120}
    code, out, _ = shell("--json", *me, "retry", "--status", "failed", "--yes")
    made = json.loads(out)
    assert (code, made["matched"]) == (0, 120)
    do_all()
    code, out, _ = shell(*me, "show", made["bulk"])
    assert (code, out.strip()) == (0, "retry 120: 120 done, 0 skipped, 0 failed")
    bulk.look()
    shown = json.loads(shell("--json", *me, "show", made["bulk"])[1])
    assert (shown["final"], shown["done"]) == (True, 120)
    assert statuses(superuser, ids) == {"queued": 120}
    code, _, err = shell(*me, "cancel", "--status", "waiting", "--yes")
    assert (code, "No execution matches." in err) == (5, True)
