"""Secrets that workflows name: filled in on the way out, for their hosts, and told nowhere."""

from dataclasses import replace

import pytest

from pilot import db, redaction, vault
from pilot.egress import Egress
from pilot.egress.handles import Secret
from pilot.engine import validation
from pilot.engine.language import catalogue, secret_sinks
from pilot.engine.secrets import known_secrets, secret_handles
from pilot.errors import ErrorClass, InvalidError, NotFoundError, StepError
from tests.engine import worker_process as wp
from tests.http_peer import serving
from tests.pages import KEY

CANARY = 'canary/0123456789:"x"+&'
REQUEST = {"id": "tell", "type": "action", "plugin": "http", "action": "request"}


@pytest.fixture(autouse=True)
def _sealing():
    vault.configure([KEY])
    yield
    vault.configure([])


@pytest.fixture
def peer():
    with serving() as server:
        server.host = f"127.0.0.1:{server.server_address[1]}"
        yield server


def put(who, name="shop-key", value=CANARY, hosts=("api.example.com",)):
    secret_handles.put(name, value, hosts, by=who.actor, user_id=who.id)


def listed(who):
    with db.reading(who.id) as session:
        return [
            (one.name, one.version, one.hosts) for one in secret_handles.listed(session, who.id)
        ]


def told(superuser, *tables):
    rows = [superuser.execute(f"SELECT t::text FROM {one} t").fetchall() for one in tables]  # noqa: S608
    return "\n".join(row[0] for found in rows for row in found)


@pytest.mark.capability(281)
def test_a_secret_is_stored_sealed_replaced_and_deleted(world, superuser):
    put(world.operator, hosts=[" API.example.com ", "localhost:8080"])
    put(world.operator, value=f"{CANARY}2")
    assert listed(world.operator) == [("shop-key", 2, ["api.example.com"])]
    opened = secret_handles.opened(world.operator.id, ["shop-key"])["shop-key"]
    assert (opened.value, CANARY in repr(opened)) == (f"{CANARY}2", False)
    secret_handles.delete("shop-key", by=world.operator.actor, user_id=world.operator.id)
    assert listed(world.operator) == []
    with pytest.raises(NotFoundError):
        secret_handles.delete("shop-key", by=world.operator.actor, user_id=world.operator.id)
    events = superuser.execute("SELECT event FROM audit WHERE event LIKE 'SECRET%' ORDER BY seq")
    assert [row[0] for row in events] == ["SECRET_SET", "SECRET_SET", "SECRET_DELETED"]
    assert "canary" not in told(superuser, "secret", "audit")


def test_another_persons_secret_is_not_there(world):
    put(world.operator)
    assert listed(world.stranger) == []
    with pytest.raises(StepError, match="There is no secret shop-key"):
        secret_handles.opened(world.stranger.id, ["shop-key"])
    put(world.stranger, value="another-secret-1")
    assert secret_handles.opened(world.operator.id, ["shop-key"])["shop-key"].value == CANARY


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"name": "shop key"}, "/name"),
        ({"value": "short77"}, "/value"),
        ({"value": "completed"}, "/value"),
        ({"value": "zürich-0123456"}, "/value"),
        ({"value": "x[redacted:y]z"}, "/value"),
        ({"hosts": []}, "/hosts"),
        ({"hosts": ["https://api.example.com"]}, "/hosts"),
        ({"hosts": ["*.example.com"]}, "/hosts"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name_and_not_repeated(world, given, path):
    with pytest.raises(InvalidError) as caught:
        put(world.operator, **given)
    (issue,) = caught.value.issues
    assert issue.path == path
    assert given.get("value", "?!") not in repr(issue)


@pytest.mark.capability(281)
def test_a_secret_goes_out_and_comes_back_nowhere(
    database, redis_url, world, tmp_path, peer, superuser
):
    """The receiver tells it back in two chunks that part it, in another encoding."""
    put(world.operator, hosts=[peer.host])
    params = {
        "method": "POST",
        "url": f"http://{peer.host}/echo",
        "headers": {"authorization": "Bearer {{secret:shop-key}}"},
        "json": {"key": "{{secret:shop-key}}", "mail": "{{inputs.mail}}"},
    }
    inputs = {"type": "object", "properties": {"mail": {"type": "string"}}}
    owner = world.operator.id
    wp.switch_on()
    facts = replace(wp.config(database, redis_url, tmp_path), egress_allow=(peer.host,))
    with wp.working(facts):
        agent = wp.make_agent(owner, [REQUEST | {"params": params}], inputs=inputs)
        good = wp.start(agent, owner, mail="hello")
        bad = wp.start(agent, owner, mail="send me {{secret:shop-key}}")
        assert wp.wait_for(database, good)[0] == "completed"
        status, _, error, _ = wp.wait_for(database, bad)
    assert status == "failed"
    assert "came from data" in str(error)
    (sent,) = peer.seen
    headers = {name.lower(): value for name, value in sent[2].items()}
    assert headers["authorization"] == f"Bearer {CANARY}"
    assert sent[3] == b'{"key":"canary/0123456789:\\"x\\"+&","mail":"hello"}'
    written = told(superuser, "step_execution", "event", "audit", "execution", "secret")
    assert "[redacted:secret]" in written
    assert "0123456789" not in written


def with_secrets(host, *hosts, allow=()):
    secrets = {"k": Secret(CANARY, frozenset(hosts or [host]))}
    return Egress(allow or [host]).with_secrets(secrets)


@pytest.mark.parametrize(
    ("content", "kind", "sent"),
    [
        (b"a={{secret:k}}", "text/plain", f"a={CANARY}".encode()),
        (
            b"a=%7B%7Bsecret%3Ak%7D%7D",
            "application/x-www-form-urlencoded",
            b"a=canary%2F0123456789%3A%22x%22%2B%26",
        ),
        (b"\xff{{secret:k}}", "image/png", b"\xff{{secret:k}}"),
    ],
)
def test_it_is_written_as_the_body_writes_texts(peer, content, kind, sent):
    client = with_secrets(peer.host)
    url, headers = f"http://{peer.host}/", {"Content-Type": kind}
    client.request("POST", url, headers=headers, content=content)
    assert peer.seen[-1][3] == sent


@pytest.mark.parametrize(
    ("client", "url", "why"),
    [
        (lambda host: with_secrets(host, "api.example.com"), "http://{}/", "is not for 127.0.0.1"),
        (with_secrets, "http://{}/?key={{{{secret:k}}}}", "must not hold"),
        (
            lambda _: with_secrets("example.com", "example.com:80"),
            "http://example.com/",
            "clear",
        ),
        (
            lambda host: Egress([host]).with_secrets({"o": Secret(CANARY, frozenset([host]))}),
            "http://{}/",
            "not at hand",
        ),
    ],
)
def test_a_request_that_would_give_it_away_does_not_leave(peer, client, url, why):
    with pytest.raises(StepError, match=why) as caught:
        client(peer.host).request("GET", url.format(peer.host), headers={"x-key": "{{secret:k}}"})
    assert not caught.value.sent
    assert peer.seen == []


def test_a_secret_does_not_follow_to_another_origin(peer):
    with serving() as other:
        there = f"127.0.0.1:{other.server_address[1]}"
        client = with_secrets(peer.host, allow=[peer.host, there])
        url = f"http://{peer.host}/r302?to=http://{there}/"
        client.request("GET", url, headers={"x-key": "{{secret:k}}"})
        assert peer.seen[0][2]["x-key"] == CANARY
        assert "x-key" not in other.seen[0][2]


HANDLE = "{{secret:k}}"


@pytest.mark.parametrize(
    "step",
    [
        REQUEST | {"params": {"url": f"https://a.test/{HANDLE}"}},
        REQUEST | {"params": {"url": "https://a.test/", "query": {"key": HANDLE}}},
        {
            "type": "action",
            "plugin": "mail",
            "action": "send",
            "params": {"to": ["ann@example.com"], "subject": "Hi", "text": HANDLE},
        },
        {"type": "ai_processing", "prompt": f"Say {HANDLE}"},
        {"type": "human_approval", "title": HANDLE, "approvers": ["owner"]},
        {"type": "transform", "operation": "set", "config": {"value": HANDLE}},
    ],
    ids=["url", "query", "mail", "prompt", "approval", "transform"],
)
def test_anywhere_else_it_is_an_issue_and_the_agent_is_not_saved(world, step):
    document = {"format": 1, "name": "T", "steps": [{"id": "it"} | step]}
    found = validation.validate(document, catalogue.load())
    (issue,) = [one for one in found if one.code == "E_SECRET_SINK"]
    assert issue.path.startswith("/steps/0/")
    with pytest.raises(InvalidError):
        wp.make_agent(world.operator.id, [{"id": "it"} | step])


def test_in_headers_and_body_it_is_no_issue():
    params = {"url": "https://a.test/", "method": "POST", "headers": {"x": HANDLE}, "text": HANDLE}
    document = {"format": 1, "name": "T", "steps": [{"id": "it"} | REQUEST | {"params": params}]}
    assert "E_SECRET_SINK" not in {
        one.code for one in validation.validate(document, catalogue.load())
    }


@pytest.mark.parametrize(
    ("action", "written", "given"),
    [
        ("http.request", {"url": HANDLE}, {"url": HANDLE}),
        ("mail.send", {"text": HANDLE}, {"text": HANDLE}),
        ("http.request", None, {"text": HANDLE}),  # a model wrote it
        ("http.request", {"text": "{{inputs.x}}"}, {"text": HANDLE}),
        ("http.request", {"text": f"{HANDLE}{{{{inputs.x}}}}"}, {"text": HANDLE * 2}),
        ("http.request", {"text": '{{ "' + HANDLE + '" }}'}, {"text": HANDLE}),
        ("http.request", {"json": "{{inputs.x}}"}, {"json": {HANDLE: 1}}),
        ("http.request", {"json": "{{inputs.x}}"}, {"json": [HANDLE]}),
    ],
)
def test_a_workflow_that_was_not_checked_is_refused_when_it_runs(action, written, given):
    with pytest.raises(StepError) as caught:
        secret_sinks.refuse(action, written, given)
    assert caught.value.error_class is ErrorClass.INPUT
    assert not caught.value.sent


def test_another_process_hides_it_after_its_next_look(world, monkeypatch):
    put(world.operator)
    redaction.know({})
    monkeypatch.setattr(known_secrets._Process, "opened", frozenset())
    known_secrets.refresh()
    assert redaction.redact(f"it is {CANARY}") == "it is [redacted:secret]"
