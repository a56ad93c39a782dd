"""The worker of the web server: gunicorn's threads, with an end for requests that do not end.

A thread that waits for bytes serves nobody, so a request has to come steadily, and an answer has to
be taken.
"""

import secrets
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from pilot import refusals

PATIENCE_S = 20.0  # for the line and the headers, and once more for the body
BYTES_S = 10_000  # a second: each byte of a body that came gives the others as much more time
UNTAKEN_MS = 60_000  # an answer of which nothing is taken for this long is given up


@dataclass
class Arriving:
    """A request on its way: until when to wait (monotonic), and its body once it has begun."""

    until: float
    body: Any = None

    def whole(self) -> bool:
        """Return whether all of it came."""
        if self.body is None:
            return False
        reader = self.body.reader
        return reader.parser is None if isinstance(reader, ChunkedReader) else not reader.length


@dataclass
class Counted:
    """The connection as the parser reads it: what comes gives more time."""

    connection: socket.socket
    request: Arriving

    def recv(self, size: int) -> bytes:
        """Return what came, an empty text at the end."""
        got = self.connection.recv(size)
        self.request.until += len(got) / BYTES_S
        return got

    def gettimeout(self) -> float | None:
        """Return what `settimeout` set."""
        return self.connection.gettimeout()

    def settimeout(self, seconds: float | None) -> None:
        """Limit each call: the server does while it drains a body that no view read."""
        self.connection.settimeout(seconds)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Cuts what comes too slowly; the view then finds that the body ends early, which is 408."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin with no request; no header stands for a part of the address."""
        super().__init__(*args, **kwargs)
        self.cfg.set("forwarder_headers", "")  # by default SCRIPT_NAME and PATH_INFO, of a proxy
        self.arriving: dict[Any, Arriving] = {}  # by connection

    def handle(self, conn: Any) -> Any:
        """Serve one request of a connection, in a thread of its own."""
        if conn.sock.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
            conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_MS)
        self.arriving[conn] = Arriving(time.monotonic() + PATIENCE_S)
        try:
            return super().handle(conn)
        finally:
            del self.arriving[conn]

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose headers were read."""
        request = Arriving(time.monotonic() + PATIENCE_S, req.body)
        self.arriving[conn] = request
        conn.parser.unreader.sock = Counted(conn.sock, request)
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what could not be read or served; its connection is closed then."""
        del req
        found, error_id = refusals.refusal(exc), secrets.token_hex(6)
        if found is refusals.FAILED:
            self.log.error("A request failed, error id %s", error_id, exc_info=exc)
        else:
            self.log.warning("Refused a request of %s: %s", addr[0] if addr else "-", exc)
        with suppress(OSError):  # nobody is there any more
            client.sendall(refusals.answer(found, error_id))

    def notify(self) -> None:
        """Tell the parent that this process lives, each second; cut what is late."""
        super().notify()
        now = time.monotonic()
        for conn, request in list(self.arriving.items()):
            if now > request.until and not request.whole():
                _end_reading(conn.sock)


def _end_reading(connection: socket.socket) -> None:
    """Let the reader see an end: what is answered may still be sent."""
    with suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RD)
