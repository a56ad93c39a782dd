"""Dials public addresses: a name is resolved once, and only what was checked is dialled."""

import socket
import ssl
import threading
import time
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from queue import Empty, SimpleQueue

import httpcore2

from pilot.egress.refusals import refusal

# Networks that are not the public internet. An explicit list, because the `is_global` of the
# standard library passes 192.0.0.192, NAT64 and 6to4 forms. `::/8` holds the IPv4-mapped ones.
_DENIED = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12
    192.0.0.0/24 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16
    192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
    ::/8 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001:db8::/32 2002::/16
    2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
"""
DENIED_NETWORKS = tuple(ip_network(text) for text in _DENIED.split())
CONNECT_S = 3.0


class Dialler(httpcore2.NetworkBackend):
    """Resolves a name once and dials only the addresses it has checked."""

    def __init__(self, ends: float, *, is_open: bool) -> None:
        self._ends = ends
        self._is_open = is_open

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  the deadline rules
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> "_Stream":
        """Return a stream to the first checked address that accepts.

        Raises:
            StepError: an address of the name is denied; nothing was dialled.
        """
        found = _resolve(host, port, _left(self._ends, httpcore2.ConnectTimeout))
        if not self._is_open and any(_is_denied(address) for address in found):
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            told = f"{host} leads to an internal address. An administrator can open {where}."
            raise refusal(told)
        failure: Exception = httpcore2.ConnectError("no address")
        for address in found:
            left = min(CONNECT_S, _left(self._ends, httpcore2.ConnectTimeout))
            try:
                return _Stream(socket.create_connection((address, port), left), self._ends)
            except TimeoutError:
                failure = httpcore2.ConnectTimeout()
            except OSError as error:
                failure = httpcore2.ConnectError(error.strerror or "refused")
        raise failure


def _resolve(host: str, port: int, timeout_s: float) -> list[str]:
    """Look the name up in a thread: the system's resolver knows no timeout."""
    answers: SimpleQueue[list[str] | OSError] = SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
        except OSError as error:
            answers.put(error)
        else:
            answers.put(list(dict.fromkeys(str(one[4][0]) for one in found)))

    threading.Thread(target=look_up, daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except Empty:
        raise httpcore2.ConnectTimeout from None
    if isinstance(answer, OSError):
        raise httpcore2.ConnectError("the name is unknown")
    return answer


def _is_denied(address: str) -> bool:
    found = ip_address(address)
    return any(found in network for network in DENIED_NETWORKS if network.version == found.version)


def _left(ends: float, error: type[Exception]) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise error
    return left


class _Stream(httpcore2.NetworkStream):
    """A socket on which no read or write outlives the deadline, however slowly bytes drip."""

    def __init__(self, sock: socket.socket, ends: float) -> None:
        self._sock = sock
        self._ends = ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        self._sock.settimeout(_left(self._ends, httpcore2.ReadTimeout))
        try:
            return self._sock.recv(max_bytes)
        except TimeoutError:
            raise httpcore2.ReadTimeout from None
        except OSError:
            raise httpcore2.ReadError from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        rest = memoryview(buffer)
        while rest:
            self._sock.settimeout(_left(self._ends, httpcore2.WriteTimeout))
            try:
                rest = rest[self._sock.send(rest) :]
            except TimeoutError:
                raise httpcore2.WriteTimeout from None
            except OSError:
                raise httpcore2.WriteError from None

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> "_Stream":
        try:
            self._sock.settimeout(min(CONNECT_S, _left(self._ends, httpcore2.ConnectTimeout)))
            secured = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
        except (TimeoutError, httpcore2.ConnectTimeout):
            self.close()
            raise httpcore2.ConnectTimeout from None
        except OSError as error:
            self.close()
            raise httpcore2.ConnectError(error.args[-1]) from None
        return _Stream(secured, self._ends)
