"""A start is refused for all that the preflight finds, whoever asks and on whatever way."""

import time

import pytest

from pilot import db, vault
from pilot.engine import validation
from pilot.engine.agents import agents
from pilot.engine.generation import surroundings
from pilot.engine.life import preflight, starts
from pilot.engine.secrets import connections, signatures
from pilot.engine.triggers import hooks
from pilot.errors import InvalidError
from tests.engine import worker_process as wp
from tests.pages import KEY

READ = {
    "id": "read",
    "type": "action",
    "plugin": "mail",
    "action": "search",
    "params": {},
    "connection": "Sales",
}
NAMES = ["one", "two", "three"]
SCHEMA = {
    "type": "object",
    "required": NAMES,
    "properties": {name: {"type": "string"} for name in NAMES},
}
GIVEN = dict.fromkeys(NAMES, "x")
FIELDS = {"smtp_host": "mail.peer.test", "user": "a", "sender": "a@peer.test"}


@pytest.fixture(autouse=True)
def _sealing():
    vault.configure([KEY])
    yield
    vault.configure([])


@pytest.fixture
def account(world):
    """Give the id of the connection that the step names."""
    held = connections.Given("Sales", FIELDS, "secret word")
    return connections.create("mail", held, by=world.operator.actor, owner_id=world.operator.id)


@pytest.fixture
def agent(world, account):
    wp.switch_on()
    return wp.make_agent(world.operator.id, [READ], inputs=SCHEMA)


@pytest.fixture
def expire(superuser, account):
    """Make the connection one whose password is refused."""
    return lambda: superuser.execute("UPDATE connection SET state = 'reconnect'")


def start(agent, world, **asked):
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    return starts.start(agent, starts.Start(**asked), **who)


def stored(superuser):
    query = "SELECT (SELECT count(*) FROM execution), (SELECT count(*) FROM request_key)"
    return superuser.execute(query).fetchone()


@pytest.mark.capability(8, 174, 266)
def test_an_expired_connection_and_three_missing_inputs_are_four_issues_and_no_start(
    world, agent, expire, superuser
):
    expire()
    with pytest.raises(InvalidError) as refused:
        start(agent, world, key="k")
    place = f"/agents/{agent}#start"
    assert [(one.code, one.step, one.path, one.link) for one in refused.value.issues] == [
        *(("E_INPUT_MISSING", "", f"/{name}", place) for name in NAMES),
        ("E_CONNECTION_EXPIRED", "read", "/steps/0/connection", "/connections"),
    ]
    assert stored(superuser) == (0, 0)


def test_a_repeated_key_answers_the_first_execution_though_it_would_be_refused_now(
    world, agent, expire
):
    first = start(agent, world, inputs=GIVEN, key="k")
    expire()
    assert start(agent, world, inputs=GIVEN, key="k") == first
    with pytest.raises(InvalidError, match="has expired"):
        start(agent, world, inputs=GIVEN, key="another")


def test_while_it_is_written_the_same_is_a_warning(world, agent, expire, tmp_path):
    expire()
    known = surroundings.known_actions(tmp_path, world.operator.id)
    found = validation.validate({"format": 1, "steps": [READ], "inputs": SCHEMA}, known)
    told = [(one.code, one.severity) for one in found if one.path == "/steps/0/connection"]
    assert told == [("W_CONNECTION_EXPIRED", "warning")]


def test_a_warning_refuses_nothing(world, agent, tmp_path):
    """No worker runs, the connection is untested; both are told, neither refuses."""
    with db.reading(world.operator.id) as session:
        row = agents.load(session, agent)
        version = agents.newest(session, row)
        asked = preflight.Asked(world.operator.id)
        found = preflight.examine(session, row, version, asked, preflight.Setup(tmp_path))
    assert {"worker", "connection"} <= {one.where for one in found.items}
    assert start(agent, world, inputs=GIVEN)


def test_the_simple_loop_is_refused_where_no_model_can_be_asked(world, agent):
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    asked = starts.Start(inputs=GIVEN, simple=True)
    with pytest.raises(InvalidError, match="No model can be asked") as refused:
        starts.start(agent, asked, **who, setup=preflight.Setup())
    assert [one.code for one in refused.value.issues] == ["E_MODEL_KEY"]
    assert starts.start(agent, asked, **who, setup=preflight.Setup(has_models=True))


@pytest.mark.capability(266)
def test_a_webhook_is_answered_with_the_issues_and_the_refusal_is_kept(
    app, world, agent, expire, superuser
):
    hook = hooks.create(agent, by=world.operator.actor, user_id=world.operator.id)
    expire()
    when, body = int(time.time()), b'{"one": "a", "two": "b", "three": "c"}'
    signed = signatures.sign(hook.secret, "msg_1", when, body)
    answer = app.test_client().post(
        f"/hooks/{hook.token}",
        data=body,
        content_type="application/json",
        headers={
            "webhook-id": "msg_1",
            "webhook-timestamp": str(when),
            "webhook-signature": signed,
        },
    )
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert [one["code"] for one in answer.json["errors"]] == ["E_CONNECTION_EXPIRED"]
    ((status, reason),) = superuser.execute("SELECT status, reason FROM hook_delivery").fetchall()
    assert (status, "has expired" in reason) == (422, True)
    assert stored(superuser) == (0, 0)
