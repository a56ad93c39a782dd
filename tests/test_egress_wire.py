"""Connections that are not HTTP: the same addresses are refused, and nothing outlives its time."""

import socket
import threading
import time
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from pilot.egress import Egress
from pilot.egress.refusals import BLOCKED
from pilot.errors import ErrorClass, StepError
from pilot.plugins.mail.smtp import PORTS
from tests.security.attacks.cases import literals

URLS = [url for url in literals("ssrf").values() if "\\" not in url]
HOSTS = {urlsplit(url).netloc.rpartition("@")[2] for url in URLS}


def connect(host, port, *allow, seconds=5, **kwargs):
    deadline = time.monotonic() + seconds
    return Egress(allow).connect(host, port, ports=PORTS, deadline=deadline, **kwargs)


def refused(host, port, **kwargs):
    with pytest.raises(StepError) as caught:
        connect(host, port, **kwargs)
    return caught.value


@contextmanager
def answering(data, pause_s=0.0):
    """Run a server that sends this to one client, bytes apart, and reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer():
            client, _ = server.accept()
            with client, suppress(OSError):
                for byte in data:
                    client.send(bytes([byte]))
                    done.wait(pause_s)

        done = threading.Event()
        thread = threading.Thread(target=answer)
        thread.start()
        yield port
        done.set()
        thread.join()


@pytest.mark.capability(279)
def test_no_form_of_an_internal_host_is_dialled(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it dialled"))
    assert len(HOSTS) > 25
    for host in HOSTS:
        bare = host.strip("[]") if host.startswith("[") else host.rpartition(":")[0] or host
        error = refused(bare, 25)
        assert (error.remote_code, error.sent) == (BLOCKED, False), bare


@pytest.mark.parametrize(
    "host", ["", "a b", "m.test/x", "m.test?x", "u@m.test", "a\r\nb", "::1%lo"]
)
def test_what_is_no_host_is_refused(host):
    assert refused(host, 25).remote_code == BLOCKED


@pytest.mark.parametrize("port", [0, 22, 80, 5432, 70_000])
def test_only_ports_of_the_protocol_are_dialled(port):
    assert refused("m.test", port).remote_code == BLOCKED


def test_a_refusal_and_a_connection_are_told():
    told = []
    with answering(b"") as port:
        deadline = time.monotonic() + 5
        egress = Egress([f"127.0.0.1:{port}"], report=told.append)
        egress.connect("127.0.0.1", port, ports=PORTS, deadline=deadline).close()
        with pytest.raises(StepError):
            egress.connect("127.0.0.1", 25, ports=PORTS, deadline=deadline)
    assert [(one.method, one.origin, bool(one.blocked)) for one in told] == [
        ("CONNECT", f"tcp://127.0.0.1:{port}", False),
        ("CONNECT", "tcp://127.0.0.1:25", True),
    ]


def test_a_server_that_drips_is_left_at_the_deadline():
    with answering(b"." * 10_000, pause_s=0.02) as port:
        wire = connect("127.0.0.1", port, f"127.0.0.1:{port}", seconds=0.3)
        with pytest.raises(StepError) as caught:
            wire.makefile("rb").readline()
        wire.close()
    assert caught.value.error_class is ErrorClass.TIMEOUT


def test_a_server_that_sends_too_much_is_left():
    with answering(b"." * 50) as port:
        wire = connect("127.0.0.1", port, f"127.0.0.1:{port}", max_bytes=20)
        with pytest.raises(StepError) as caught:
            wire.makefile("rb").read()
        wire.close()
    assert caught.value.error_class is ErrorClass.OUTPUT_TOO_LARGE


def test_nobody_listening_is_a_fault_of_the_network():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(StepError) as caught:
        connect("127.0.0.1", port, f"127.0.0.1:{port}")
    assert (caught.value.error_class, caught.value.sent) == (ErrorClass.NETWORK, False)
