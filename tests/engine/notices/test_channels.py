"""Channels besides mail: each told by a message of its own, whose failure stops no other."""

import base64
import json

import pytest
from cryptography.fernet import Fernet

from pilot import vault
from pilot.egress import Egress
from pilot.engine.notices import channels, outbox
from pilot.engine.notices.letters import Channels
from pilot.engine.secrets import secret_handles, signatures
from pilot.errors import InvalidError
from tests import http_peer
from tests.engine.notices import relaying
from tests.engine.notices.relaying import URL

SECRET = signatures.PREFIX + base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def peer(world):
    """Give a peer at which all three channels are set up before anything is asked."""
    vault.configure([Fernet.generate_key().decode()])
    with http_peer.serving() as server:
        server.url = f"http://127.0.0.1:{server.server_port}"
        for name in channels.NAMES:
            channels.put(name, f"{server.url}/{name}", SECRET, by=world.admin.actor)
        yield server
    vault.configure([])


def relay(tmp_path, peer):
    allowed = Egress([peer.url.removeprefix("http://")])
    return relaying.relay(Channels(tmp_path, URL, egress=allowed))


def arrived(peer):
    return {path.strip("/"): (headers, json.loads(body)) for _, path, headers, body in peer.seen}


def states(superuser):
    query = """SELECT payload -> 'channel' ->> 'kind', sent_at IS NOT NULL, error FROM outbox
                WHERE kind = 'approval_channel' ORDER BY 1"""
    return superuser.execute(query).fetchall()


@pytest.mark.capability(43)
def test_webhook_slack_and_teams_are_told_each_in_its_shape(peer, asked, tmp_path, superuser):
    relay(tmp_path, peer)
    told = arrived(peer)
    headers, body = told["webhook"]
    approval, _ = asked
    names = "type approval_id execution_id path title message context approvers rule expires_at"
    assert set(body) == {*names.split(), "created_at"}
    assert (body["type"], body["approval_id"]) == ("approval.requested", str(approval))
    assert body["context"] == {"note": "<script>alert(1)</script>"}
    raw = next(one[3] for one in peer.seen if one[1] == "/webhook")
    lower = {name.lower(): value for name, value in headers.items()}
    signed = lower["webhook-id"], int(lower["webhook-timestamp"]), raw
    assert signatures.is_signed(lower["webhook-signature"], [SECRET], *signed)
    slack = told["slack"][1]
    assert slack["text"] == "Approval asked: Pay &lt;b&gt;500&lt;/b&gt;?"
    header, message, until, actions = slack["blocks"]
    assert header["text"] == {"type": "plain_text", "text": "Pay <b>500</b>?", "emoji": False}
    assert message["text"]["text"] == "Invoice & reminder"
    assert "Decide until" in until["text"]["text"]
    assert actions["elements"][0]["url"] == f"{URL}/approvals/{approval}"
    (card,) = told["teams"][1]["attachments"]
    assert card["content"]["body"][0]["inlines"][0]["text"] == "Pay <b>500</b>?"
    assert card["content"]["actions"][0]["url"] == f"{URL}/approvals/{approval}"
    assert states(superuser) == [
        ("slack", True, None),
        ("teams", True, None),
        ("webhook", True, None),
    ]
    assert relay(tmp_path, peer) == 0


@pytest.mark.capability(25, 43)
def test_a_failing_one_stops_no_other_is_given_up_after_a_day_and_replayed(
    peer,
    asked,
    world,
    tmp_path,
    superuser,
):
    broken = f"{peer.url}/status?code=500&key=very-secret"
    channels.put("slack", broken, "", by=world.admin.actor)
    relay(tmp_path, peer)
    failed = "Slack answered with status 500."
    told = [("slack", False, failed), ("teams", True, None), ("webhook", True, None)]
    assert states(superuser) == told
    slack = " WHERE payload -> 'channel' ->> 'kind' = 'slack'"
    day = "UPDATE outbox SET due_at = pilot_now(), created_at = pilot_now() - interval '25 hours'"
    superuser.execute(day + slack)
    relay(tmp_path, peer)
    query = "SELECT id, about FROM outbox WHERE dead_at IS NOT NULL"
    dead, approval = superuser.execute(query).fetchone()
    query = "SELECT record FROM audit WHERE event = 'NOTIFICATION_FAILED' ORDER BY seq"
    records = [text for (text,) in superuser.execute(query) if "slack at" in text]
    assert len(records) == 2, "the first failure and the last"
    assert "very-secret" not in str(records)
    channels.put("slack", f"{peer.url}/slack", "", by=world.admin.actor)
    with outbox.db.transaction("test.replay", world.operator.id) as session:
        outbox.replay(session, dead, approval, by=world.operator.actor)
    relay(tmp_path, peer)
    assert states(superuser)[0] == ("slack", True, None)


@pytest.mark.capability(25, 298)
@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_a_channel_that_has_moved_is_told_with_where_to(
    peer,
    asked,
    world,
    tmp_path,
    superuser,
    status,
):
    moved = f"{peer.url}/r{status}?to=https://hooks.example.com/very-secret"
    channels.put("slack", moved, "", by=world.admin.actor)
    channels.put("teams", f"{peer.url}/r{status}?to=/elsewhere", "", by=world.admin.actor)
    relay(tmp_path, peer)
    slack, teams, webhook = states(superuser)
    assert slack[2] == (
        f"Slack answered with status {status}. It redirects to hooks.example.com: "
        "set up the address that takes messages itself."
    )
    assert "redirects to 127.0.0.1: set up" in teams[2]
    assert [one[1] for one in (slack, teams, webhook)] == [False, False, True]
    assert [one[1] for one in peer.seen if "elsewhere" in one[1]] == [f"/r{status}?to=/elsewhere"]


@pytest.mark.capability(25)
@pytest.mark.parametrize("path", ["damaged", "bomb", "cut", "drip", "brotli"])
def test_what_a_channel_answers_beside_success_does_not_matter(
    peer,
    asked,
    world,
    tmp_path,
    superuser,
    path,
):
    channels.put("slack", f"{peer.url}/{path}", "", by=world.admin.actor)
    relay(tmp_path, peer)
    assert states(superuser)[0] == ("slack", True, None)


@pytest.mark.capability(25)
@pytest.mark.usefixtures("set_clock")  # it stands still
@pytest.mark.parametrize(
    "case",
    [
        ("code=429&retry-after=600", 0, 600),
        ("code=503&retry-after=Sat,_21_Nov_2026_10:05:00_GMT", 0, 300),
        ("code=429&retry-after=1", 0, 5),
        ("code=429&retry-after=7200", 23.5, 1800),  # the last try, at the end of the day
        ("code=429&retry-after=99999999999999999999", 0, 86_400),
    ],
)
def test_a_channel_that_asks_to_wait_is_waited_for_within_the_day(
    peer,
    asked,
    world,
    tmp_path,
    superuser,
    case,
):
    asks, hours_ago, seconds = case
    channels.put("slack", f"{peer.url}/status?{asks}", "", by=world.admin.actor)
    superuser.execute(
        "UPDATE outbox SET created_at = pilot_now() - %s * interval '1 h', due_at = pilot_now()",
        [hours_ago],
    )
    relay(tmp_path, peer)
    query = """SELECT extract(epoch FROM due_at - pilot_now()) FROM outbox
                WHERE payload -> 'channel' ->> 'kind' = 'slack'"""
    assert float(superuser.execute(query).fetchone()[0]) == seconds


@pytest.mark.capability(43)
@pytest.mark.parametrize(
    "asked", [{"channels": [{"kind": "slack", "secret": "team_chat"}]}], indirect=True
)
def test_a_step_names_a_channel_by_a_secret_of_its_owner(peer, asked, world, tmp_path, superuser):
    host = peer.url.removeprefix("http://")
    owner = {"by": world.operator.actor, "user_id": world.operator.id}
    relay(tmp_path, peer)
    assert states(superuser) == [
        ("slack", False, "There is no secret team_chat: set it under Secrets.")
    ]
    secret_handles.put("team_chat", f"{peer.url}/own", ["elsewhere.example"], **owner)
    superuser.execute("UPDATE outbox SET due_at = pilot_now()")
    relay(tmp_path, peer)
    assert "no address of a host that it is bound to" in states(superuser)[0][2]
    secret_handles.put("team_chat", f"{peer.url}/own", [host], **owner)
    superuser.execute("UPDATE outbox SET due_at = pilot_now()")
    relay(tmp_path, peer)
    assert [one[1] for one in peer.seen] == ["/own"], "no other channel, and no mail"


@pytest.mark.parametrize(
    ("name", "url", "secret"),
    [
        ("slack", "http://hooks.example.com/1", ""),
        ("slack", "https://user@hooks.example.com/2", ""),
        ("teams", "ftp://127.0.0.1/1", ""),
        ("webhook", "https://hooks.example.com/3", "whsec_short"),
        ("webhook", "https://hooks.example.com/3", ""),
    ],
)
def test_what_is_no_address_or_secret_is_refused_without_repeating_it(world, name, url, secret):
    with pytest.raises(InvalidError) as refused:
        channels.put(name, url, secret, by=world.admin.actor)
    assert url not in str(refused.value.issues)
