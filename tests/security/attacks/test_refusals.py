"""What is no request is answered like all other errors, and tells nothing of the server."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from pilot.services import up
from tests.pages import KEY
from tests.servers import free_port, healthz

START_S = 30
HOST = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
REFUSED = {
    "line": ("GET\r\n\r\n", 400, "bad_request"),
    "method": ("G{T / HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "version": ("GET / HTTP/9.9\r\n\r\n", 400, "bad_request"),
    "name": (f"{HOST}a b: c\r\n\r\n", 400, "bad_request"),
    "length": (f"{HOST}Content-Length: -1\r\n\r\n", 400, "bad_request"),
    "both": (f"{HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad_request"),
    "coding": (f"{HOST}Transfer-Encoding: moon\r\n\r\n", 501, "transfer_coding"),
    "address": (f"GET /{'a' * 5000} HTTP/1.1\r\n\r\n", 414, "uri_too_long"),
    "header": (f"{HOST}X-A: {'a' * 9000}\r\n\r\n", 431, "headers_too_large"),
    "headers": (HOST + "X-A: a\r\n" * 101 + "\r\n", 431, "headers_too_large"),
    "expect": (f"{HOST}Expect: moon\r\n\r\n", 417, "expectation"),
}


@pytest.fixture(scope="module")
def port(database, servers, tmp_path_factory):
    """Give the port of a web process as `pilot up` starts it."""
    chosen = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database,
        "REDIS_URL": servers.redis_url,
        "PILOT_DATA": str(tmp_path_factory.mktemp("web")),
        "PILOT_SECRET_KEYS": KEY,
    }
    command = [sys.executable, *up.web_arguments("127.0.0.1", int(chosen))]
    with subprocess.Popen(command, env=environment) as process:
        end = time.monotonic() + START_S
        while healthz(chosen) is None:
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.1)
        yield int(chosen)
        process.terminate()


@pytest.mark.capability(277)
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_request_is_a_problem(port, kind):
    sent, status, code = REFUSED[kind]
    with socket.create_connection(("127.0.0.1", port), timeout=START_S) as connection:
        connection.sendall(sent.encode())
        got = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = got.partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert (int(head.split()[1]), problem["status"], problem["code"]) == (status, status, code)
    assert b"Content-Type: application/problem+json" in head
    assert problem["request_id"].encode() in head
    assert b"gunicorn" not in got
