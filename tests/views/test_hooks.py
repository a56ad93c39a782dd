"""Webhooks: signed requests start an agent once; everything else is refused and told."""

import base64
import hmac
import time
from uuid import UUID

import pytest

from pilot import jobs, progress, vault
from pilot.engine.agents import agents
from pilot.engine.secrets import sealed, signatures
from pilot.engine.triggers import hooks
from pilot.errors import ConflictError, NotFoundError
from tests.engine import worker_process as wp
from tests.engine.together import at_once
from tests.pages import KEY, check_looks

INPUTS = {
    "type": "object",
    "properties": {"order": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["order"],
}
STEP = {"id": "it", "type": "transform", "operation": "set", "config": {"value": 1}}


@pytest.fixture(autouse=True)
def _sealing():
    vault.configure([KEY])
    yield
    vault.configure([])


@pytest.fixture
def agent(world, redis_url):
    jobs.configure(redis_url)
    progress.configure(redis_url)
    wp.switch_on()
    return wp.make_agent(world.operator.id, [STEP], inputs=INPUTS)


@pytest.fixture
def hook(agent, world):
    return hooks.create(agent, by=world.operator.actor, user_id=world.operator.id)


@pytest.fixture
def send(app, hook):
    """Send a message; what is given takes the place of what is right."""

    def send(body=b'{"order": 7}', *, secret=None, id="msg_1", age_s=0, token=None, **headers):  # noqa: A002
        when = int(time.time()) - age_s
        signature = signatures.sign(secret or hook.secret, id, when, body)
        right = {"webhook-id": id, "webhook-timestamp": str(when), "webhook-signature": signature}
        given = right | {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in given.items() if value is not None}
        kind = kept.pop("content-type", "application/json")
        url = f"/hooks/{token or hook.token}"
        return app.test_client().post(url, data=body, headers=kept, content_type=kind)

    return send


def executions(superuser):
    return superuser.execute("SELECT id::text, inputs, trigger, status FROM execution").fetchall()


def events(superuser):
    query = "SELECT event FROM audit WHERE event LIKE 'TRIGGER%' ORDER BY event"
    return [row[0] for row in superuser.execute(query)]


def test_the_signature_is_that_of_the_standard():
    """The vector is that of github.com/standard-webhooks."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = signatures.sign(
        secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.capability(202)
def test_a_signed_message_starts_one_execution(send, superuser):
    answer = send(b'{"order": 7, "note": "quick"}')
    assert answer.status_code == 202
    (row,) = executions(superuser)
    assert row == (answer.json["execution_id"], {"order": 7, "note": "quick"}, "webhook", "queued")
    assert events(superuser) == ["TRIGGER_FIRED"]


@pytest.mark.capability(202)
def test_the_same_id_twice_starts_one_and_names_it(send, superuser):
    first = send().json["execution_id"]
    again = send()
    assert (again.status_code, again.json["present"]) == (409, {"execution_id": first})
    assert "another body" not in again.json["detail"]
    other = send(b'{"order": 8}')
    assert (other.status_code, other.json["present"]) == (409, {"execution_id": first})
    assert "another body" in other.json["detail"]
    assert len(executions(superuser)) == 1


def test_of_ten_at_once_with_one_id_one_starts(hook, superuser):
    when = int(time.time())
    signature = signatures.sign(hook.secret, "m", when, b'{"order": 7}')
    message = hooks.Message("m", str(when), signature, b'{"order": 7}', "198.51.100.7", "r")
    gave = at_once(*[lambda: hooks.receive(hook.token, message)] * 10)
    assert sum(isinstance(one, UUID) for one in gave) == 1
    assert sum(isinstance(one, ConflictError) for one in gave) == 9
    assert len(executions(superuser)) == 1


OTHER = signatures.new_secret()
REFUSED = {
    "bad signature": ({"webhook_signature": "v1,bm90IGl0"}, 401),
    "no signature at all": ({"webhook_signature": "é v1, ,v1"}, 401),
    "another secret": ({"secret": OTHER}, 401),
    "from the past": ({"age_s": 360}, 401),
    "from the future": ({"age_s": -360}, 401),
    "no time": ({"webhook_timestamp": "soon"}, 401),
    "another time than signed": ({"webhook_timestamp": str(int(time.time()) + 60)}, 401),
    "another id than signed": ({"webhook_id": "msg_2"}, 401),
    "a long id": ({"id": "m" * 101}, 401),
    "without id": ({"webhook_id": None}, 401),
    "without time": ({"webhook_timestamp": None}, 401),
    "without signature": ({"webhook_signature": None}, 401),
    "not declared as JSON": ({"content_type": "text/plain"}, 415),
    "a form": ({"content_type": "application/x-www-form-urlencoded"}, 415),
    "compressed": ({"content_encoding": "gzip"}, 415),
    "too large": ({"body": b'{"note": "' + b"x" * hooks.MAX_BYTES + b'"}'}, 413),
    "no JSON": ({"body": b"{order: 7}"}, 422),
    "doubled keys": ({"body": b'{"order": 7, "order": 8}'}, 422),
    "no object": ({"body": b"[7]"}, 422),
    "nothing": ({"body": b""}, 422),
}


@pytest.mark.capability(202)
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_right_is_refused_and_starts_nothing(send, superuser, case):
    given, code = REFUSED[case]
    answer = send(**given)
    assert (answer.status_code, answer.mimetype) == (code, "application/problem+json")
    assert executions(superuser) == []
    assert events(superuser) == (["TRIGGER_REJECTED"] if code in {401, 422} else [])
    assert send().status_code == 202, "a refused message spends no id"


def test_a_body_of_1_mib_is_taken_and_a_larger_one_told_the_limit(send, superuser):
    largest = b'{"order": 7}'.ljust(hooks.MAX_BYTES)
    text = b'{"order": 7, "note": "'
    filled = text + b"x" * (hooks.MAX_BYTES - len(text) - 2) + b'"}'
    assert len(filled) == hooks.MAX_BYTES
    refused = send(body=filled + b" ")
    assert (refused.status_code, "1 MiB" in refused.text) == (413, True)
    assert "10 MB" not in refused.text
    assert send(id="msg_a", body=largest).status_code == 202
    assert send(id="msg_b", body=filled).status_code == 202


@pytest.mark.capability(8)
@pytest.mark.parametrize(
    ("body", "path"),
    [(b"{}", "/order"), (b'{"order": "x"}', "/order"), (b'{"order": 1, "steps": []}', "/steps")],
)
def test_inputs_that_do_not_fit_are_named(send, superuser, body, path):
    answer = send(body)
    assert (answer.status_code, [one["path"] for one in answer.json["errors"]]) == (422, [path])
    assert executions(superuser) == []


@pytest.mark.capability(202)
def test_of_several_signatures_one_has_to_be_right_and_others_count_for_nothing(send, hook):
    body, when = b'{"order": 7}', int(time.time())
    right = signatures.sign(hook.secret, "msg_1", when, body)
    digest = right.removeprefix("v1,")
    for other in (f"v1a,{digest}", f"v2,{digest}", digest):
        assert send(webhook_signature=other).status_code == 401
    wrong = signatures.sign(OTHER, "msg_1", when, body)
    several = f"v1a,{digest} {wrong} {right}"
    assert send(webhook_signature=several, webhook_timestamp=str(when)).status_code == 202


@pytest.mark.capability(202)
def test_while_a_secret_is_rotated_both_hold_for_a_day(send, agent, hook, world, superuser):
    newer = hooks.rotate(agent, hook.id, by=world.operator.actor, user_id=world.operator.id)
    assert send(id="old").status_code == 202
    assert send(id="new", secret=newer.secret).status_code == 202
    superuser.execute("UPDATE hook SET before_until = now() - interval '1 second'")
    assert send(id="older").status_code == 401
    assert send(id="newer", secret=newer.secret).status_code == 202


@pytest.mark.capability(202)
def test_at_most_two_secrets_hold(send, agent, hook, world):
    who = {"by": world.operator.actor, "user_id": world.operator.id}
    second, third = (hooks.rotate(agent, hook.id, **who).secret for _ in range(2))
    assert send(id="first").status_code == 401
    assert send(id="second", secret=second).status_code == 202
    assert send(id="third", secret=third).status_code == 202


def test_a_body_that_is_said_to_be_as_it_is_is_taken(send):
    assert send(content_encoding="identity").status_code == 202


@pytest.mark.capability(202)
def test_signatures_are_compared_in_constant_time_and_all_of_them(monkeypatch):
    compared = []
    real = hmac.compare_digest

    def compare(one, other):
        compared.append(other)
        return real(one, other)

    monkeypatch.setattr(signatures.hmac, "compare_digest", compare)
    right = signatures.sign(OTHER, "m", 1, b"")
    assert signatures.is_signed(f"{right} v1,other", [OTHER, OTHER], "m", 1, b"")
    assert compared == [right.encode(), b"v1,other"] * 2


@pytest.mark.capability(202)
def test_an_unknown_address_answers_like_one_that_is_off_or_deleted(send, agent, hook, world):
    by = {"by": world.operator.actor, "user_id": world.operator.id}
    unknown = send(token="A" * 43)
    hooks.set_active(agent, hook.id, False, **by)
    off = send()
    hooks.set_active(agent, hook.id, True, **by)
    assert send(id="on").status_code == 202
    hooks.delete(agent, hook.id, **by)
    assert send(token="é").status_code == 404
    shapes = [
        (one.status_code, sorted(one.headers.keys()), one.json | {"request_id": ""})
        for one in (unknown, off, send())
    ]
    assert shapes[0] == shapes[1] == shapes[2]
    assert shapes[0][0] == 404
    with pytest.raises(NotFoundError):
        hooks.rotate(agent, hook.id, **by)


def test_an_agent_that_is_off_or_whose_owner_is_off_is_not_started(send, agent, world, superuser):
    agents.set_active(agent, False, by=world.operator.actor, user_id=world.operator.id)
    assert send().status_code == 409
    superuser.execute("UPDATE app_user SET active = false")
    assert send().status_code == 404
    assert executions(superuser) == []


def test_a_source_may_send_120_a_minute(send, servers):
    codes = [send(token="A" * 43).status_code for _ in range(122)]
    assert set(codes[:120]) == {404}
    assert codes[-1] == 429


def test_the_secret_is_stored_sealed_and_twenty_are_enough(agent, hook, world, superuser):
    stored = superuser.execute("SELECT h::text FROM hook h").fetchone()[0]
    stored += str(superuser.execute("SELECT record FROM audit").fetchall())
    assert hook.secret not in stored
    assert len(base64.b64decode(hook.secret.removeprefix("whsec_"))) == 32
    by = {"by": world.operator.actor, "user_id": world.operator.id}
    for _ in range(hooks.MOST_PER_AGENT - 1):
        hooks.create(agent, **by)
    with pytest.raises(ConflictError):
        hooks.create(agent, **by)


@pytest.mark.capability(202)
def test_its_owner_makes_it_sees_deliveries_and_deletes_it(browse, send, agent, hook, world):
    send(id="good")
    send(b'{"order": "x"}', id="bad")
    browser, url = browse(world.operator), f"/agents/{agent}/hooks"
    made = browser.post(url).text
    assert "whsec_" in made
    shown = browser.get(url).text
    assert hook.token in shown
    assert "whsec_" not in shown
    assert "The input order must be a whole number" in shown
    came = browser.get(f"{url}.json").json["deliveries"]
    assert [(one["message_id"], one["status"]) for one in came] == [("bad", 422), ("good", 202)]
    assert "Delete this webhook?" in browser.get(f"{url}/{hook.id}/delete").text
    assert browser.post(f"{url}/{hook.id}/active", {"active": "off"}).status_code == 303
    assert "whsec_" in browser.post(f"{url}/{hook.id}/rotate").text
    assert browser.post(f"{url}/{hook.id}/delete").status_code == 303
    assert hook.token not in browser.get(url).text


def test_others_see_nothing_of_it_and_change_nothing(browse, agent, hook, world):
    url = f"/agents/{agent}/hooks"
    assert browse(world.stranger).get(url).status_code == 404
    assert browse(world.stranger).post(f"{url}/{hook.id}/rotate").status_code == 404
    assert browse(world.viewer).post(url).status_code == 403


@pytest.mark.browser
def test_it_looks_right(window, world, agent, hook, send):
    send(id="good")
    send(b'{"order": "x"}', id="bad")
    page = window(world.operator)
    page.goto(f"/agents/{agent}/hooks/{hook.id}/delete")
    check_looks(page)
    assert page.complaints == []


def test_both_secrets_of_a_rotation_are_sealed_anew_with_the_others():
    columns = {(one.table, one.column) for one in sealed.places()}
    assert {("hook", "sealed"), ("hook", "before_sealed"), ("secret", "sealed")} <= columns
