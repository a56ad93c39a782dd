"""Messages as text: composing what is sent, and HTML as text."""

import re
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import formatdate
from html.parser import HTMLParser

from pilot.plugins import File
from pilot.plugins._markup import shallow

OWN_HEADER = "X-Pilot-Key"
NOT_SENT_HEADER = "X-Pilot-Not-Sent"
MAX_HTML_CHARACTERS = 300_000
_THREAD = ("in-reply-to", "references")
_BLOCKS = {"p", "div", "br", "tr", "li", "table", "ul", "ol", "h1", "h2", "h3", "h4"}
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
    import nh3  # noqa: PLC0415

    clean = nh3.clean(
        shallow(html[:MAX_HTML_CHARACTERS]),
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

    clean = nh3.clean(shallow(html))
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
