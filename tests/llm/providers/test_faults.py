"""Every row of the table of faults, in both formats, over a real socket."""

import socket
import time
from dataclasses import replace

import pytest

from pilot.llm import transport
from tests.llm.providers.asking import ASK, BOTH, fault, send
from tests.peer.fixture import KEY


@BOTH
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        *((408, "timeout"), (504, "timeout")),
        *((400, "config"), (422, "config"), (402, "config"), (404, "config"), (405, "config")),
        (413, "truncated"),
        *((401, "auth"), (403, "auth")),
        *((409, "api"), (500, "api"), (502, "api"), (503, "api"), (529, "api")),
        (429, "rate_limit"),
        (302, "config"),
    ],
)
def test_a_status_says_what_went_wrong(peer, form, status, reason):
    peer.script({"fault": {"kind": "status", "status": status, "message": "because of it"}})
    found = fault(peer.model(form))
    assert (found.reason, found.http_status) == (reason, status)
    assert form in found.message
    assert "because of it" in found.message
    assert len(peer.requests()) == 1  # nothing is repeated, no redirect is followed


@BOTH
@pytest.mark.parametrize(
    ("told", "reason", "too_long"),
    [
        ({"status": 400, "code": "context_length_exceeded"}, "truncated", True),
        ({"status": 400, "message": "prompt is too long: 9 tokens > 5"}, "truncated", True),
        ({"status": 413}, "truncated", True),
        ({"status": 429, "code": "insufficient_quota"}, "config", False),
        ({"status": 429, "code": "billing_error"}, "config", False),
    ],
)
def test_codes_and_messages_tell_more_than_the_status(peer, form, told, reason, too_long):
    peer.script({"fault": {"kind": "status", **told}})
    found = fault(peer.model(form))
    assert (found.reason, found.too_long) == (reason, too_long)


@BOTH
@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        *((2, 2), ("0.5", 0.5), ("date+7", 7), ("huge", 99_999_999), (None, None)),
        *(("soon", None), ("nan", None), ("-3", None), ("inf", None)),
    ],
)
def test_the_wait_that_a_provider_asks_for(peer, form, retry_after, seconds):
    peer.script({"fault": {"kind": "status", "status": 429, "retry_after": retry_after}})
    assert fault(peer.model(form)).retry_after_s == seconds


@BOTH
@pytest.mark.parametrize("kind", ["not_json", "array", "nan", "duplicate", "surrogate", "large"])
def test_a_body_that_is_no_good_json_is_a_fault_of_the_provider(peer, form, kind):
    peer.script({"fault": kind})
    found = fault(peer.model(form))
    assert (found.reason, found.maybe_billed) == ("api", True)


@BOTH
def test_a_reply_without_a_message_cannot_be_read(peer, form, monkeypatch):
    peer.script({"fault": "bare"})
    found = fault(peer.model(form))
    assert found.reason == "api"
    assert "cannot be read: It has no" in found.message


@BOTH
@pytest.mark.parametrize(("kind", "after"), [("reset", None), ("cut", 0), ("cut", 40)])
def test_a_broken_connection_may_have_cost_money(peer, form, kind, after):
    peer.script({"fault": {"kind": kind, "after": after}})
    found = fault(peer.model(form))
    assert (found.reason, found.http_status, found.maybe_billed) == ("api", None, True)


@BOTH
@pytest.mark.parametrize("kind", ["hang", "trickle"])
def test_the_deadline_is_total_however_slowly_bytes_come(peer, form, kind):
    peer.script({"fault": kind})
    started = time.monotonic()
    found = fault(peer.model(form), replace(ASK, timeout_s=0.5))
    assert 0.4 < time.monotonic() - started < 10
    assert (found.reason, found.maybe_billed) == ("timeout", True)


@BOTH
def test_a_slow_answer_within_the_deadline_is_an_answer(peer, form):
    peer.script({"fault": {"kind": "delay", "s": 0.3}})
    assert send(peer.model(form)).text == '{"answer": "ok"}'


@BOTH
def test_a_port_where_nobody_listens_cost_nothing(peer, form):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
        connection = peer.connection(form, base_url=f"http://{where}", allow=where)
        found = fault(peer.model(form, connection=connection))
    assert (found.reason, found.maybe_billed) == ("api", False)


@BOTH
def test_a_peer_that_speaks_no_tls_is_a_fault_of_the_provider(peer, form):
    url = f"https://127.0.0.1:{peer.port}"
    found = fault(peer.model(form, connection=peer.connection(form, base_url=url)))
    assert (found.reason, found.maybe_billed) == ("api", False)


@BOTH
def test_an_internal_address_is_reached_only_by_an_explicit_entry(peer, form):
    found = fault(peer.model(form, connection=peer.connection(form, allow="127.0.0.1:1")))
    assert found.reason == "config"
    assert f"An administrator can open 127.0.0.1:{peer.port}" in found.message
    assert peer.requests() == []


@BOTH
@pytest.mark.parametrize("name", ["key", "base_url"])
def test_without_key_or_address_no_client_exists(peer, form, name, monkeypatch):
    monkeypatch.setattr(transport.Connection, "client", None)
    found = fault(peer.model(form, connection=peer.connection(form, **{name: ""})))
    assert found.reason == "config"
    assert "under System config" in found.message


@BOTH
def test_a_key_that_a_provider_repeats_is_not_told(peer, form, caplog):
    caplog.set_level("DEBUG")
    peer.script({"fault": {"kind": "status", "status": 401, "message": "bad key {key}!"}})
    found = fault(peer.model(form))
    assert KEY not in f"{found.message} {found!r} {caplog.text} {peer.model(form)!r}"
    assert "bad key [key]!" in found.message
    assert found.__cause__ is None
    assert found.__suppress_context__
