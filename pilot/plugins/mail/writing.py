"""Writing a mail and handing it over: whom it reaches, what it holds, what became of it."""

import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import parseaddr
from hashlib import sha256

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Call, File
from pilot.plugins.mail import addresses, local, remote
from pilot.plugins.mail.messages import OWN_HEADER, attach, compose, for_smtp
from pilot.plugins.mail.shapes import Letter, Refused, ReplyMail, Sent

NO_ACCOUNT = "not sent: no mail account"
MAX_ATTACHED_BYTES = 25_000_000  # what most servers take


@dataclass(frozen=True)
class Receivers:
    """Bare addresses, each once."""

    to: list[str]
    cc: list[str]
    bcc: list[str]

    @property
    def everybody(self) -> list[str]:
        """All of them, in the order of the headers."""
        return [*self.to, *self.cc, *self.bcc]


def receivers(letter: Letter) -> Receivers:
    """Return who gets a letter.

    Raises:
        PluginError: names every bad address, before anything is sent (class input).
    """
    return Receivers(*addresses.deduplicated(*_recipients(letter)))


def written(
    call: Call,
    whom: Receivers,
    subject: str,
    body: Letter | ReplyMail,
    thread: dict[str, str] | None = None,
) -> EmailMessage:
    """Return a mail with its headers and files; `thread` names what it answers.

    Raises:
        PluginError: its files are too large together (class input), or one is not there.
    """
    _check_size(body.attachments)
    message = compose(
        {
            "From": sender(call),
            "To": ", ".join(whom.to),
            "Cc": ", ".join(whom.cc),
            "Subject": subject,
            "Message-ID": message_id(call),
            OWN_HEADER: token(call.key),
        }
        | (thread or {}),
        body.text,
        body.html,
    )
    for handle in body.attachments:
        with call.files.open(handle) as stream:
            attach(message, handle, stream.read())
    return message


def _check_size(files: list[File]) -> None:
    size = sum(one.size for one in files)
    if size > MAX_ATTACHED_BYTES:
        text = f"The attachments have {size / 1_000_000:.1f} MB together; 25 MB is the most."
        raise PluginError(ErrorClass.INPUT, text, code="too_large", sent=False)


def handed_over(call: Call, whom: Receivers, message: EmailMessage) -> Sent:
    """Send a mail over the connection, or file it here for who is here.

    Raises:
        PluginError: it was not sent.
    """
    number = message_id(call)
    if call.credentials:
        taken = remote.send(call, call.credentials, whom.everybody, for_smtp(message))
        refused = [Refused(address=one, reason=reason) for one, reason in taken.refused]
        return receipt(number, taken.accepted, refused)
    here, foreign = local.deliver(call, file_name(call), message, whom.everybody, whom.bcc)
    call.log.info("mail_sent", accepted=len(here), refused=len(foreign))
    return receipt(number, here, [Refused(address=one, reason=NO_ACCOUNT) for one in foreign])


def sender(call: Call) -> str:
    """Return who writes, "" for an account that only reads."""
    return str(call.credentials.fields.sender) if call.credentials else call.owner_email


def message_id(call: Call) -> str:
    """Return the Message-ID that the key gives: the same over retries and recoveries."""
    domain = parseaddr(sender(call))[1].rpartition("@")[2] or "localhost"
    return f"<{token(call.key)}@{domain}>"


def receipt(message_id: str, accepted: list[str], refused: list[Refused]) -> Sent:
    """Return what became of a mail."""
    parts = [f"Sent to {', '.join(accepted)}."] if accepted else []
    if refused:
        reasons = dict.fromkeys(one.reason.removeprefix("not sent: ") for one in refused)
        names = ", ".join(one.address for one in refused)
        parts.append(f"Not sent to {names}: {'; '.join(reasons).rstrip('.')}.")
    return Sent(message_id=message_id, accepted=accepted, refused=refused, summary=" ".join(parts))


def file_name(call: Call) -> str:
    """Return the name of a mail's file here, that the key gives."""
    return f"{token(call.key)}.pilot"


def token(key: str) -> str:
    """Return the key as it may stand in a file name and a Message-ID."""
    return key if re.fullmatch(r"[0-9A-Za-z-]{1,64}", key) else sha256(key.encode()).hexdigest()


def _recipients(letter: Letter) -> tuple[list[str], list[str], list[str]]:
    """Check all addresses before anything is sent, and name every bad one."""
    problems: list[str] = []

    def checked(texts: list[str]) -> list[str]:
        good: list[str] = []
        for text in texts:
            try:
                good.append(addresses.normal(text))
            except ValueError as error:
                problems.append(f"{text[:80]!r} is no address: {str(error).rstrip('.')}.")
        return good

    found = checked(letter.to), checked(letter.cc), checked(letter.bcc)
    if problems:
        raise PluginError(ErrorClass.INPUT, " ".join(problems), code="address", sent=False)
    return found
