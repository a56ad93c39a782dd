"""Requests that only a real server meets: a body without end, a length below nothing."""

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress

import pytest

from tests.pages import KEY
from tests.patience import LONG_S
from tests.servers import free_port, healthz

KIND = "Content-Type: application/x-www-form-urlencoded"
HEAD = f"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n{KIND}\r\n"
LONGEST_S = LONG_S
THREADS = 4


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
    worker = "tests.security.attacks.impatient.Worker"
    arguments = (
        "--bind",
        f"127.0.0.1:{chosen}",
        "--worker-class",
        worker,
        "--threads",
        str(THREADS),
    )
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
        end = time.monotonic() + LONG_S
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
    with socket.create_connection(("127.0.0.1", port), timeout=LONG_S) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + body)
        assert connection.recv(4096).split()[1] == b"400"


STOPPED = {
    "line": b"POST /sign-in HT",
    "headers": HEAD.encode(),
    "body": HEAD.encode() + b"Content-Length: 100\r\n\r\nemail=",
    "chunk": HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n100\r\nemail=",
    "chunks": HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n6\r\nemail=\r\n",
}


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=LONGEST_S)


@pytest.mark.capability(277)
@pytest.mark.parametrize("where", STOPPED)
def test_requests_that_stop_on_their_way_leave_the_threads_to_others(port, where):
    with ExitStack() as all_of_them:
        stopped = [all_of_them.enter_context(connected(port)) for _ in range(THREADS + 1)]
        for connection in stopped:
            connection.sendall(STOPPED[where])
        assert healthz(str(port), timeout_s=LONGEST_S) in {200, 503}
        got = stopped[0].recv(4096)
    assert got.split(b" ")[1:2] == ([b"408"] if b"\r\n\r\n" in STOPPED[where] else []), got


@pytest.mark.capability(277)
def test_a_body_that_drips_is_cut_as_well(port):
    got = answer(port, b"Content-Length: 100000\r\n", body=b"email=", chunk=b"a")
    assert got.split()[1] == "408", got


def test_a_slow_body_within_its_time_is_read(port):
    with connected(port) as connection:
        connection.sendall(HEAD.encode() + b"Content-Length: 7\r\n\r\nema")
        time.sleep(0.6)
        connection.sendall(b"il=a")
        assert connection.recv(4096).split()[1] == b"403"  # read, and found to have no token


@pytest.mark.capability(277)
def test_answers_that_nobody_takes_leave_the_threads_to_others(port):
    request = b"GET /static/app.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with ExitStack() as all_of_them:
        for _ in range(THREADS):
            connection = all_of_them.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", port))
            connection.sendall(request * 400)
        time.sleep(0.8)  # now each thread waits for a reader
        assert healthz(str(port), timeout_s=LONGEST_S) in {200, 503}


@pytest.mark.capability(277)
@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "script_name"])
@pytest.mark.parametrize("path", ["/sign-in", "/x/sign-in"])
def test_no_header_stands_for_a_part_of_the_address(port, name, path):
    with connected(port) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{name}: /x\r\n\r\n"
        connection.sendall(request.encode())
        expected = b"200" if path == "/sign-in" else b"404"
        assert connection.recv(4096).split()[1] == expected
