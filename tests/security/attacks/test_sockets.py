"""Requests that only a real server meets: a body without end, a length below nothing."""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from tests.pages import KEY
from tests.servers import free_port, healthz

KIND = "Content-Type: application/x-www-form-urlencoded"
HEAD = f"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n{KIND}\r\n"
LONGEST_S = 30


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
    arguments = ("--bind", f"127.0.0.1:{chosen}", "--worker-class", "gthread", "--threads", "4")
    command = [sys.executable, "-m", "gunicorn", *arguments, "--no-control-socket", "app:app"]
    with subprocess.Popen(command, env=environment) as process:
        end = time.monotonic() + LONGEST_S
        while healthz(chosen) is None:
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.1)
        yield int(chosen)
        process.terminate()


def answer(port, head, body=b"", chunk=b""):
    """Return the first line of the answer; `chunk` is sent until there is one."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.05) as connection:
        connection.sendall(HEAD.encode() + head + b"\r\n" + body)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                with suppress(TimeoutError):
                    return connection.recv(4096).split(b"\r\n")[0].decode()
                connection.sendall(chunk)
            except TimeoutError:  # it does not read on
                continue
            except ConnectionError:
                return "closed"
    raise AssertionError("no answer")


@pytest.mark.capability(277)
@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999", "5, 6", ""])
def test_a_length_that_is_none_is_refused(port, length):
    got = answer(port, f"Content-Length: {length}\r\n".encode())
    assert got.split()[1] in {"400", "403", "413"}, got
    assert healthz(str(port)) in {200, 503}


@pytest.mark.capability(277)
def test_a_body_that_never_ends_is_cut_and_others_are_served(port):
    part = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    got = answer(port, b"Transfer-Encoding: chunked\r\n", chunk=part * 16)
    assert got == "closed" or got.split()[1] in {"400", "403", "413"}, got
    assert healthz(str(port)) in {200, 503}


@pytest.mark.parametrize("path", ["/sign-in", "/hooks/some-token"])
@pytest.mark.parametrize("body", [b"zz\r\n{}", b"2\r\n{}zz\r\n"])
def test_a_body_in_malformed_chunks_is_refused(port, path, body):
    kind = "application/x-www-form-urlencoded" if path == "/sign-in" else "application/json"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + body)
        assert connection.recv(4096).split()[1] == b"400"
