"""Messages as text: composing what is sent, reading what was found."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage, MIMEPart
from email.parser import BytesHeaderParser, BytesParser
from email.policy import EmailPolicy, default
from email.utils import formatdate, getaddresses, parsedate_to_datetime
from functools import cached_property
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import File, Files

OWN_HEADER = "X-Pilot-Key"
NOT_SENT_HEADER = "X-Pilot-Not-Sent"
MAX_HTML_CHARACTERS = 300_000
_THREAD = ("in-reply-to", "references")
_BLOCKS = {"p", "div", "br", "tr", "li", "table", "ul", "ol", "h1", "h2", "h3", "h4"}
# What the header parser of the standard library raises for damaged addresses.
_DAMAGE = (LookupError, ValueError, AttributeError, TypeError, NameError)
_CELLS = {"td", "th"}
_NO_FILES = {"text", "multipart"}
_UNSEEN = {"script", "style", "head", "title", "template"}


class _TextOfHtml(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.parts.append("\t" if tag in _CELLS else "\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(re.sub(r"\s+", " ", data))


def text_of(html: str) -> str:
    """Return HTML as plain text: a line per block, cells divided by " | ".

    It is cleaned first: the parser of the standard library needs quadratic time for damaged
    markup. Only the first 300,000 characters count.
    """
    import nh3  # noqa: PLC0415

    clean = nh3.clean(
        html[:MAX_HTML_CHARACTERS],
        tags={*_BLOCKS, *_CELLS},
        clean_content_tags=_UNSEEN,
        attributes={},
    )
    parser = _TextOfHtml()
    parser.feed(clean)
    parser.close()
    lines = "".join(parser.parts).split("\n")
    cells = ([" ".join(cell.split()) for cell in line.strip("\t ").split("\t")] for line in lines)
    return "\n".join(line for line in (" | ".join(row) for row in cells) if line.strip())


class _Policy(EmailPolicy):
    """Folds headers as the standard library does, but for ids of messages, which are no text."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() in _THREAD:  # the library would encode long ones, and no thread was found
            lines = str(value).replace(" ", f"{self.linesep} ")
            return f"{name}: {lines}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


# Every server takes 7 bits; a body of 8 needs one that says so.
_SEVEN_BIT = _Policy(cte_type="7bit")


def compose(headers: dict[str, str], text: str, html: str) -> EmailMessage:
    """Return a message; HTML is cleaned and gets a text part if there is no text.

    Args:
        headers: without line breaks; empty ones are left out.
        text: the plain body, or "".
        html: the HTML body, or "".
    """
    message = EmailMessage(policy=_SEVEN_BIT)
    for name, value in headers.items():
        if value:
            message[name] = value
    message["Date"] = formatdate(usegmt=True)
    import nh3  # noqa: PLC0415

    clean = nh3.clean(html)
    message.set_content(text or text_of(clean))
    if clean:
        message.add_alternative(clean, subtype="html")
    return message


def attach(message: EmailMessage, handle: File, data: bytes) -> None:
    """Add a file to a message, under its name."""
    kind, _, subtype = handle.media_type.partition("/")
    if kind in {"message", "multipart"}:  # whose content may not be encoded (RFC 2046, 5)
        kind, subtype = "application", "octet-stream"
    message.add_attachment(data, maintype=kind, subtype=subtype, filename=handle.name)


def for_smtp(message: EmailMessage) -> bytes:
    """Return a message as it travels: every line ends with CRLF."""
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


@dataclass(frozen=True)
class Attached:
    """A file in a message, as its sender describes it."""

    name: str
    media_type: str
    data: bytes = field(repr=False)

    def stored(self, files: Files) -> File:
        """Store it and return its handle."""
        return files.save(BytesIO(self.data), self.name, self.media_type)


class Found:
    """A message of a mailbox; its body is parsed only when it is asked for."""

    def __init__(self, data: bytes, received: datetime) -> None:
        self._data = data
        self._received = received
        self._head = BytesHeaderParser(policy=default).parsebytes(self._data)

    @classmethod
    def at(cls, path: Path) -> Self:
        """Read the file of a message."""
        with path.open("rb") as file:
            received = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
            return cls(file.read(), received)

    @cached_property
    def _parsed(self) -> EmailMessage:
        return BytesParser(policy=default).parsebytes(self._data)

    def header(self, name: str) -> str:
        """Return a header as one line, "" if it is absent, as it stands if it is damaged."""
        try:
            text = str(self._head.get(name, ""))
        except _DAMAGE:
            raw = (value for one, value in self._head.raw_items() if one.lower() == name.lower())
            text = next(raw, "")
        return " ".join(_storable(text).split())

    def addresses(self, name: str) -> list[str]:
        """Return the bare addresses of a header."""
        return [address for _, address in getaddresses([self.header(name)]) if address]

    @property
    def date(self) -> datetime:
        """When it was sent, in UTC; when it was received, if its own date is missing or bad."""
        try:
            sent = parsedate_to_datetime(self.header("Date"))
            return (sent if sent.tzinfo else sent.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            return self._received

    @property
    def text(self) -> str:
        """The body as plain text."""
        part = self._parsed.get_body(("plain", "html"))
        if part is None:
            return ""
        content = _decoded(part)
        return text_of(content) if part.get_content_subtype() == "html" else content.strip()

    @property
    def may_have_files(self) -> bool:
        """Whether its head leaves room for attachments."""
        return self._head.get_content_maintype() != "text" or self._head.is_attachment()

    def attachments(self) -> Iterator[Attached]:
        """Yield its files, in their order."""
        whole = self._parsed
        if whole.is_multipart():
            parts: Iterator[Any] = whole.iter_attachments()
        else:  # scanners send mail that is one file
            alone = whole.is_attachment() or whole.get_content_maintype() not in _NO_FILES
            parts = iter([whole] if alone else [])
        for number, part in enumerate(parts, 1):
            name = _storable(_file_name(part) or f"attachment {number}")
            yield Attached(name, part.get_content_type(), _content(part))

    def attachment(self, number: str) -> Attached:
        """Return the file with this number, from 1.

        Raises:
            PluginError: there is none (class not_found).
        """
        found = list(self.attachments())
        chosen = [one for place, one in enumerate(found, 1) if str(place) == number]
        if not chosen:
            text = f"The message has no attachment {number[:20]!r}; it has {len(found)}."
            raise PluginError(ErrorClass.NOT_FOUND, text, sent=False)
        return chosen[0]


def _file_name(part: MIMEPart) -> str | None:
    try:
        return part.get_filename()
    except _DAMAGE:
        return None


def _content(part: MIMEPart) -> bytes:
    if part.get_content_type() == "message/rfc822" and part.is_multipart():
        return bytes(part.get_payload(0))  # type: ignore[arg-type]
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # bytes that are no text came as surrogates


def _decoded(part: MIMEPart) -> str:
    """Decode leniently: mail often names a charset wrongly or one that does not exist."""
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    try:
        return data.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return data.decode("utf-8", "replace")
