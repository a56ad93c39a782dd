"""How the peer misbehaves on the wire.

Kinds of the connection: delay {s}, hang, trickle, reset, cut {after}, status {status,
retry_after, code, message}. Kinds of the body: not_json, array, large {bytes}, nan, duplicate,
surrogate, nul, bare. All other kinds are of the content: see `answers.altered`.
"""

import json
import socket
import struct
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

UNBILLED = frozenset({"reset", "status"})
MOMENT = datetime(2026, 11, 21, 10, tzinfo=UTC)
LARGE = 60_000_000


def body_of(kind: str | None, given: dict, reply: dict) -> bytes:
    """Return the bytes of a reply, spoilt if a fault says so."""
    text = json.dumps(reply)
    spoilt = {
        "not_json": "<html><body>502 Bad Gateway</body></html>",
        "array": "[]",
        "bare": '{"object": "nothing"}',
        "nan": text[:-1] + ', "extra": NaN}',
        "duplicate": text[:-1] + ', "model": "again"}',
        "surrogate": text[:-1] + ', "extra": "\\ud800"}',
        "nul": text[:-1] + ', "extra": "\\u0000"}',
    }
    if kind == "large":
        return (text[:-1] + ', "extra": "').encode() + b"x" * given.get("bytes", LARGE) + b'"}'
    return spoilt.get(kind or "", text).encode()


def retry_headers(retry_after) -> dict[str, str]:
    """Return the headers of a wait: seconds, `huge`, or `date+N` for N s after the reply's date."""
    if retry_after is None:
        return {}
    if str(retry_after).startswith("date+"):
        at = MOMENT + timedelta(seconds=int(str(retry_after)[5:]))
        now = format_datetime(MOMENT, usegmt=True)
        return {"Retry-After": format_datetime(at, usegmt=True), "Date": now}
    return {"Retry-After": "99999999" if retry_after == "huge" else str(retry_after)}


def reset(handler) -> None:
    """Break the connection off with a reset."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


def hang(handler) -> None:
    """Say nothing until the other side has gone."""
    handler.connection.settimeout(300)
    handler.connection.recv(1)


def trickle(handler, body: bytes) -> None:
    """Send a byte now and then, always before a timeout of a single read."""
    for byte in body:
        handler.wfile.write(bytes([byte]))
        handler.server.stopped.wait(0.1)
