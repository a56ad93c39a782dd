"""What sends: every address is resolved once, checked, and then dialled; see `Egress`."""

import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache

import httpcore2
import httpx2

from pilot.egress import MAX_REDIRECTS, Reply, Traffic, addresses
from pilot.egress.dialling import Dialler
from pilot.egress.handles import HANDLE, Secret, filled
from pilot.egress.refusals import BLOCKED, refusal
from pilot.egress.unpacking import body_of
from pilot.egress.wire import Wire
from pilot.errors import ErrorClass, StepError

WEB_PORTS = frozenset({80, 443})  # below 1024 only these
DENIED_PORTS = frozenset(  # above it, not those of databases, brokers and control planes
    {1433, 1521, 2049, 2181, 2375, 2376, 2379, 3306, 3389, 5432, 5672, 5900, 5984, 6379, 6443}
    | {8125, 9042, 9092, 9200, 9300, 10250, 11211, 27017}
)
MAX_HEADER_BYTES = 64 * 1024

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_OWN_HEADERS = frozenset(  # set by the client, or able to confuse the framing of the request
    {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive"}
    | {"proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_HARMLESS_HEADERS = frozenset({"accept", "accept-language", "user-agent"})  # go to other origins
_loading = threading.Lock()


@dataclass(frozen=True)
class _Hop:
    method: str
    url: httpx2.URL
    headers: Mapping[str, str]
    content: bytes | None = field(repr=False)


class Client:
    """What an `Egress` sends with."""

    def __init__(
        self,
        allow: frozenset[str],
        *,
        follows: bool,
        report: Callable[[Traffic], None] | None,
        secrets: Mapping[str, Secret],
    ) -> None:
        self._allow = allow
        self._follows = follows
        self._report = report
        self._secrets = secrets

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        ends: float,
        max_bytes: int,
    ) -> Reply:
        """Return the answer after its redirects."""
        hop = self._first(method, url, headers or {}, content)
        for followed in range(MAX_REDIRECTS + 1):
            try:
                reply = self._send(hop, ends, max_bytes)
                redirected = reply.status in _REDIRECTS and "location" in reply.headers
                if not (self._follows and redirected):
                    return reply
                hop = self._follow(hop, reply)
            except StepError as error:
                error.sent = error.sent or followed > 0
                raise
        raise StepError(ErrorClass.LIMIT, f"More than {MAX_REDIRECTS} redirects.")

    def post(self, url: str, *, headers: Mapping[str, str], content: bytes, ends: float) -> Reply:
        """Return the status of the answer to one message."""
        return self._send(self._first("POST", url, headers, content), ends, None)

    def connect(
        self, host: str, port: int, *, ports: frozenset[int], ends: float, max_bytes: int
    ) -> Wire:
        """Return a connection for a protocol that is not HTTP."""
        origin = f"tcp://{host[:253]}:{port}"
        try:
            url = addresses.endpoint(host, port)
            self._check_port(url, ports)
            with _dialled(url.host):
                stream = self._dialler(url, ends).connect_tcp(url.raw_host.decode(), port)
        except StepError as error:
            if error.remote_code == BLOCKED:
                self._tell(Traffic("CONNECT", origin, blocked=error.message))
            raise
        self._tell(Traffic("CONNECT", origin))
        return Wire(stream, url.host, _tls, max_bytes)

    def _first(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> _Hop:
        try:
            if method not in _METHODS:
                raise refusal(f"The method {method[:20]!r} is not supported.")
            _check_headers(headers)
            if HANDLE.search(url):
                raise refusal("An address must not hold a secret: it is written to many logs.")
            return _Hop(method, addresses.parse(url), dict(headers), content)
        except StepError as error:
            self._tell(Traffic(method[:20], "", blocked=error.message))
            raise

    def _send(self, hop: _Hop, ends: float, max_bytes: int | None) -> Reply:
        origin = f"{hop.url.scheme}://{addresses.authority_of(hop.url)}"
        try:
            self._check_port(hop.url, WEB_PORTS)
            if self._secrets:
                hop = self._filled(hop)
            reply = _exchange(hop, self._dialler(hop.url, ends), max_bytes)
        except StepError as error:
            if error.remote_code == BLOCKED:
                self._tell(Traffic(hop.method, origin, blocked=error.message))
            raise
        self._tell(Traffic(hop.method, origin, reply.status))
        return reply

    def _filled(self, hop: _Hop) -> _Hop:
        authority = addresses.authority_of(hop.url).lower()
        headers, content = filled(hop.headers, hop.content, self._secrets, authority)
        if hop.url.scheme == "http" and not self._is_open(hop.url):
            raise refusal("A secret would travel in the clear: call an https address.")
        _check_headers(headers)
        return replace(hop, headers=headers, content=content)

    def _follow(self, hop: _Hop, reply: Reply) -> _Hop:
        """Apply RFC 9110, 15.4, but never carry a body or an effect to another origin."""
        origin = f"{hop.url.scheme}://{addresses.authority_of(hop.url)}"
        try:
            url = addresses.parse(addresses.joined(hop.url, reply.headers["location"]))
            to_get = reply.status == 303 or (reply.status in {301, 302} and hop.method == "POST")
            method = "GET" if to_get and hop.method != "HEAD" else hop.method
            content = None if to_get else hop.content
            if addresses.origin_of(url) == addresses.origin_of(hop.url):
                return _Hop(method, url, _bodiless(hop.headers) if to_get else hop.headers, content)
            if method not in {"GET", "HEAD"}:
                raise refusal(f"A redirect would repeat a {method} at another origin.")
            if hop.url.scheme == "https" and url.scheme == "http":
                raise refusal("A redirect leads from https to http.")
        except StepError as error:
            error.sent = True  # the request that was answered with this redirect
            self._tell(Traffic(hop.method, origin, reply.status, blocked=error.message))
            raise
        kept = {name: hop.headers[name] for name in hop.headers if _is_harmless(name)}
        return _Hop(method, url, kept, None)

    def _check_port(self, url: httpx2.URL, ports: frozenset[int]) -> None:
        port = addresses.port_of(url)
        closed = port in DENIED_PORTS or (port < 1024 and port not in ports)
        if closed and not self._is_open(url):
            what = "the web" if ports is WEB_PORTS else "this kind of server"
            raise refusal(f"Port {port} is not a port of {what}.")

    def _is_open(self, url: httpx2.URL) -> bool:
        return addresses.authority_of(url).lower() in self._allow

    def _dialler(self, url: httpx2.URL, ends: float) -> Dialler:
        return Dialler(ends, is_open=self._is_open(url))

    def _tell(self, traffic: Traffic) -> None:
        if self._report is not None:
            self._report(traffic)


def _is_harmless(name: str) -> bool:
    return name.lower() in _HARMLESS_HEADERS


def _bodiless(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in headers if not name.lower().startswith("content-")}


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise refusal("A header holds line breaks, control or non-ASCII characters.")
        if name.lower() in _OWN_HEADERS:
            raise refusal(f"The header {name} cannot be set.")


def _exchange(hop: _Hop, dialler: Dialler, max_bytes: int | None) -> Reply:
    headers = {"accept": "*/*", "user-agent": "Pilot"}
    headers |= {name.lower(): value.strip(" \t") for name, value in hop.headers.items()}  # as HTTP
    headers["accept-encoding"] = "gzip, deflate"
    request = httpx2.Request(hop.method, hop.url, headers=headers, content=hop.content)
    where = hop.url.host
    try:
        with _dialled(where), _Transport(dialler) as transport:
            response = transport.handle_request(request)
            try:
                return _read(hop.method, str(hop.url), response, max_bytes)
            finally:
                response.close()
    except httpx2.TimeoutException:
        raise StepError(ErrorClass.TIMEOUT, f"{where} did not answer in time.") from None
    except httpx2.TransportError:
        message = f"The connection to {where} broke, or its answer was not HTTP."
        raise StepError(ErrorClass.NETWORK, message) from None


@contextmanager
def _dialled(where: str) -> Iterator[None]:
    """Say what a failure to dial means: nothing was sent."""
    try:
        yield
    except (httpx2.ConnectTimeout, httpcore2.ConnectTimeout):
        message = f"{where} did not accept a connection in time."
        raise StepError(ErrorClass.TIMEOUT, message, sent=False) from None
    except (httpx2.ConnectError, httpcore2.ConnectError) as error:
        message = f"No connection to {where}: {error}."
        raise StepError(ErrorClass.NETWORK, message, sent=False) from None


def _read(method: str, url: str, response: httpx2.Response, max_bytes: int | None) -> Reply:
    size = sum(len(name) + len(value) for name, value in response.headers.raw)
    if size > MAX_HEADER_BYTES:
        raise StepError(ErrorClass.OUTPUT_TOO_LARGE, f"The headers exceed {MAX_HEADER_BYTES} B.")
    body = b"" if max_bytes is None else body_of(response, method, max_bytes)
    return Reply(response.status_code, dict(response.headers.items()), body, url, method)


def _tls() -> ssl.SSLContext:
    with _loading:  # a cache alone lets every thread of a burst load the certificates
        return _load_tls()


@cache
def _load_tls() -> ssl.SSLContext:
    return httpcore2.default_ssl_context()


class _Transport(httpx2.HTTPTransport):
    """One connection for one request: no stale connection can swallow it."""

    def __init__(self, dialler: Dialler) -> None:
        super().__init__(verify=_tls(), trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_tls(), max_keepalive_connections=0, network_backend=dialler
        )
