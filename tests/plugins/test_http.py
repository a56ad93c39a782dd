"""Requests to web addresses: bodies, answers, effect classes and errors."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote

import pytest

from pilot import plugins
from pilot.egress import retry_after
from pilot.errors import ErrorClass, OutcomeUnknownError, PluginError
from pilot.plugins import Effect
from pilot.plugins.http.pages import read_page
from tests.http_peer import serving

PAGE = """<html><head><title>Price  &amp; list</title><style>p{}</style></head><body>
<h1>Prices</h1><p>From <b>now</b> on.<br>All new</p><script>var a = "<p>hidden</p>";</script>
<ul><li><a href="/a?x=1&amp;y=2">First <i>one</i></a></li><li><a href="javascript:x()">No</a></li>
<li><a href="https://other.test/b">Second</a></li><li><a>None</a></li></ul></body></html>"""

HONOURED = {"idempotency": "receiver_honours_key"}


@pytest.fixture
def peer():
    with serving() as server:
        yield server


@pytest.fixture
def send(act, peer):
    """Send a request to the peer; the path says what it answers."""
    host = f"127.0.0.1:{peer.server_address[1]}"

    def request(path="/", name="request", **params):
        return act(f"http.{name}", {"url": f"http://{host}{path}", **params}, allow=[host])

    return request


def failing(send, path, **params):
    with pytest.raises(PluginError) as caught:
        send(path, **params)
    return caught.value


def headers_of(peer):
    return {name.lower(): value for name, value in peer.seen[-1][2].items()}


def test_an_answer_has_status_headers_and_text(send):
    output = send("/")
    assert (output["status"], output["text"], output["json"]) == (200, "hello", None)
    assert (output["headers"]["content-type"], output["size_bytes"]) == ("text/plain", 5)


@pytest.mark.parametrize(
    ("given", "arrives"), [(" a b ", "a b"), ("a\t", "a"), ("\ta", "a"), (" ", ""), ("", "")]
)
def test_spaces_around_a_header_are_none_of_it(send, peer, given, arrives):
    assert send("/", headers={"X-Mine": given})["status"] == 200
    assert headers_of(peer)["x-mine"] == arrives


@pytest.mark.parametrize(
    ("body", "sent", "media_type"),
    [
        ({"json": {"a": [1, None]}}, b'{"a":[1,null]}', "application/json"),
        ({"text": "grüß"}, "grüß".encode(), "text/plain; charset=utf-8"),
        ({"form": {"a": "b c", "d": "&"}}, b"a=b+c&d=%26", "application/x-www-form-urlencoded"),
        ({"text": "<x/>", "headers": {"Content-Type": "text/xml"}}, b"<x/>", "text/xml"),
    ],
)
def test_a_body_goes_as_json_text_or_form(send, peer, body, sent, media_type):
    send("/", method="POST", **body)
    assert peer.seen[-1][3] == sent
    assert headers_of(peer)["content-type"] == media_type


def test_the_query_is_encoded_and_added(send, peer):
    send("/x?a=1#part", query={"b": "c d&e", "n": 5, "yes": True})
    assert peer.seen[-1][1] == "/x?a=1&b=c+d%26e&n=5&yes=true"


@pytest.mark.parametrize(
    ("params", "effect"),
    [
        ({"method": "GET"}, Effect.PURE),
        ({"method": "HEAD"}, Effect.PURE),
        ({"method": "PUT"}, Effect.KEYED),
        ({"method": "DELETE"}, Effect.KEYED),
        ({"method": "POST"}, Effect.ONCE),
        ({"method": "PATCH"}, Effect.ONCE),
        ({"method": "POST", "idempotency": "receiver_honours_key"}, Effect.KEYED),
        ({"method": "PATCH", "idempotency": "receiver_honours_key"}, Effect.KEYED),
    ],
)
def test_the_effect_class_follows_the_method(send, peer, params, effect):
    action = plugins.load("http").actions["request"]
    assert action.effect_of({"url": "http://a.test/", **params}) is effect
    send("/", **params)
    key = headers_of(peer).get("idempotency-key")
    assert key == (None if effect is Effect.PURE else "key-1")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"json": {}, "text": "x", "method": "POST"}, "exclude each other"),
        ({"text": "x"}, "a GET request cannot have"),
        ({"method": "TRACE"}, "must be 'GET'"),
    ],
)
def test_bodies_and_methods_that_cannot_be_are_refused(send, peer, params, message):
    assert message in failing(send, "/", **params).message
    assert peer.seen == []


@pytest.mark.capability(155)
@pytest.mark.parametrize(
    ("status", "error_class", "is_sent"),
    [
        (400, ErrorClass.INPUT, True),
        (401, ErrorClass.AUTH, True),
        (403, ErrorClass.AUTH, True),
        (404, ErrorClass.NOT_FOUND, True),
        (408, ErrorClass.TIMEOUT, True),
        (409, ErrorClass.CONFLICT, True),
        (422, ErrorClass.INPUT, True),
        (429, ErrorClass.RATE_LIMIT, False),
        (500, ErrorClass.SERVER, True),
        (503, ErrorClass.SERVER, False),
        (504, ErrorClass.TIMEOUT, True),
        (599, ErrorClass.SERVER, True),
        (304, ErrorClass.INPUT, True),
    ],
)
def test_each_status_has_its_class(send, status, error_class, is_sent):
    error = failing(send, f"/status?code={status}", method="POST")
    assert (error.error_class, error.sent) == (error_class, is_sent)
    assert error.remote_code == f"http_{status}"
    assert str(status) in error.message


@pytest.mark.capability(155)
def test_a_refusal_says_what_to_do(send):
    message = failing(send, "/status?code=401").message
    assert message.startswith("The receiver answered 401 Unauthorized. The receiver wants cred")
    blocked = failing(send, "/r302?to=http://10.0.0.1/").message
    assert blocked.endswith("An administrator can open 10.0.0.1:80.")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Sat, 21 Nov 2026 10:00:30 GMT", 30.0),
        ("Saturday, 21-Nov-26 10:00:30 GMT", 30.0),
        ("Sat Nov 21 10:00:30 2026", 30.0),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0.0),
        ("Sat, 21 Nov 99999999999999 10:00:00 GMT", None),
        ("9" * 400, retry_after.LONGEST_S),
        ("soon", None),
        ("-3", None),
    ],
)
def test_retry_after_is_read_in_both_forms(send, value, seconds):
    error = failing(send, f"/status?code=429&retry-after={value.replace(' ', '_')}")
    assert error.retry_after_s == seconds


def test_a_date_of_a_receiver_without_a_clock_counts_from_ours():
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < retry_after.seconds({"retry-after": until}) <= 90


def test_expected_statuses_are_no_errors(send):
    assert send("/status?code=404", expect_status=[200, 404])["status"] == 404
    assert failing(send, "/", expect_status=[201]).error_class is ErrorClass.INPUT


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', "[NaN]", "[1e400]", "{", "[" * 200])
def test_json_that_is_not_strict_is_refused(send, text):
    error = failing(send, f"/json?body={text}")
    assert error.error_class is ErrorClass.SCHEMA


UNREAD = ("/damaged", "/bomb", "/brotli", "/headers", "/json?body={", "/r302?to=file:///x")
UNREAD += ("/r303?to=/status?code=404", "/r302?to=/status?code=503")


@pytest.mark.parametrize("path", UNREAD)
def test_what_was_sent_once_and_whose_answer_cannot_be_read_is_unknown(send, peer, path):
    assert isinstance(failing(send, path, method="POST"), OutcomeUnknownError)
    for fields in ({}, {"method": "PUT"}, {"method": "POST", **HONOURED}):
        assert not isinstance(failing(send, path, **fields), OutcomeUnknownError)
    assert not isinstance(failing(send, "/status?code=422", method="POST"), OutcomeUnknownError)
    refused = failing(send, "/", method="POST", headers={"host": "x"})
    assert (isinstance(refused, OutcomeUnknownError), refused.sent) == (False, False)


def test_json_is_decoded(send):
    output = send('/json?body={"a":[1,null]}')
    assert (output["json"], output["text"]) == ({"a": [1, None]}, None)


def test_a_body_that_is_no_text_is_left_out(send):
    output = send("/binary")
    assert (output["text"], output["json"], output["size_bytes"]) == (None, None, 3)


def test_a_receiver_that_is_away_was_sent_nothing(act):
    with pytest.raises(PluginError) as caught:
        act("http.request", {"url": "http://127.0.0.1:9/"}, allow=["127.0.0.1:9"])
    assert (caught.value.error_class, caught.value.sent) == (ErrorClass.NETWORK, False)


@pytest.mark.capability(279)
@pytest.mark.parametrize("name", ["request", "fetch_page"])
def test_internal_addresses_are_refused(act, name):
    with pytest.raises(PluginError) as caught:
        act(f"http.{name}", {"url": "http://169.254.169.254/latest/meta-data/"})
    assert (caught.value.remote_code, caught.value.sent) == ("egress_blocked", False)


def test_a_page_is_read_as_its_reader_sees_it(send, peer):
    peer.page = PAGE.encode()
    page = send("/page", name="fetch_page")
    base = f"http://127.0.0.1:{peer.server_address[1]}"
    assert page["title"] == "Price & list"
    assert page["text"].splitlines()[:4] == ["Prices", "From now on.", "All new", "First one"]
    assert "hidden" not in page["text"]
    assert page["links"] == [
        {"url": f"{base}/a?x=1&y=2", "text": "First one"},
        {"url": "https://other.test/b", "text": "Second"},
    ]


def test_what_is_no_page_is_refused(send):
    with pytest.raises(PluginError, match="gave no page, but image/png"):
        send("/binary", name="fetch_page")
    with pytest.raises(PluginError, match="404"):
        send("/status?code=404", name="fetch_page")


@pytest.mark.parametrize("part", ["<a ", "<!--", "<![", "<a href=x>", "<script>", "&#", "</"])
def test_damaged_markup_takes_linear_time(part):
    title, _, links = read_page(part * (200_000 // len(part)), "http://a.test/")
    assert (title, len(links) <= 1000) == ("", True)


def test_a_link_that_cannot_be_read_is_left_out():
    _, text, links = read_page("<a href='//[x'>a</a><a href='/b'>b<p>c</p></a>", "http://a.test")
    assert ([link.url for link in links], text.split()) == (["http://a.test/b"], ["ab", "c"])


@pytest.mark.parametrize("name", ["none", "idna", "punycode", "undefined"])
def test_a_charset_that_does_not_exist_or_is_for_no_text_is_read_as_utf_8(send, peer, name):
    assert send(f"/charset?name={name}")["text"] == "grüß"


@pytest.mark.parametrize(("name", "body"), [("utf-7", "+2AA-"), ("unicode_escape", "\\ud800")])
def test_half_a_character_is_replaced(send, act, peer, name, body):
    path = f"/charset?name={name}&body={quote(f'a{body}b')}"
    assert send(path)["text"] == "a?b"
    where = f"127.0.0.1:{peer.server_address[1]}"
    page = act("http.fetch_page", {"url": f"http://{where}{path}"}, allow=[where])
    assert page["text"] == "a?b"
