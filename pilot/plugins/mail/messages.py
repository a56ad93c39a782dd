"""Messages as text: composing what is sent, reading what was found."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage, MIMEPart
from email.parser import BytesHeaderParser, BytesParser
from email.policy import default
from email.utils import formatdate, getaddresses, parsedate_to_datetime
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Self

import nh3

OWN_HEADER = "X-Pilot-Key"
NOT_SENT_HEADER = "X-Pilot-Not-Sent"
MAX_HTML_CHARACTERS = 300_000
# Every server takes 7 bits; a body of 8 needs one that says so.
_SEVEN_BIT = default.clone(cte_type="7bit")
_BLOCKS = {"p", "div", "br", "tr", "li", "table", "ul", "ol", "h1", "h2", "h3", "h4"}
# What the header parser of the standard library raises for damaged addresses.
_DAMAGE = (LookupError, ValueError, AttributeError, TypeError, NameError)
_CELLS = {"td", "th"}
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
    clean = nh3.clean(html)
    message.set_content(text or text_of(clean))
    if clean:
        message.add_alternative(clean, subtype="html")
    return message


def for_smtp(message: EmailMessage) -> bytes:
    """Return a message as it travels: every line ends with CRLF."""
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


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

    def attachments(self) -> Iterator[tuple[str, str, int]]:
        """Yield name, media type and size in bytes of each attachment."""
        parts = self._parsed.iter_attachments() if self._parsed.is_multipart() else ()
        for number, part in enumerate(parts):
            payload = part.get_payload(decode=True)
            size = len(payload) if isinstance(payload, bytes) else 0
            name = _storable(part.get_filename() or f"attachment {number + 1}")
            yield name, part.get_content_type(), size


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
