"""A mail server for tests: takes mail by SMTP, refuses what it is told to, keeps what came."""

from dataclasses import dataclass, field
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from pilot.config import SmtpServer
from tests.servers import free_port

USER, PASSWORD = "ann@peer.test", "canary-password-1"


@dataclass
class Came:
    """One mail as it came: the envelope, the bytes, the parsed message."""

    sender: str
    receivers: list[str]
    data: bytes

    @property
    def message(self):
        return message_from_bytes(self.data, policy=policy.default)


@dataclass
class SmtpPeer:
    """What came, and what it answers: to an address, to `sender`, to `data`."""

    port: int
    mails: list[Came] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    sessions: int = 0

    @property
    def allow(self):
        return f"127.0.0.1:{self.port}"

    def server(self, sender="Ann Büro <ann@peer.test>", password=PASSWORD, security="none"):
        return SmtpServer("127.0.0.1", self.port, security, USER, password, sender)

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        self.sessions += 1
        if not session.authenticated:
            return "530 5.7.0 sign in first"
        if "sender" in self.answers:
            return self.answers["sender"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        answer = self.answers.get("data", "250 taken")
        if answer == "break":  # it has taken the mail, and nobody hears so
            self.mails.append(Came(envelope.mail_from, envelope.rcpt_tos, envelope.content))
            server.transport.abort()
        if answer.startswith("250"):
            self.mails.append(Came(envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return answer


def authenticate(server, session, envelope, mechanism, data):
    """Know one person."""
    good = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=data == good, handled=data == good)


@pytest.fixture
def smtp_peer(_smtp_server):
    """Give the session's mail server, emptied."""
    _smtp_server.mails.clear()
    _smtp_server.answers.clear()
    _smtp_server.sessions = 0
    return _smtp_server


@pytest.fixture(scope="session")
def _smtp_server():
    port = int(free_port())
    peer = SmtpPeer(port)
    controller = Controller(
        peer,
        hostname="127.0.0.1",
        port=port,
        authenticator=authenticate,
        auth_require_tls=False,
    )
    controller.start()
    yield peer
    controller.stop()
