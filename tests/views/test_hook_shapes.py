"""Webhooks with a condition, with inputs of their payload, and with a bearer secret."""

import hmac
import time

import pytest

from pilot.engine.secrets import signatures
from pilot.engine.triggers import hooks, senders
from pilot.errors import InvalidError
from tests.engine import worker_process as wp
from tests.scheduling import STEP, count, events

INPUTS = {
    "type": "object",
    "properties": {"order": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["order"],
}
PAID = b'{"type": "order.paid", "data": {"id": 7}}'
SHAPE = {"match": "payload.type == 'order.paid'", "inputs": {"order": "{{ payload.data.id }}"}}


@pytest.fixture
def make(timed_agent, app, world):
    """Give `make(**shape)`: a webhook of an agent that takes an order."""
    agent = wp.make_agent(world.operator.id, [STEP], inputs=INPUTS)

    def make(**shape):
        who = {"by": world.operator.actor, "user_id": world.operator.id}
        return hooks.create(agent, hooks.Shape(**shape), **who)

    make.url = f"/agents/{agent}/hooks"
    return make


@pytest.fixture
def send(app):
    def send(hook, body=PAID, id="msg_1", **headers):  # noqa: A002
        when = int(time.time())
        signed = signatures.sign(hook.secret, id, when, body)
        usual = {"webhook-id": id, "webhook-timestamp": str(when), "webhook-signature": signed}
        given = headers or usual
        url = f"/hooks/{hook.token}"
        return app.test_client().post(
            url, data=body, headers=given, content_type="application/json"
        )

    return send


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.capability(202)
def test_inputs_are_taken_from_the_payload(make, send, superuser):
    hook = make(**SHAPE)
    assert send(hook).status_code == 202
    assert superuser.execute("SELECT inputs FROM execution").fetchall() == [({"order": 7},)]
    missing = send(hook, b'{"type": "order.paid"}', id="msg_2")
    assert missing.status_code == 422
    assert "The input order" in missing.json["errors"][0]["message"]


@pytest.mark.capability(202)
def test_what_the_condition_does_not_hold_for_starts_nothing_and_is_told(make, send, superuser):
    hook = make(**SHAPE)
    for body in (b'{"type": "order.lost"}', b"[1]", b"{}"):
        answer = send(hook, body, id=f"msg_{len(body)}")
        assert (answer.status_code, answer.json) == (200, {"execution_id": None})
    assert count(superuser, "execution") == 0
    rows = superuser.execute("SELECT status, reason FROM hook_delivery").fetchall()
    assert rows == [(200, "Its condition does not hold.")] * 3


@pytest.mark.capability(202)
def test_a_payload_is_data_and_never_a_template_or_a_document(make, send, superuser, world):
    hook = make(inputs={"order": 1})
    sly = b'{"order": "{{ steps.it.output }}", "steps": [], "document": {}}'
    assert send(hook, sly).status_code == 202
    assert superuser.execute("SELECT inputs FROM execution").fetchall() == [({"order": 1},)]


@pytest.mark.capability(202)
def test_a_repeated_id_names_its_execution_though_the_clock_went_on(make, send, superuser):
    hook = make(inputs={"order": "{{ payload.data.id }}", "note": "{{ now() }}"})
    first, again = (send(hook) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 409)
    assert again.json["present"] == {"execution_id": first.json["execution_id"]}
    assert "another body" not in again.json["detail"]


@pytest.mark.capability(202)
def test_a_bearer_secret_proves_the_sender(make, send, superuser):
    hook = make(bearer=True, **SHAPE)
    assert send(hook, **bearer(hook.secret)).status_code == 202
    assert send(hook, **bearer(hook.secret)).status_code == 202  # without an id each is new
    named = bearer(hook.secret) | {"webhook-id": "one"}
    assert send(hook, **named).status_code == 202
    assert send(hook, **named).status_code == 409
    assert count(superuser, "execution") == 3
    for wrong in (
        {"Authorization": ""},
        bearer("whsec_x"),
        {"Authorization": f"Basic {hook.secret}"},
    ):
        assert send(hook, **wrong).status_code == 401
    assert send(hook).status_code == 401  # a signature is no bearer secret
    assert events(superuser, "TRIGGER_REJECTED") == ["TRIGGER_REJECTED"] * 5


@pytest.mark.capability(202)
def test_a_signed_webhook_takes_no_bearer_secret(make, send):
    hook = make()
    assert send(hook, b'{"order": 1}', **bearer(hook.secret)).status_code == 401


@pytest.mark.capability(202)
def test_bearer_secrets_are_compared_in_constant_time_both_while_rotating(
    make, send, world, monkeypatch, superuser
):
    hook = make(bearer=True, **SHAPE)
    agent_id = superuser.execute("SELECT agent_id FROM hook").fetchone()[0]
    hooks.rotate(agent_id, hook.id, by=world.operator.actor, user_id=world.operator.id)
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(
        senders.hmac, "compare_digest", lambda *two: compared.append(1) or real(*two)
    )
    assert send(hook, **bearer(hook.secret)).status_code == 202
    assert len(compared) == 2


@pytest.mark.parametrize(
    ("shape", "path"),
    [
        ({"match": "payload.type =="}, "/match"),
        ({"match": "steps.it.output"}, "/match"),
        ({"inputs": {"order": "{{ execution.id }}"}}, "/inputs"),
    ],
)
def test_what_reads_more_than_the_payload_is_refused_at_the_save(make, shape, path):
    with pytest.raises(InvalidError) as refused:
        make(**shape)
    assert [one.path for one in refused.value.issues] == [path]


def test_the_page_makes_one_and_tells_its_shape(browse, world, make):
    browser = browse(world.operator)
    form = {
        "proof": "bearer",
        "match": SHAPE["match"],
        "inputs": '{"order": "{{ payload.data.id }}"}',
    }
    assert "whsec_" in browser.post(make.url, form).text
    (row,) = browser.get(f"{make.url}.json").json["hooks"]
    assert (row["bearer"], row["match"], row["inputs"]) == (True, SHAPE["match"], SHAPE["inputs"])
    refused = browser.post(make.url, form | {"inputs": "[1]", "match": "payload.x >"})
    assert refused.status_code == 422
    assert "The inputs are a JSON object." in refused.text
    assert "payload.x &gt;" in refused.text
