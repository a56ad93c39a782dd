"""Hands one mail to an SMTP server and returns its receipt (RFC 5321)."""

import smtplib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any, cast

from pilot.config import SmtpServer
from pilot.egress import Egress
from pilot.errors import ErrorClass, PluginError, StepError
from pilot.plugins.mail import faults

if TYPE_CHECKING:
    from pilot.egress.wire import Wire

PORTS = frozenset({25, 143, 465, 587, 993})
Connect = Callable[[str, int], "Wire"]


@dataclass(frozen=True)
class Receipt:
    """Whom the server took the mail for, and whom it refused, with its reason."""

    accepted: list[str]
    refused: list[tuple[str, str]]


def connecting(egress: Egress, deadline: float) -> Connect:
    """Return what dials mail servers through `egress`."""

    def connect(host: str, port: int) -> "Wire":
        return egress.connect(host, port, ports=PORTS, deadline=deadline)

    return connect


def check(connect: Connect, server: SmtpServer) -> None:
    """Sign in and out again.

    Raises:
        PluginError: what is wrong, and what to do.
    """
    session = _Session(connect, server)
    try:
        with faults.explained():
            session.open()
            session.sign_in()
    finally:
        session.close()


def send(connect: Connect, server: SmtpServer, receivers: Sequence[str], data: bytes) -> Receipt:
    """Hand over one mail; it counts as sent when the server has said so for all of it.

    Args:
        connect: dials, with the deadline.
        server: where to, and who sends.
        receivers: bare addresses, also those that no header names.
        data: the message with its headers.

    Raises:
        PluginError: every receiver was refused, or the mail itself. `sent` is False unless nobody
            could read what the server answered to the end of the mail.
    """
    session = _Session(connect, server)
    try:
        with faults.unsent():
            session.open()
            session.sign_in()
            session.name_sender()
            receipt = session.name_receivers(receivers)
            session.hand_over(data)
        with faults.explained():
            session.end_mail()
    finally:
        session.close()
    return receipt


class _Client(smtplib.SMTP):
    def __init__(self, connect: Connect) -> None:
        super().__init__(local_hostname="[127.0.0.1]")  # else it asks the system's resolver
        self._dial = connect

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:  # noqa: ARG002
        return self._dial(host, port)


class _TlsClient(_Client):
    def _get_socket(self, host: str, port: int, timeout: float) -> Any:  # noqa: ARG002
        return self._dial(host, port).secure()


class _Session:
    def __init__(self, connect: Connect, server: SmtpServer) -> None:
        self._server = server
        self._client = (_TlsClient if server.security == "tls" else _Client)(connect)

    def open(self) -> None:
        client = self._client
        code, answer = client.connect(self._server.host, self._server.port)
        _check(code, answer, "greeting")
        self._greet()
        if self._server.security == "starttls":
            try:
                client.starttls(context=cast("Any", client.sock))  # the wire secures itself
            except smtplib.SMTPResponseException as error:
                raise faults.of_smtp(error.smtp_code, _bytes(error), "greeting") from None
            self._greet()

    def _greet(self) -> None:
        code, answer = self._client.ehlo()
        if 500 <= code < 600:  # it knows the first edition of the protocol only
            code, answer = self._client.helo()
        _check(code, answer, "greeting")

    def sign_in(self) -> None:
        if not self._server.user:
            return
        try:
            self._client.login(self._server.user, self._server.password)
        except smtplib.SMTPAuthenticationError as error:
            raise faults.of_smtp(error.smtp_code, _bytes(error), "sign_in") from None
        except UnicodeEncodeError:
            text = "The user and password hold characters that mail servers do not take."
            raise PluginError(ErrorClass.AUTH, text, code="auth", sent=False) from None

    def name_sender(self) -> None:
        _check(*self._client.mail(parseaddr(self._server.sender)[1]), "sender")

    def name_receivers(self, receivers: Sequence[str]) -> Receipt:
        answers = [(one, *self._client.rcpt(one)) for one in receivers]
        for _, code, answer in answers:
            if not 400 <= code < 600:
                _check(code, answer, "receivers")
        refused = [answer for answer in answers if answer[1] >= 400]
        if len(refused) == len(answers):
            raise faults.of_receivers(refused)
        return Receipt(
            [one for one, code, _ in answers if code < 400],
            [(one, _reason(code, answer)) for one, code, answer in refused],
        )

    def hand_over(self, data: bytes) -> None:
        """Send all but the dot that ends a mail: until then the server has taken nothing."""
        code, answer = self._client.docmd("DATA")
        if code != 354:
            raise faults.of_smtp(code, answer, "data")
        doubled = (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:]  # RFC 5321, 4.5.2
        self._client.send(doubled if doubled.endswith(b"\r\n") else doubled + b"\r\n")

    def end_mail(self) -> None:
        _check(*self._client.docmd("."), "data")

    def close(self) -> None:
        with suppress(smtplib.SMTPException, StepError):
            self._client.putcmd("quit")  # nobody waits for the answer
        self._client.close()


def _check(code: int, answer: bytes, step: str) -> None:
    """Go by the first digit alone, as a client has to (RFC 5321, 4.3.2)."""
    if not 200 <= code < 300:
        raise faults.of_smtp(code, answer, step)


def _reason(code: int, answer: bytes) -> str:
    words = faults.said(code, answer)
    return words if code >= 500 else f"{words} (it may be taken later: send it there again)"


def _bytes(error: smtplib.SMTPResponseException) -> bytes:
    answer = error.smtp_error
    return answer if isinstance(answer, bytes) else str(answer).encode()
