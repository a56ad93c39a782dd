"""One session with an IMAP server (RFC 3501): mailboxes, messages by UID, flags, keywords."""

import binascii
import imaplib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import quote, unquote

from pilot.errors import ErrorClass, PluginError, StepError
from pilot.plugins.mail import faults
from pilot.plugins.mail.smtp import Connect

if TYPE_CHECKING:
    from pilot.egress.wire import Wire

WHOLE, HEAD = "BODY.PEEK[]", "BODY.PEEK[HEADER]"
DATE = "RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE)]"
MOVING = "$PilotMoving"
_HIDDEN = ("\\", "$")  # system flags and those of mail programs
_FACTS = re.compile(rb"\b(UID|INTERNALDATE|FLAGS|RFC822\.SIZE) (\([^)]*\)|\"[^\"]*\"|\d{1,19}\b)")
_UID = re.compile(rb"[0-9]{1,10}")


@dataclass(frozen=True)
class ImapServer:
    """A server that keeps mail, and as whom."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Fetched:
    """What is known of a message: its flags, when it came, and as much as was asked for."""

    uid: int
    flags: frozenset[str]
    received: datetime
    data: bytes
    size: int = 0


class _Client(imaplib.IMAP4):
    def __init__(self, connect: Connect, server: ImapServer) -> None:
        self._dial = connect
        self._tls_at_once = server.security == "tls"
        super().__init__(server.host, server.port)

    def _create_socket(self, timeout: float | None = None) -> Any:  # noqa: ARG002
        wire: Wire = self._dial(self.host, self.port)
        return wire.secure() if self._tls_at_once else wire

    def read(self, size: int) -> bytes:
        """Return a literal; memory for all of it is taken at once."""
        cast("Wire", self.sock).expect(size)
        return super().read(size)

    def _get_response(self) -> Any:
        try:
            return super()._get_response()  # type: ignore[misc]
        except ValueError as error:  # the size of a literal has thousands of digits
            raise self.abort("unreadable size") from error


@contextmanager
def session(connect: Connect, server: ImapServer) -> Iterator["Session"]:
    """Sign in, and out at the end.

    Raises:
        PluginError: what is wrong, and what to do.
    """
    with faults.explained():
        client = _Client(connect, server)
        try:
            if server.security == "starttls":
                if "STARTTLS" not in client.capabilities:
                    raise _not_offered("STARTTLS")
                client.starttls(ssl_context=cast("Any", client.sock))  # the wire secures itself
            _sign_in(client, server)
            yield Session(client)
        finally:
            _leave(client)


def _leave(client: _Client) -> None:
    try:
        client.logout()
    except (imaplib.IMAP4.error, StepError, OSError, ValueError):
        client.sock.close()


def _sign_in(client: _Client, server: ImapServer) -> None:
    if "AUTH=PLAIN" not in client.capabilities:
        raise _not_offered("AUTH=PLAIN")
    words = f"\0{server.user}\0{server.password}".encode()
    try:
        client.authenticate("PLAIN", lambda _: words)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        text = f"The mail server did not accept the user and password: {_said(error.args)}."
        if "[UNAVAILABLE]" in text:
            raise PluginError(ErrorClass.SERVER, text, code="busy", sent=False) from None
        raise PluginError(ErrorClass.AUTH, text, code="auth", sent=False) from None


def _not_offered(what: str) -> PluginError:
    text = f"The mail server does not offer {what}."
    return PluginError(ErrorClass.CONFIG, text, code="tls", sent=False)


def _said(answer: Any) -> str:
    data = b" ".join(one if isinstance(one, bytes) else str(one).encode() for one in answer if one)
    return faults.said("", data)


class Session:
    """A session that is signed in."""

    def __init__(self, client: imaplib.IMAP4) -> None:
        self._client = client
        _, answer = client.capability()  # servers tell most of them after the sign-in only
        self._can = frozenset((answer[0] or b"").decode("ascii", "replace").upper().split())
        self._open = ""

    def select(self, mailbox: str, *, change: bool) -> int:
        """Open a mailbox and return its UIDVALIDITY, which ends when its UIDs do.

        Raises:
            PluginError: there is none of this name (class not_found).
        """
        status, answer = self._client.select(encoded(mailbox), readonly=not change)
        if status != "OK":
            text = f"There is no mailbox {mailbox[:80]!r} on the server: {_said(answer)}."
            raise PluginError(ErrorClass.NOT_FOUND, text, code="mailbox", sent=False)
        self._open = mailbox
        _, validity = self._client.response("UIDVALIDITY")
        return _number(validity[0]) if validity and validity[0] else 0

    def search(self, *criteria: str) -> list[int]:
        """Return the UIDs that match, the newest last."""
        answer = self._do("SEARCH", *criteria)
        return sorted(map(_number, b" ".join(one for one in answer if one).split()))

    def fetch(self, uids: Sequence[int], part: str = "") -> list[Fetched]:
        """Return flags, date and a part (such as BODY.PEEK[HEADER]) of those that are there."""
        if not uids:
            return []
        wanted = f"(UID FLAGS INTERNALDATE {part})".replace(" )", ")")
        found = _facts_by_uid(self._do("FETCH", _set(uids), wanted))
        asked = set(uids)
        return [_message(uid, *one) for uid, one in found.items() if uid in asked]

    def store(self, uids: Sequence[int], flag: str, *, present: bool) -> None:
        """Set a flag or take it away."""
        if not uids:
            return
        try:
            self._do("STORE", _set(uids), "+FLAGS" if present else "-FLAGS", f"({flag})")
        except PluginError as error:
            if not any(word in error.message for word in ("[CANNOT]", "[LIMIT]")):  # RFC 5530
                raise
            raise PluginError(ErrorClass.INPUT, error.message, code="label") from None

    def move(self, messages: Sequence[Fetched], mailbox: str) -> None:
        """Move messages into a mailbox, which is made if need be."""
        if not messages:
            return
        self.ensure(mailbox)
        uids = [one.uid for one in messages]
        if "MOVE" in self._can:
            self._do("MOVE", _set(uids), encoded(mailbox))
            return
        # COPY copies all or nothing, and marks too: what bears one in both places is half moved.
        there = self._copied([one for one in messages if MOVING in one.flags], mailbox)
        if rest := [uid for uid in uids if uid not in there]:
            self.store(rest, MOVING, present=True)
            self._do("COPY", _set(rest), encoded(mailbox))
        self.store(uids, "\\Deleted", present=True)
        if "UIDPLUS" in self._can:
            self._do("EXPUNGE", _set(uids))
        with self._inside(mailbox):
            self.store(self.search("KEYWORD", MOVING), MOVING, present=False)

    def _copied(self, marked: Sequence[Fetched], mailbox: str) -> set[int]:
        """Return those that a move that broke off has copied already."""
        if not marked:
            return set()
        with self._inside(mailbox):
            copies = self.fetch(self.search("KEYWORD", MOVING), HEAD)
        left = Counter((one.received, one.data) for one in copies)
        found: set[int] = set()
        for one in self.fetch([one.uid for one in marked], HEAD):
            if left[one.received, one.data] > 0:
                left[one.received, one.data] -= 1
                found.add(one.uid)
        return found

    @contextmanager
    def _inside(self, mailbox: str) -> Iterator[None]:
        before = self._open
        self.select(mailbox, change=True)
        yield
        self.select(before, change=True)

    def ensure(self, mailbox: str) -> None:
        """Make a mailbox unless it is there."""
        status, answer = self._client.status(encoded(mailbox), "(MESSAGES)")
        if status == "OK":
            return
        status, answer = self._client.create(encoded(mailbox))
        if status != "OK":
            text = f"The mailbox {mailbox[:80]!r} cannot be made: {_said(answer)}."
            raise PluginError(ErrorClass.NOT_FOUND, text, code="mailbox", sent=False)

    def append(self, mailbox: str, data: bytes, flags: str) -> None:
        """File a message in a mailbox, which is made if need be."""
        self.ensure(mailbox)
        status, answer = self._client.append(encoded(mailbox), flags, "", data)
        if status != "OK":
            text = f"The mail server did not file the mail: {_said(answer)}."
            raise PluginError(ErrorClass.SERVER, text, code="refused", sent=False)

    def _do(self, command: str, *words: str) -> list[Any]:
        cast("Wire", self._client.sock).renew()
        status, answer = self._client.uid(command, *words)
        if status != "OK":
            text = f"The mail server refused {command}: {_said(answer)}."
            raise PluginError(ErrorClass.SERVER, text, code="refused")
        return answer


def _set(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _number(text: bytes) -> int:
    if not _UID.fullmatch(text):
        raise imaplib.IMAP4.abort(f"no number: {text[:40]!r}")
    return int(text)


def _facts_by_uid(answer: Sequence[Any]) -> dict[int, tuple[dict[bytes, bytes], bytes]]:
    """Read the items of FETCH: a message is a tuple and its end, or one line.

    Servers tell in between which flags somebody else has just changed: that adds to what is known
    of a message, and is none by itself.
    """
    found: dict[int, tuple[dict[bytes, bytes], bytes]] = {}
    line, data = b"", b""
    for part in [*answer, None]:
        if isinstance(part, tuple):
            line += part[0]
            data = part[1]
            continue
        line += part or b""
        facts = dict(_FACTS.findall(line))
        if b"UID" in facts:
            known, before = found.get(int(facts[b"UID"]), ({}, b""))
            found[int(facts[b"UID"])] = (known | facts, data or before)
            line, data = b"", b""
    return {uid: one for uid, one in found.items() if b"INTERNALDATE" in one[0] or one[1]}


def _message(uid: int, facts: dict[bytes, bytes], data: bytes) -> Fetched:
    flags = frozenset(facts.get(b"FLAGS", b"()")[1:-1].decode("ascii", "replace").split())
    try:
        text = facts.get(b"INTERNALDATE", b"")[1:-1].decode("ascii").strip()
        received = datetime.strptime(text, "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError):  # no date, or one outside the calendar in UTC
        received = datetime(1970, 1, 1, tzinfo=UTC)
    size = int(facts.get(b"RFC822.SIZE", b"0"))
    return Fetched(uid, flags, received, data, size)


def quoted(text: str) -> str:
    """Return a text as IMAP has it; it is printable ASCII.

    Raises:
        ValueError: it is not.
    """
    if not (text.isascii() and text.isprintable()):
        raise ValueError("it holds characters that cannot be sent")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def encoded(mailbox: str) -> str:
    """Return the name of a mailbox in modified UTF-7 (RFC 3501, 5.1.3), quoted."""
    if not mailbox.isprintable():
        text = f"There is no mailbox {mailbox[:80]!r}."
        raise PluginError(ErrorClass.NOT_FOUND, text, code="mailbox", sent=False)
    parts = re.split(r"([^\x20-\x7e]+)", mailbox.replace("&", "&-"))
    return quoted(
        "".join(_shifted(part) if place % 2 else part for place, part in enumerate(parts))
    )


def _shifted(text: str) -> str:
    data = binascii.b2a_base64(text.encode("utf-16-be"), newline=False)
    return f"&{data.decode().rstrip('=').replace('/', ',')}-"


def keyword(label: str) -> str:
    """Return a label as a keyword: letters, digits and = with two digits for all else."""
    return quote(label, safe="").replace("%", "=").replace("~", "=7E")


def labels(flags: frozenset[str]) -> list[str]:
    """Return the labels among the flags of a message."""
    return sorted(_label(flag) for flag in flags if not flag.startswith(_HIDDEN))


def keywords(flags: frozenset[str], label: str) -> set[str]:
    """Return the flags that stand for a label, whose case does not matter."""
    own = {flag for flag in flags if not flag.startswith(_HIDDEN)}
    return {flag for flag in own if _label(flag).casefold() == label.casefold()}


def _label(flag: str) -> str:
    return unquote(flag.replace("=", "%"))
