"""Foreign addresses: what is refused before a byte is sent, and what a hostile server may do."""

import socket
import ssl
import threading
import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from pilot.egress import Egress, Traffic, client
from pilot.egress.dialling import DENIED_NETWORKS
from pilot.egress.refusals import BLOCKED
from pilot.errors import ErrorClass, StepError
from tests import certificates
from tests.http_peer import serving
from tests.written import read

CASES = read(Path(__file__).parent / "data/attacks.yaml")["cases"]
SSRF = [case["input"] for case in CASES if case["category"] == "ssrf" and case["kind"] == "literal"]
REBOUND = ("93.184.216.34", "127.0.0.1")


@pytest.fixture
def peer():
    with serving() as server:
        yield server


@pytest.fixture
def names(monkeypatch):
    """Names and the addresses that a look-up gives for them, one answer after the other."""
    answers = {}
    real = socket.getaddrinfo

    def look_up(host, port, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        if name not in answers:
            return real(host, port, *args, **kwargs)
        given = answers[name]
        address = given.pop(0) if len(given) > 1 else given[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return answers


def port_of(server):
    return server.server_address[1]


def opened(server, *hosts, report=None):
    return Egress([f"{host}:{port_of(server)}" for host in hosts or ("127.0.0.1",)], report=report)


def refused(client, url, method="GET", **kwargs):
    with pytest.raises(StepError) as caught:
        client.request(method, url, **kwargs)
    return caught.value


@pytest.mark.capability(279)
@pytest.mark.parametrize("url", SSRF)
def test_no_form_of_an_internal_address_is_dialled(url, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it dialled"))
    traffic = []
    error = refused(Egress(report=traffic.append), url)
    assert (error.error_class, error.remote_code) == (ErrorClass.INPUT, BLOCKED)
    assert error.sent is False
    assert [one.blocked for one in traffic] == [error.message]


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///x",
        "https://user:pass@example.com/",
        "http://@example.com/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://exa mple.com/",
        "http://example.com/\x00",
        "http://example.com%2f@127.0.0.1/",
        "http://256.1.1.1/",
        "http://a..b/",
        "file:///etc/passwd",
        "//example.com/",
        "example.com",
        "http://example.com/" + "a" * 9000,
    ],
)
def test_addresses_that_parsers_read_differently_are_refused(url):
    assert refused(Egress(), url).remote_code == BLOCKED


def test_what_an_administrator_is_told_to_open_opens_it():
    url = "http://[::1]:42271/"
    entry = refused(Egress(), url).message.removesuffix(".").split()[-1]
    assert refused(Egress([entry]), url).error_class is ErrorClass.NETWORK


@pytest.mark.parametrize("port", [22, 25, 5432, 6379, 11211])
def test_ports_that_are_not_of_the_web_are_refused(port):
    assert "not a port of the web" in refused(Egress(), f"http://example.com:{port}/").message


@pytest.mark.parametrize(
    "address",
    ["::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "fe80::1", "192.0.0.192", "::"],
)
def test_denied_networks_hold_the_forms_that_wrap_an_address(address):
    found = ip_address(address)
    assert any(found in network for network in DENIED_NETWORKS if network.version == found.version)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_not_denied(address):
    found = ip_address(address)
    assert not any(
        found in network for network in DENIED_NETWORKS if network.version == found.version
    )


@pytest.mark.capability(279)
def test_a_name_that_rebinds_is_dialled_at_the_checked_address(names, monkeypatch):
    names["rebind.test"] = list(REBOUND)
    dialled = []

    def dial(address, timeout):
        dialled.append(address)
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(socket, "create_connection", dial)
    error = refused(Egress(), "http://rebind.test/")
    assert dialled == [("93.184.216.34", 80)]
    assert (error.error_class, error.sent) == (ErrorClass.NETWORK, False)


def test_one_denied_address_among_many_refuses_the_name(monkeypatch):
    def look_up(host, port, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in REBOUND]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    error = refused(Egress(), "http://both.test/")
    assert error.remote_code == BLOCKED
    assert "127.0.0.1" not in error.message


def test_a_name_that_is_an_alias_of_this_machine_is_refused(peer, monkeypatch):
    """Its CNAME is localhost: whatever it is called, the address at its end counts."""

    def look_up(host, port, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "localhost", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    error = refused(Egress(), f"http://alias.test:{port_of(peer)}/")
    assert (error.remote_code, error.sent) == (BLOCKED, False)
    assert peer.seen == []


def test_a_refused_connection_tries_the_next_address(peer, monkeypatch):
    def look_up(host, port, *args, **kwargs):
        found = [host] if isinstance(host, str) else ["127.0.0.2", "127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    url = f"http://two.test:{port_of(peer)}/"
    assert opened(peer, "two.test").request("GET", url).body == b"hello"


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [(TimeoutError(), ErrorClass.TIMEOUT), (OSError(113, "No route"), ErrorClass.NETWORK)],
)
def test_a_host_that_cannot_be_reached_was_sent_nothing(monkeypatch, fault, error_class):
    def dial(address, timeout):
        raise fault

    monkeypatch.setattr(socket, "create_connection", dial)
    error = refused(Egress(), "http://93.184.216.34/")
    assert (error.error_class, error.sent) == (error_class, False)


def test_nothing_is_dialled_after_the_deadline(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it dialled"))
    error = refused(Egress(), "http://93.184.216.34/", deadline=time.monotonic() - 1)
    assert (error.error_class, error.sent) == (ErrorClass.TIMEOUT, False)


def test_an_unknown_name_is_a_network_error_that_sent_nothing():
    error = refused(Egress(), "http://no-such-name.invalid/")
    assert (error.error_class, error.sent) == (ErrorClass.NETWORK, False)


def test_a_resolver_that_hangs_ends_at_the_deadline(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(5) and [])
    start = time.monotonic()
    error = refused(Egress(), "http://slow.test/", deadline=start + 0.2)
    release.set()
    assert (error.error_class, error.sent) == (ErrorClass.TIMEOUT, False)
    assert time.monotonic() - start < 5


def test_an_entry_of_the_administrator_opens_exactly_that(peer):
    allowed = f"http://127.0.0.1:{port_of(peer)}/"
    assert opened(peer).request("GET", allowed).body == b"hello"
    assert refused(opened(peer), "http://127.0.0.1:1/").remote_code == BLOCKED
    assert refused(opened(peer), f"http://localhost:{port_of(peer)}/").remote_code == BLOCKED


def test_a_request_arrives_as_it_was_given(peer):
    url = f"http://127.0.0.1:{port_of(peer)}/a?b=%20c"
    reply = opened(peer).request("PUT", url, headers={"X-Mine": "1"}, content=b"body")
    method, path, headers, body = peer.seen[0]
    assert (method, path, body, headers["x-mine"]) == ("PUT", "/a?b=%20c", b"body", "1")
    assert (reply.status, reply.headers["content-type"], reply.url) == (200, "text/plain", url)


def test_every_request_is_reported_without_its_path(peer):
    traffic = []
    opened(peer, report=traffic.append).request("GET", f"http://127.0.0.1:{port_of(peer)}/secret")
    assert traffic == [Traffic("GET", f"http://127.0.0.1:{port_of(peer)}", 200)]


@pytest.mark.parametrize(
    "headers",
    [
        {"x": "a\r\nhost: evil"},
        {"x\r\ny": "a"},
        {"Host": "evil"},
        {"Transfer-Encoding": "chunked"},
        {"x": "ü"},
    ],
)
def test_headers_cannot_be_smuggled(peer, headers):
    url = f"http://127.0.0.1:{port_of(peer)}/"
    assert refused(opened(peer), url, headers=headers).remote_code == BLOCKED
    assert peer.seen == []


def test_a_redirect_to_an_internal_address_is_refused_after_the_first_request(peer, names):
    url = f"http://127.0.0.1:{port_of(peer)}/r302?to=http://127.0.0.1:6379/"
    error = refused(opened(peer), url)
    assert (error.remote_code, error.sent) == (BLOCKED, True)


def test_four_redirects_are_one_too_many(peer):
    base = f"http://127.0.0.1:{port_of(peer)}"
    assert opened(peer).request("GET", f"{base}/r302?to=/r302?to=/r302?to=/end").body == b"hello"
    loop = f"{base}/r302?to=/r302?to=/r302?to=/r302?to=/end"
    error = refused(opened(peer), loop)
    assert (error.error_class, len(peer.seen)) == (ErrorClass.LIMIT, 8)


def test_no_credentials_go_to_another_origin(peer, names):
    names["one.test"] = names["two.test"] = ["127.0.0.1"]
    port = port_of(peer)
    url = f"http://one.test:{port}/r302?to=http://two.test:{port}/end"
    headers = {"Authorization": "Bearer x", "X-Api-Key": "k", "Cookie": "c=1", "Accept": "a/b"}
    opened(peer, "one.test", "two.test").request("GET", url, headers=headers)
    _, _, last, _ = peer.seen[-1]
    assert last["accept"] == "a/b"
    assert {"authorization", "x-api-key", "cookie"}.isdisjoint(name.lower() for name in last)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_an_effect_is_never_repeated_at_another_origin(peer, names, method):
    names["one.test"] = names["two.test"] = ["127.0.0.1"]
    port = port_of(peer)
    url = f"http://one.test:{port}/r307?to=http://two.test:{port}/end"
    error = refused(opened(peer, "one.test", "two.test"), url, method, content=b"x")
    assert (error.remote_code, error.sent, len(peer.seen)) == (BLOCKED, True, 1)


def test_a_post_is_repeated_at_its_own_origin_only_by_307(peer):
    base = f"http://127.0.0.1:{port_of(peer)}"
    for path in ("/r307?to=/end", "/r303?to=/end"):
        opened(peer).request("POST", base + path, headers={"Content-Type": "a/b"}, content=b"x")
    assert [(method, body) for method, _, _, body in peer.seen] == [
        ("POST", b"x"),
        ("POST", b"x"),
        ("POST", b"x"),
        ("GET", b""),
    ]
    assert "content-type" not in peer.seen[-1][2]


@pytest.mark.parametrize(
    ("path", "error_class"),
    [
        ("bomb", ErrorClass.OUTPUT_TOO_LARGE),
        ("headers", ErrorClass.OUTPUT_TOO_LARGE),
        ("endless_headers", ErrorClass.NETWORK),
        ("brotli", ErrorClass.SCHEMA),
        ("damaged", ErrorClass.SCHEMA),
        ("cut", ErrorClass.NETWORK),
    ],
)
def test_a_hostile_answer_is_bounded(peer, path, error_class):
    error = refused(opened(peer), f"http://127.0.0.1:{port_of(peer)}/{path}")
    assert (error.error_class, error.sent) == (error_class, True)


def test_an_answer_that_drips_ends_at_the_deadline(peer):
    start = time.monotonic()
    url = f"http://127.0.0.1:{port_of(peer)}/drip"
    error = refused(opened(peer), url, deadline=start + 0.3)
    assert (error.error_class, error.sent) == (ErrorClass.TIMEOUT, True)
    assert time.monotonic() - start < 10


def test_a_receiver_that_does_not_listen_ends_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        start = time.monotonic()
        client = Egress([f"127.0.0.1:{port}"])
        url = f"http://127.0.0.1:{port}/"
        error = refused(client, url, "PUT", content=b"x" * 20_000_000, deadline=start + 0.3)
    assert error.error_class is ErrorClass.TIMEOUT


def test_proxies_and_netrc_of_the_environment_are_not_used(peer, monkeypatch, tmp_path):
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    opened(peer).request("GET", f"http://127.0.0.1:{port_of(peer)}/")
    assert "authorization" not in {name.lower() for name in peer.seen[0][2]}


@pytest.fixture
def certified(tmp_path, monkeypatch):
    """A TLS server for peer.test whose certificate is trusted."""
    chain = certificates.write(tmp_path / "chain.pem", "peer.test")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    client._load_tls.cache_clear()
    with serving(context) as server:
        yield server
    client._load_tls.cache_clear()


def test_tls_is_checked_for_the_name_and_not_for_the_dialled_address(certified, names):
    names["peer.test"] = names["other.test"] = ["127.0.0.1"]
    client = opened(certified, "peer.test", "other.test")
    port = port_of(certified)
    assert client.request("GET", f"https://peer.test:{port}/").body == b"hello"
    error = refused(client, f"https://other.test:{port}/")
    assert (error.error_class, error.sent) == (ErrorClass.NETWORK, False)
    assert "other.test" in error.message


def test_a_handshake_that_hangs_ends_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        client = Egress([f"127.0.0.1:{port}"])
        deadline = time.monotonic() + 0.2
        error = refused(client, f"https://127.0.0.1:{port}/", deadline=deadline)
    assert (error.error_class, error.sent) == (ErrorClass.TIMEOUT, False)


def test_a_redirect_to_an_unreadable_address_is_refused(peer):
    error = refused(opened(peer), f"http://127.0.0.1:{port_of(peer)}/r302?to=http://a:b/")
    assert (error.remote_code, error.sent) == (BLOCKED, True)


def test_a_connection_reset_by_the_peer_is_a_network_error(peer):
    url = f"http://127.0.0.1:{port_of(peer)}/reset"
    for content in (None, b"x" * 20_000_000):
        error = refused(opened(peer), url, "PUT", content=content)
        assert (error.error_class, error.sent) == (ErrorClass.NETWORK, True)


def test_a_redirect_from_https_to_http_is_refused(certified, names):
    names["peer.test"] = ["127.0.0.1"]
    url = f"https://peer.test:{port_of(certified)}/r302?to=http://peer.test:1/"
    assert refused(opened(certified, "peer.test"), url).message.endswith("from https to http.")


def test_a_method_outside_the_list_is_refused(peer):
    error = refused(opened(peer), f"http://127.0.0.1:{port_of(peer)}/", "TRACE")
    assert error.remote_code == BLOCKED


def test_fifty_threads_share_a_client(peer):
    client, url = opened(peer), f"http://127.0.0.1:{port_of(peer)}/"
    replies = []
    threads = [
        threading.Thread(target=lambda: replies.append(client.request("GET", url).status))
        for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies == [200] * 50
