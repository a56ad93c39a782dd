"""The `authz` scenarios about rows of others, and tokens where none belongs."""

import pytest

from tests.engine import worker_process as wp

STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]


@pytest.fixture(scope="module")
def mine(world):
    """Give an agent and an execution of the operator."""
    wp.switch_on()
    agent = wp.make_agent(world.operator.id, STEPS)
    return {"agent": agent, "execution": wp.start(agent, world.operator.id)}


@pytest.mark.capability(226)
@pytest.mark.parametrize("other", ["stranger", "approver", "viewer"])
def test_what_is_anothers_is_not_there(mine, browse, world, superuser, other):
    browser = browse(getattr(world, other))
    agent, execution = (f"/agents/{mine['agent']}", f"/executions/{mine['execution']}")
    for path in (
        *(f"{execution}{part}" for part in ("", ".json", "/events", "/stream", "/output")),
        *(f"{agent}{part}" for part in ("", ".json", "/workflow", "/workflow/1")),
        f"{agent}/workflow/1.json",
        f"{agent}/workflow/1/download",
    ):
        assert browser.get(path).status_code == 404, path
    for path in (
        *(
            f"{execution}/{act}"
            for act in ("pause", "resume", "retry", "cancel", "budget", "answer")
        ),
        *(f"{agent}/{act}" for act in ("start", "details", "active", "duplicate")),
        f"{agent}/workflow/1/restore",
    ):
        status = 404 if other == "stranger" else 403
        form = {"details": {"name": "x"}, "start": {"budget": "1"}, "budget": {"usd": "1"}}
        sent = form.get(path.rpartition("/")[2])
        assert browser.post(path, sent).status_code == status, path
    kept = "SELECT status, cancel_requested_at, pause_requested_at FROM execution"
    assert superuser.execute(kept).fetchall() == [("queued", None, None)]
    assert superuser.execute("SELECT name, active FROM agent").fetchall() == [("Test", True)]


@pytest.mark.capability(226)
def test_a_token_in_an_address_opens_nothing(program, app, world):
    token = program(world.operator).headers["Authorization"].removeprefix("Bearer ")
    for name in ("token", "access_token", "api_key", "Authorization"):
        answer = app.test_client().get(f"/api/v1/agents?{name}={token}")
        assert answer.status_code == 401
        assert token not in answer.text
