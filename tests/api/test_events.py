"""Events over the API and the command line."""

import pytest

from tests.cli.conftest import shell  # noqa: F401  the fixture


@pytest.mark.capability(203)
def test_a_program_sends_an_event_once(program, world, superuser):
    sender = program(world.operator, "events:write")
    event = {"source": "shop", "id": "evt_1", "name": "order.paid", "data": {"order": 7}}
    said = [sender.post("/events", event) for _ in range(2)]
    assert [one.status_code for one in said] == [202, 202]
    assert [(one.json["kept"], one.json["repeated"]) for one in said] == [
        (True, False),
        (False, True),
    ]
    keyed = {"Idempotency-Key": "k1"}
    assert sender.post("/events", {"name": "order.sent"}, keyed).json["id"] == "k1"
    assert sender.post("/events", {"name": "order.sent"}, keyed).json["repeated"]
    rows = superuser.execute("SELECT name, owner_id FROM inbox ORDER BY id").fetchall()
    assert rows == [("order.paid", world.operator.id), ("order.sent", world.operator.id)]


def test_who_may_not_is_refused_and_what_is_wrong_is_named(program, world):
    assert (
        program(world.operator, "executions:run").post("/events", {"name": "a"}).status_code == 403
    )
    assert program(world.viewer, "events:write").post("/events", {"name": "a"}).status_code == 403
    refused = program(world.operator, "events:write").post("/events", {"name": "a b"})
    assert (refused.status_code, refused.json["errors"][0]["path"]) == (422, "/name")


def test_the_command_line_sends_one(shell, world, superuser):  # noqa: F811
    code, out, _ = shell("event", "send", "order.paid", "--payload", '{"order": 7}')
    assert (code, out) == (0, "Nothing waits for it; it is kept for 24 hours.\n")
    assert superuser.execute("SELECT payload, source FROM inbox").fetchall() == [
        ({"order": 7}, "cli")
    ]
    assert shell("event", "send", "order.paid", "--payload", "{")[0] == 5
