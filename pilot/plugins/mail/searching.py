"""Searching a mailbox: what can be asked, and how a message is shown."""

from datetime import date, datetime, time
from pathlib import Path
from time import monotonic
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Model
from pilot.plugins.mail import maildir
from pilot.plugins.mail.maildir import Stored
from pilot.plugins.mail.messages import OWN_HEADER
from pilot.plugins.mail.reading import Found

SNIPPET_CHARACTERS = 200


class SearchMail(Model):
    """What to look for; everything given must hold."""

    mailbox: str = Field("INBOX", description="INBOX, Sent, or an address that has mail here.")
    sender: str | None = Field(
        None, alias="from", description="Part of the sender's name or address."
    )
    to: str | None = Field(None, description="Part of a recipient's name or address.")
    subject_words: list[str] = Field([], description="Words in the subject.")
    text_words: list[str] = Field([], description="Words in the text.")
    match: Literal["any", "all"] = Field(
        "any", description="Whether one of all those words is enough, or each must be found."
    )
    since: date | datetime | None = Field(
        None, description="From this day or moment on, e.g. 2026-11-14."
    )
    before: date | datetime | None = Field(
        None, description="Before this day or moment, e.g. 2026-11-21."
    )
    unread: bool | None = Field(None, description="Only unread ones, or only read ones.")
    has_attachment: bool | None = Field(None, description="Only with, or only without, files.")
    label: str | None = Field(None, description="Only messages with this label.")
    without_label: str | None = Field(None, description="Only messages without this label.")
    content: Literal["headers", "snippet", "full"] = Field(
        "snippet", description="How much text to return: none, the beginning, or all."
    )
    exclude_own: bool = Field(True, description="Leave out mail that workflows have sent.")
    limit: int = Field(50, ge=1, le=1000, description="At most so many messages, newest first.")


class Attachment(Model):
    """A file in a message."""

    id: str = Field(description="Its number in the message, from 1.")
    name: str = Field(description="The file name.")
    media_type: str = Field(description="E.g. application/pdf.")
    size: int = Field(description="Size in bytes.")


class Message(Model):
    """One message."""

    id: str = Field(description="Names the message to the other actions of mail.")
    sender: str = Field(alias="from", description="The sender as written, name and address.")
    to: list[str] = Field(description="Addresses it went to.")
    cc: list[str] = Field(description="Addresses that got a copy.")
    subject: str = Field(description="The subject.")
    date: datetime = Field(description="When it was sent, in UTC.")
    snippet: str | None = Field(description="The beginning of the text, one line.")
    text: str | None = Field(description="The whole text, with content full only.")
    unread: bool = Field(description="Whether nobody has read it.")
    labels: list[str] = Field(description="Its labels.")
    attachments: list[Attachment] = Field(description="Its files.")


def newest(
    box: Path, params: SearchMail, *, zone: ZoneInfo, deadline: float
) -> tuple[list[Message], bool]:
    """Return the newest messages that match, and whether there are more.

    Raises:
        PluginError: class timeout.
    """
    labels = maildir.labels(box)
    hits: list[tuple[datetime, Stored]] = []
    for message in maildir.stored(box):
        if monotonic() >= deadline:
            raise PluginError(ErrorClass.TIMEOUT, "The mailbox is too large to search in time.")
        known = labels.get(message.unique, [])
        if _flags_match(message, known, params):
            found = _opened(message)
            if found is not None and matches(found, params, zone):
                hits.append((found.date, message))
    hits.sort(key=lambda hit: (hit[0], hit[1].unique), reverse=True)
    shown = (_shown(message, labels, params) for _, message in hits[: params.limit])
    return [message for message in shown if message is not None], len(hits) > params.limit


def _opened(message: Stored) -> Found | None:
    """Read a message, unless a reader has just moved or removed it."""
    try:
        return Found.at(message.path)
    except FileNotFoundError:
        pass
    try:
        return Found.at(maildir.find(message.path.parents[1], message.unique).path)
    except (PluginError, FileNotFoundError):
        return None


def _flags_match(message: Stored, labels: list[str], params: SearchMail) -> bool:
    if "T" in message.flags:  # deleted, and not yet swept away
        return False
    return marks_match(labels, params, unread=message.is_unread)


def marks_match(labels: list[str], params: SearchMail, *, unread: bool) -> bool:
    """Say whether a message is read and labelled as is asked for."""
    folded = {label.casefold() for label in labels}
    return (
        params.unread in {None, unread}
        and (params.label is None or params.label.casefold() in folded)
        and (params.without_label is None or params.without_label.casefold() not in folded)
    )


def matches(found: Found, params: SearchMail, zone: ZoneInfo) -> bool:
    """Say whether a message has what is asked for.

    The cheap questions come first: the body is parsed only for the last two.
    """
    return (
        not (params.exclude_own and found.header(OWN_HEADER))
        and _holds(found.header("From"), params.sender)
        and (_holds(found.header("To"), params.to) or _holds(found.header("Cc"), params.to))
        and (params.since is None or found.date >= _moment(params.since, zone))
        and (params.before is None or found.date < _moment(params.before, zone))
        and _words_match(found, params)
        and params.has_attachment in {None, any(True for _ in found.attachments())}
    )


def _holds(text: str, part: str | None) -> bool:
    return part is None or part.casefold() in text.casefold()


def _words_match(found: Found, params: SearchMail) -> bool:
    subject = found.header("Subject").casefold()
    hits = [word.casefold() in subject for word in params.subject_words]
    if params.text_words:
        text = found.text.casefold()
        hits += [word.casefold() in text for word in params.text_words]
    return not hits or (all(hits) if params.match == "all" else any(hits))


def _moment(limit: date | datetime, zone: ZoneInfo) -> datetime:
    """A day begins at midnight of the owner's zone; so does a moment without zone count there."""
    moment = limit if isinstance(limit, datetime) else datetime.combine(limit, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _shown(message: Stored, labels: dict[str, list[str]], params: SearchMail) -> Message | None:
    found = _opened(message)
    if found is None:
        return None
    name = f"{params.mailbox}/{message.unique}"
    known = labels.get(message.unique, [])
    return shown(name, found, known, params, unread=message.is_unread)


def shown(
    name: str, found: Found, labels: list[str], params: SearchMail, *, unread: bool
) -> Message:
    """Return a message as it is told, with as much text as is asked for."""
    text = "" if params.content == "headers" else found.text
    return Message.model_validate(
        {
            "id": name,
            "from": found.header("From"),
            "to": found.addresses("To"),
            "cc": found.addresses("Cc"),
            "subject": found.header("Subject"),
            "date": found.date,
            "snippet": None
            if params.content == "headers"
            else " ".join(text.split())[:SNIPPET_CHARACTERS],
            "text": text if params.content == "full" else None,
            "unread": unread,
            "labels": sorted(labels),
            "attachments": attachments(found),
        }
    )


def attachments(found: Found) -> list[Attachment]:
    """Describe the files of a message, numbered from 1."""
    return [
        Attachment(id=str(number), name=one.name, media_type=one.media_type, size=len(one.data))
        for number, one in enumerate(found.attachments(), 1)
    ]
