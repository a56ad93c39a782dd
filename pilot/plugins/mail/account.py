"""What a mail connection holds, and the servers that it names."""

from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pilot.config import SmtpServer, is_this_machine
from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Account, Call, Credentials, Model
from pilot.plugins.mail import addresses, imap, smtp
from pilot.plugins.mail.imap import ImapServer
from pilot.plugins.mail.smtp import Connect

Security = Literal["tls", "starttls", "none"]


def _host(text: str) -> str:
    if text != text.strip() or not text.isprintable() or " " in text:
        raise ValueError("is no name of a server, e.g. mail.example.com.")
    return text


def _sender(text: str) -> str:
    if text:
        try:
            addresses.normal(text)
        except ValueError as error:
            raise ValueError(f"is no address: {error}") from None
    return text


Host = Annotated[str, AfterValidator(_host)]


class MailAccount(Model):
    """One account: a server that takes mail, one that keeps it, or both."""

    smtp_host: Host = Field("", description="Server that takes mail; empty: nothing is sent.")
    smtp_port: int = Field(587, ge=1, le=65_535, description="587 for starttls, 465 for tls.")
    smtp_security: Security = Field(
        "starttls", description="tls at once, starttls, or none on this machine only."
    )
    imap_host: Host = Field("", description="Server that keeps mail; empty: nothing is read.")
    imap_port: int = Field(993, ge=1, le=65_535, description="993 for tls, 143 for starttls.")
    imap_security: Security = Field(
        "tls", description="tls at once, starttls, or none on this machine only."
    )
    user: str = Field(min_length=1, max_length=200, description="User name at both servers.")
    sender: Annotated[str, AfterValidator(_sender)] = Field(
        "", max_length=300, description="Who writes, e.g. Sales <sales@example.com>."
    )
    sent_mailbox: str = Field("Sent", max_length=100, description="Where sent mail is filed.")
    drafts_mailbox: str = Field("Drafts", max_length=100, description="Where drafts are kept.")
    files_sent: bool = Field(
        False,
        title="The server files what it sends",
        description="As Gmail does: a mail of which nobody knows whether it went is looked up.",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> "MailAccount":
        if not (self.smtp_host or self.imap_host):
            raise ValueError("need a server: for sending (smtp), for reading (imap), or both.")
        if self.smtp_host and not self.sender:
            raise ValueError("need a sender to send mail as, e.g. sales@example.com.")
        for host, security in (
            (self.smtp_host, self.smtp_security),
            (self.imap_host, self.imap_security),
        ):
            if host and security == "none" and not is_this_machine(host):
                raise ValueError("would send the password in the clear: choose tls or starttls.")
        return self


def dialling(call: Call) -> Connect:
    """Return what dials mail servers for an action."""
    return partial(call.connect, ports=smtp.PORTS)


def smtp_server(credentials: Credentials) -> SmtpServer:
    """Return where an account sends.

    Raises:
        PluginError: it only reads (class config).
    """
    one: MailAccount = credentials.fields
    if not one.smtp_host:
        raise _without(credentials, "sends no mail: give it an SMTP server")
    secret = credentials.secret
    return SmtpServer(one.smtp_host, one.smtp_port, one.smtp_security, one.user, secret, one.sender)


def imap_server(credentials: Credentials) -> ImapServer:
    """Return where an account reads.

    Raises:
        PluginError: it only sends (class config).
    """
    one: MailAccount = credentials.fields
    if not one.imap_host:
        raise _without(credentials, "reads no mail: give it an IMAP server")
    return ImapServer(one.imap_host, one.imap_port, one.imap_security, one.user, credentials.secret)


def _without(credentials: Credentials, what: str) -> PluginError:
    text = f"The connection {credentials.label} {what} on Connections."
    return PluginError(ErrorClass.CONFIG, text, sent=False)


def check(call: Call) -> str:
    """Sign in at each server of the account and return its user name.

    Raises:
        PluginError: what is wrong, and what to do.
    """
    credentials = call.credentials
    if credentials is None:
        raise PluginError(ErrorClass.CONFIG, "There is no connection to test.", sent=False)
    one: MailAccount = credentials.fields
    if one.smtp_host:
        smtp.check(dialling(call), smtp_server(credentials))
    if one.imap_host:
        with imap.session(dialling(call), imap_server(credentials)) as session:
            session.select("INBOX", change=False)
    return one.user


ACCOUNT = Account(kind="mail", fields=MailAccount, secret="Password", check=check)  # noqa: S106
