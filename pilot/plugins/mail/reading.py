"""Messages that were found: read leniently, whatever their senders wrote."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import EmailPolicy
from email.utils import getaddresses, parsedate_to_datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import File, Files
from pilot.plugins.mail.messages import text_of

LONGEST_HEADER = 2_000  # characters; the parser needs quadratic time for damaged ones
LONGEST_CODED = 50_000  # of those with words in codes, or parameters: quadratic time as well
MOST_STEPS = 20_000_000
_WITH_PARAMETERS = {"content-type", "content-disposition"}
_TEXTS = {"text/plain", "text/html"}
# What the parser of the standard library raises for damaged headers.
_DAMAGE = (
    LookupError,
    ValueError,
    AttributeError,
    TypeError,
    NameError,
    RecursionError,
    MessageError,
)


class _Lenient(EmailPolicy):
    """Takes a header as plain text if it is long or damaged; bytes in it are text as well."""

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        text = _readable(value)
        if len(text) <= LONGEST_HEADER:
            with suppress(*_DAMAGE):
                return super().header_fetch_parse(name, text)
        if "=?" in text or name.lower() in _WITH_PARAMETERS:
            text = text[:LONGEST_CODED]
        return super().header_fetch_parse("Subject", text)


_LENIENT = _Lenient()


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
        self._head = BytesHeaderParser(policy=_LENIENT).parsebytes(self._data)

    @classmethod
    def at(cls, path: Path) -> Self:
        """Read the file of a message."""
        with path.open("rb") as file:
            received = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
            return cls(file.read(), received)

    @cached_property
    def _parsed(self) -> Message:
        """The whole message; its head alone if nothing else of it can be read."""
        if _is_deep(self._data):
            return self._head
        try:
            return BytesParser(policy=_LENIENT).parsebytes(self._data)
        except _DAMAGE:
            return self._head

    @cached_property
    def _parts(self) -> tuple[dict[str, Message], list[Message]]:
        """Its texts, by media type, and its files, however deep they lie."""
        texts: dict[str, Message] = {}
        files: list[Message] = []
        for part, is_shown in _leaves(self._parsed):
            kind, attached = part.get_content_type(), _is_attached(part)
            again = kind in texts or (texts and part.get_filename())
            if kind in _TEXTS and not attached and not again:
                texts[kind] = part
            elif attached or not is_shown:
                files.append(part)
        return texts, files

    def header(self, name: str) -> str:
        """Return a header as one line, "" if it is absent, as it stands if it is damaged."""
        try:
            text = str(self._head.get(name, ""))
        except _DAMAGE:
            text = self._raw(name)
        return " ".join(_storable(text).split())

    def addresses(self, name: str) -> list[str]:
        """Return the bare addresses of a header."""
        raw = self._raw(name)
        text = raw if len(raw) > LONGEST_HEADER else self.header(name)
        try:
            return [_storable(address) for _, address in getaddresses([text]) if address]
        except RecursionError:
            return []

    def _raw(self, name: str) -> str:
        raw = (value for one, value in self._head.raw_items() if one.lower() == name.lower())
        return _readable(next(raw, ""))

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
        texts, _ = self._parts
        if "text/plain" in texts:
            return _decoded(texts["text/plain"]).strip()
        return text_of(_decoded(texts["text/html"])) if "text/html" in texts else ""

    @property
    def may_have_files(self) -> bool:
        """Whether its head leaves room for attachments."""
        return self._head.get_content_type() not in _TEXTS or _is_attached(self._head)

    def attachments(self) -> Iterator[Attached]:
        """Yield its files, in their order."""
        for number, part in enumerate(self._parts[1], 1):
            name = _storable(part.get_filename() or f"attachment {number}")
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


def _is_deep(data: bytes) -> bool:
    """Whether the parser, which asks for every line which parts it ends, could need minutes."""
    return data.lower().count(b"boundary=") * data.count(b"\n") > MOST_STEPS


def _leaves(whole: Message) -> Iterator[tuple[Message, bool]]:
    """Yield the parts that hold no others, and whether the text shows them: pictures of HTML."""
    waiting: list[tuple[Any, bool]] = [(whole, False)]
    while waiting:
        part, within = waiting.pop()
        if part.get_content_maintype() != "multipart":
            picture = part.get_content_maintype() == "image" and "Content-ID" in part
            yield part, within and picture
        elif part.is_multipart():
            within = within or (part is not whole and part.get_content_subtype() == "related")
            waiting += [(one, within) for one in reversed(part.get_payload())]


def _is_attached(part: Message) -> bool:
    return part.get_content_disposition() == "attachment"


def _content(part: Message) -> bytes:
    if part.get_content_type() == "message/rfc822" and part.is_multipart():
        return bytes(part.get_payload(0))  # type: ignore[arg-type]
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # bytes that are no text came as surrogates


def _decoded(part: Message) -> str:
    """Decode leniently: mail often names a charset wrongly or one that does not exist."""
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    try:
        return _storable(data.decode(part.get_content_charset("utf-8"), "replace"))
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")


def _readable(text: str) -> str:
    """Return a header whose bytes beyond ASCII came as surrogates: UTF-8, or else Latin."""
    data = text.encode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
