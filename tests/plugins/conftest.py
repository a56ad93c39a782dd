"""What an action gets to act with, in a folder of its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from zoneinfo import ZoneInfo

import pytest
import structlog

from pilot import plugins
from pilot.egress import Egress
from pilot.plugins import Call, Credentials
from pilot.plugins.mail.account import MailAccount
from tests.mail_peer import PASSWORD, USER

OWNER = "admin@localhost"


@pytest.fixture
def make_call(tmp_path):
    """Make a call with this key; `allow` opens addresses of the egress client."""

    def make(key="key-1", *, allow=(), seconds=20, credentials=None):
        return Call(
            key=key,
            deadline=time.monotonic() + seconds,
            zone=ZoneInfo("Europe/Berlin"),
            folder=tmp_path,
            owner_email=OWNER,
            http=Egress(allow),
            log=structlog.get_logger(),
            credentials=credentials,
        )

    return make


@pytest.fixture
def act(make_call):
    """Perform an action by its full name and return the output."""

    def perform(name, params, key="key-1", **kwargs):
        plugin, _, action = name.partition(".")
        return plugins.perform(
            plugins.load(plugin).actions[action], params, make_call(key, **kwargs)
        )

    return perform


@pytest.fixture
def connected(imap_peer, smtp_peer, act):
    """Perform a mail action over a connection to both servers."""

    def perform(name, params, *, password=PASSWORD, key="key-1", **changes):
        ports = (imap_peer.port, changes.get("smtp_port", smtp_peer.port))
        facts = {
            "smtp_host": "127.0.0.1",
            "smtp_port": smtp_peer.port,
            "smtp_security": "none",
            "imap_host": "127.0.0.1",
            "imap_port": imap_peer.port,
            "imap_security": "none",
            "user": USER,
            "sender": "Ann Büro <ann@peer.test>",
        }
        held = Credentials("work", MailAccount(**facts | changes), password)
        allow = [f"{host}:{port}" for host in ("127.0.0.1", "localhost") for port in ports]
        return act(f"mail.{name}", params, key, allow=allow, credentials=held)

    return perform


@dataclass
class Place:
    """Where mail is kept and goes out: on this machine, or at the servers of an account."""

    act: Callable  # name, params, ...
    put: Callable  # the bytes of a message
    sent: Callable  # the messages that went out
    me: str


@pytest.fixture(params=["here", pytest.param("connected", marks=pytest.mark.imap)])
def place(request, tmp_path):
    """Give a place for mail, of each kind."""
    if request.param == "here":
        act = request.getfixturevalue("act")
        new = tmp_path / "mail" / OWNER / "INBOX" / "new"
        new.mkdir(parents=True)

        def put(data):
            (new / f"m{len(list(new.iterdir()))}").write_bytes(data.replace(b"\r\n", b"\n"))

        def sent():
            found = (tmp_path / "mail/Sent/new").glob("*")
            return [message_from_bytes(one.read_bytes(), policy=default) for one in found]

        return Place(
            lambda name, *args, **more: act(f"mail.{name}", *args, **more), put, sent, OWNER
        )
    imap_peer, smtp_peer = (request.getfixturevalue(one) for one in ("imap_peer", "smtp_peer"))
    connected = request.getfixturevalue("connected")
    return Place(connected, imap_peer.put, lambda: [one.message for one in smtp_peer.mails], USER)
