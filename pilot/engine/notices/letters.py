"""Mail of Pilot's own: what it says, and how it leaves, by SMTP or into a local mailbox."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from pilot import strictjson
from pilot.config import Config, SmtpServer
from pilot.egress import Egress
from pilot.engine import folders
from pilot.engine.transforms.markup import html_text
from pilot.errors import ErrorClass, PluginError
from pilot.plugins.mail import addresses, faults, maildir, smtp
from pilot.plugins.mail.messages import OWN_HEADER, compose, for_smtp

SMTP_S = 30.0
MAILBOX_S = 5.0
LOCAL_SENDER = "Pilot <pilot@localhost>"


@dataclass(frozen=True)
class Channels:
    """What mail of Pilot's own can leave by."""

    data: Path  # below it, the local mailboxes
    url: str  # where people reach Pilot, for the links
    smtp: SmtpServer | None = None
    egress: Egress = field(default_factory=Egress, repr=False)

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return those of this installation; the server that its environment names is open."""
        own = [f"{config.smtp.host}:{config.smtp.port}"] if config.smtp else []
        egress = Egress([*config.egress_allow, *own])
        return cls(config.data, config.url, config.smtp, egress)


@dataclass(frozen=True)
class Letter:
    """One mail to one person."""

    id: UUID  # its key: the same over retries
    owner_id: UUID  # below whom its local mailbox lies
    owner_email: str
    address: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Question:
    """What the mail about an approval says."""

    title: str
    message: str
    context: Any
    expires_at: datetime
    token: str  # of the link to its page
    size_bytes: int | None = None  # of all that is asked, if this is only the start of it


def deliver(letter: Letter, channels: Channels) -> None:
    """Send a letter by SMTP if there is a server, else file it in the local mailbox, once.

    Raises:
        PluginError: the server refused it, or the address is not on this machine.
        OSError: the mailbox cannot be written.
    """
    if channels.smtp is None:
        _file(letter, channels.data)
        return
    message = compose(_headers(letter, channels.smtp.sender), letter.text, letter.html)
    connect = smtp.connecting(channels.egress, time.monotonic() + SMTP_S)
    try:
        smtp.send(connect, channels.smtp, [letter.address], for_smtp(message))
    except PluginError as error:
        sentence = faults.SYSTEM_SENTENCES.get(error.remote_code or "", "")
        error.message = f"{error.message} {sentence}".strip()
        raise


def _file(letter: Letter, data: Path) -> None:
    if not addresses.is_local(letter.address, letter.owner_email):
        text_ = f"{letter.address} has no mailbox on this machine, and no mail account is set up."
        raise PluginError(ErrorClass.CONFIG, text_, sent=False)
    folder = folders.private(data, letter.owner_id) / "mail"
    box = folder / addresses.folder_name(letter.address) / "INBOX"
    message = compose(_headers(letter, LOCAL_SENDER), letter.text, letter.html)
    maildir.deliver(box, f"{letter.id}.pilot", message.as_bytes(), time.monotonic() + MAILBOX_S)


def _headers(letter: Letter, sender: str) -> dict[str, str]:
    domain = parseaddr(sender)[1].rpartition("@")[2]
    return {
        "From": sender,
        "To": letter.address,
        "Subject": " ".join(letter.subject.split()),
        "Message-ID": f"<{letter.id}@{domain}>",
        "Auto-Submitted": "auto-generated",  # RFC 3834: no out-of-office answers
        OWN_HEADER: str(letter.id),
    }


def asking(question: Question, url: str) -> tuple[str, str, str]:
    """Return subject, text and HTML of the mail that asks for a decision.

    What comes from the workflow is text, never markup.
    """
    page = f"{url}/approvals/links/{question.token}"
    until = f"Decide until {question.expires_at:%Y-%m-%d %H:%M} UTC."
    parts = (question.message, _context(question.context), _more(question), until)
    given = [part for part in parts if part]
    links = f"Approve: {page}#approve\nReject: {page}#reject"
    html = [f"<h1>{html_text(question.title)}</h1>"]
    html += [f"<p>{html_text(part)}</p>" for part in given]
    href = html_text(page)
    html.append(
        f'<p><a href="{href}#approve">Look and approve</a> '
        f'or <a href="{href}#reject">look and reject</a></p>'
    )
    text = "\n\n".join([question.title, *given, links])
    return f"Approval asked: {question.title}", text, "\n".join(html)


def reminding(question: Question, url: str) -> tuple[str, str, str]:
    """Return subject, text and HTML of the mail to who has not decided yet."""
    _, text, html = asking(question, url)
    return f"Reminder, approval asked: {question.title}", text, html


def filling(question: Question, url: str) -> tuple[str, str, str]:
    """Return subject, text and HTML of the mail that asks to fill in a form."""
    page = f"{url}/forms/links/{question.token}"
    until = f"Fill it in until {question.expires_at:%Y-%m-%d %H:%M} UTC."
    html = [f"<h1>{html_text(question.title)}</h1>", f"<p>{html_text(until)}</p>"]
    html.append(f'<p><a href="{html_text(page)}">Fill it in</a></p>')
    text = "\n\n".join([question.title, until, f"Fill it in: {page}"])
    return f"Please fill in: {question.title}", text, "\n".join(html)


def plain(subject: str, text: str, link: str | None) -> tuple[str, str, str]:
    """Return subject, text and HTML of a mail of paragraphs and at most one link."""
    html = [f"<p>{html_text(part)}</p>" for part in text.split("\n\n")]
    if link:
        html.append(f'<p><a href="{html_text(link)}">{html_text(link)}</a></p>')
    return subject, "\n\n".join(filter(None, [text, link])), "\n".join(html)


def _more(question: Question) -> str:
    if question.size_bytes is None:
        return ""
    size = f"{question.size_bytes / 1024 / 1024:.1f} MB"
    return f"This is the start of {size}: the page has a file with all of it."


def _context(context: Any) -> str:
    if context is None or isinstance(context, str):
        return context or ""
    return strictjson.dumps(context)
