"""Mail over a connection, or on this machine: a Maildir per local address, and one for Sent."""

import re
from email.message import EmailMessage
from email.utils import parseaddr
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Call, Category, Confirm, Effect, Limit, Model, Plugin
from pilot.plugins.mail import addresses, maildir, remote
from pilot.plugins.mail.account import ACCOUNT
from pilot.plugins.mail.faults import SENTENCES
from pilot.plugins.mail.messages import NOT_SENT_HEADER, OWN_HEADER, compose, for_smtp
from pilot.plugins.mail.searching import Message, SearchMail, newest

NO_ACCOUNT = "not sent: no mail account"

plugin = Plugin(
    name="mail",
    version="1.0",
    title="Mail",
    category=Category.COMMUNICATION,
    summary="Finds, sends and sorts mail.",
    account=ACCOUNT,
)


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds line breaks or control characters.")
    return text


def _label(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty.")
    return _one_line(text.strip())


class Found(Model):
    """Messages, newest first."""

    messages: list[Message] = Field(description="The messages found, newest first.")
    more: bool = Field(description="True when more messages match than `limit`.")


class SendMail(Model):
    """A mail to send."""

    to: list[str] = Field(min_length=1, max_length=100, description="One address per item.")
    cc: list[str] = Field([], max_length=100, description="Addresses that get a copy.")
    bcc: list[str] = Field([], max_length=100, description="Addresses that the others do not see.")
    subject: Annotated[str, AfterValidator(_one_line)] = Field(
        max_length=500, description="The subject, one line, e.g. Tasks due this week."
    )
    text: str = Field("", max_length=1_000_000, description="The body as plain text.")
    html: str = Field(
        "",
        max_length=1_000_000,
        description="The body as HTML; a text version is added.",
        json_schema_extra={"format": "html"},
    )

    @model_validator(mode="after")
    def _has_a_body(self) -> "SendMail":
        if not (self.text.strip() or self.html.strip()):
            raise ValueError("need `text` or `html`: a mail without a body is not sent.")
        return self


class Refused(Model):
    """A recipient that the mail did not reach."""

    address: str = Field(description="The address.")
    reason: str = Field(description="Why, e.g. not sent: no mail account.")


class Sent(Model):
    """What became of a mail."""

    message_id: str = Field(description="The Message-ID header, e.g. <key@example.com>.")
    accepted: list[str] = Field(description="Addresses that got it.")
    refused: list[Refused] = Field(description="Addresses that did not get it, with the reason.")
    summary: str = Field(description="One sentence on who got it and who did not.")


class MarkRead(Model):
    """Messages to mark."""

    ids: list[str] = Field(max_length=1000, description="Ids as search returns them.")


class ChangeLabel(Model):
    """Messages and a label."""

    ids: list[str] = Field(max_length=1000, description="Ids as search returns them.")
    label: Annotated[str, AfterValidator(_label)] = Field(
        max_length=100, description="The label, e.g. shopping; case does not matter."
    )


class Changed(Model):
    """Which messages changed."""

    changed: list[str] = Field(description="Ids of the messages that were changed.")
    unchanged: list[str] = Field(description="Ids of those that were as wished already.")


class Labelled(Changed):
    """Which messages changed, and how their server keeps the label."""

    moved: list[str] = Field(
        [],
        description="Ids of those that went into a folder of the label's name: their server keeps"
        " no labels.",
    )


class Move(Model):
    """Messages and where they go."""

    ids: list[str] = Field(max_length=1000, description="Ids as search returns them.")
    mailbox: Annotated[str, AfterValidator(_label)] = Field(
        max_length=100, description="The mailbox, e.g. Archive; it is made if need be."
    )


@plugin.action(
    effect=Effect.PURE,
    success="Searched {mailbox}",
    errors=SENTENCES,
    guidance="Use it to read mail. Words are found in any case, also inside longer words."
    ' Example: {"subject_words": ["refund", "complaint"], "since": "2026-11-14"}.',
)
def search(call: Call, params: SearchMail) -> Found:
    """Find messages in a mailbox by sender, words, date, flags and labels."""
    if call.credentials:
        found, more = remote.newest(call, call.credentials, params)
        return Found(messages=found, more=more)
    box = _box(call, params.mailbox)
    found, more = newest(box, params, zone=call.zone, deadline=call.deadline)
    return Found(messages=found, more=more)


def _was_sent(call: Call, params: SendMail) -> Sent | None:
    """Ask the server of the connection; local mail goes by the key."""
    if call.credentials is None:
        raise PluginError(ErrorClass.CONFIG, "The mail was to go over a connection.")
    to, cc, bcc = addresses.deduplicated(*_recipients(params))
    message_id = _message_id(call)
    if not remote.was_sent(call, call.credentials, message_id):
        return None
    return _receipt(message_id, [*to, *cc, *bcc], [])


@plugin.action(
    effect=Effect.KEYED,
    connected_effect=Effect.PROBE,
    was_applied=_was_sent,
    success="{summary}",
    guidance="Use it to report to people by mail; give `html` for tables. One call is one mail:"
    ' for a mail per person call it once per person. Example: {"to": ["ann@example.com"],'
    ' "subject": "Late tasks", "text": "There are none."}.',
    rules=(
        Confirm(
            "len(params.to) + len(params.cc) + len(params.bcc) > 20",
            "Send this mail to more than 20 people?",
        ),
        Limit(500, per="day"),
    ),
    errors=SENTENCES,
)
def send(call: Call, params: SendMail) -> Sent:
    """Send a mail; without a connection an address elsewhere is named as not sent."""
    to, cc, bcc = addresses.deduplicated(*_recipients(params))
    message_id = _message_id(call)
    message = compose(
        {
            "From": call.credentials.fields.sender if call.credentials else call.owner_email,
            "To": ", ".join(to),
            "Cc": ", ".join(cc),
            "Subject": params.subject,
            "Message-ID": message_id,
            OWN_HEADER: _token(call.key),
        },
        params.text,
        params.html,
    )
    if call.credentials:
        receipt = remote.send(call, call.credentials, [*to, *cc, *bcc], for_smtp(message))
        refused = [Refused(address=one, reason=reason) for one, reason in receipt.refused]
        return _receipt(message_id, receipt.accepted, refused)
    local, foreign = _deliver(call, message, [*to, *cc, *bcc], bcc)
    call.log.info("mail_sent", accepted=len(local), refused=len(foreign))
    refused = [Refused(address=one, reason=NO_ACCOUNT) for one in foreign]
    return _receipt(message_id, local, refused)


def _deliver(
    call: Call, message: EmailMessage, everybody: list[str], bcc: list[str]
) -> tuple[list[str], list[str]]:
    """File a mail on this machine, as sent and for who is here; returns who is, and who is not."""
    local = [one for one in everybody if addresses.is_local(one, call.owner_email)]
    foreign = [one for one in everybody if one not in local]
    name, data = f"{_token(call.key)}.pilot", message.as_bytes()
    for address in local:
        maildir.deliver(_inbox(call, address), name, data, call.deadline)
    if bcc:
        message["Bcc"] = ", ".join(bcc)
    if foreign:
        message[NOT_SENT_HEADER] = f"no mail account: {', '.join(foreign)}"
    maildir.deliver(call.folder / "mail" / "Sent", name, message.as_bytes(), call.deadline)
    return local, foreign


def _message_id(call: Call) -> str:
    """Return the Message-ID that the key gives: the same over retries and recoveries."""
    sender = call.credentials.fields.sender if call.credentials else call.owner_email
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    return f"<{_token(call.key)}@{domain}>"


def _receipt(message_id: str, accepted: list[str], refused: list[Refused]) -> Sent:
    parts = [f"Sent to {', '.join(accepted)}."] if accepted else []
    if refused:
        reasons = dict.fromkeys(one.reason.removeprefix("not sent: ") for one in refused)
        names = ", ".join(one.address for one in refused)
        parts.append(f"Not sent to {names}: {'; '.join(reasons).rstrip('.')}.")
    return Sent(message_id=message_id, accepted=accepted, refused=refused, summary=" ".join(parts))


@plugin.action(
    effect=Effect.KEYED,
    success="Marked as read: {changed}",
    errors=SENTENCES,
    guidance="Use it after a workflow has dealt with messages, so that it can skip them next time.",
)
def mark_read(call: Call, params: MarkRead) -> Changed:
    """Mark messages as read."""
    if call.credentials:
        return _changed(params.ids, remote.mark_read(call, call.credentials, params.ids))
    boxes = _located(call, params.ids)
    done = [maildir.mark_read(box, unique, call.deadline) for box, unique in boxes]
    return _changed(params.ids, done)


@plugin.action(
    effect=Effect.KEYED,
    success="Labelled {label}: {changed}",
    errors=SENTENCES,
    guidance="Use it to remember what was done with a message; search finds labels again.",
)
def add_label(call: Call, params: ChangeLabel) -> Labelled:
    """Add a label to messages."""
    return _change_label(call, params, present=True)


@plugin.action(
    effect=Effect.KEYED,
    success="Took the label {label} from: {changed}",
    errors=SENTENCES,
    guidance="Use it to take back a label of add_label.",
)
def remove_label(call: Call, params: ChangeLabel) -> Labelled:
    """Remove a label from messages."""
    return _change_label(call, params, present=False)


@plugin.action(
    effect=Effect.KEYED,
    success="Moved to {mailbox}: {changed}",
    errors=SENTENCES,
    guidance="Use it to file messages that are dealt with; their ids end with it."
    ' Example: {"ids": ["INBOX/7.12"], "mailbox": "Archive"}.',
)
def move(call: Call, params: Move) -> Changed:
    """Move messages into a mailbox; unchanged are those that are no longer where they were."""
    if call.credentials:
        done = remote.move(call, call.credentials, params.ids, params.mailbox)
        return _changed(params.ids, done)
    target = _box(call, params.mailbox, make=True)
    pairs = [(_box(call, one.rpartition("/")[0]), one.rpartition("/")[2]) for one in params.ids]
    return _changed(
        params.ids, [maildir.move(box, name, target, call.deadline) for box, name in pairs]
    )


def _change_label(call: Call, params: ChangeLabel, *, present: bool) -> Labelled:
    if call.credentials:
        label = params.label
        done, moved = remote.set_label(call, call.credentials, params.ids, label, present=present)
        return Labelled(**_changed(params.ids, done).model_dump(), moved=moved)
    done = [
        maildir.set_label(box, unique, params.label, present=present, deadline=call.deadline)
        for box, unique in _located(call, params.ids)
    ]
    return Labelled(**_changed(params.ids, done).model_dump())


def _changed(ids: list[str], done: list[bool]) -> Changed:
    pairs = list(zip(ids, done, strict=True))
    return Changed(
        changed=[one for one, was_changed in pairs if was_changed],
        unchanged=[one for one, was_changed in pairs if not was_changed],
    )


def _recipients(params: SendMail) -> tuple[list[str], list[str], list[str]]:
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

    found = checked(params.to), checked(params.cc), checked(params.bcc)
    if problems:
        raise PluginError(ErrorClass.INPUT, " ".join(problems), code="address", sent=False)
    return found


def _located(call: Call, ids: list[str]) -> list[tuple[Path, str]]:
    """Find all messages before the first is changed."""
    found: list[tuple[Path, str]] = []
    for one in ids:
        mailbox, _, unique = one.rpartition("/")
        box = _box(call, mailbox)
        maildir.find(box, unique)
        found.append((box, unique))
    return found


def _box(call: Call, mailbox: str, *, make: bool = False) -> Path:
    """Return the folder of a mailbox; names are compared with those present, never joined.

    `make`: one that is not there becomes a folder, under a name that holds no path.
    """
    root = call.folder / "mail"
    boxes = {"inbox": _inbox(call, call.owner_email), "sent": root / "Sent"}
    for folder in sorted(root.glob("*@*/INBOX")):
        boxes[folder.parent.name] = folder
    for folder in sorted((root / "folders").glob("*")):
        boxes[folder.name.replace("%2E", ".")] = folder
    wanted = mailbox.casefold()
    if wanted not in boxes:
        wanted = addresses.folder_name(mailbox)
    if make and wanted not in boxes:
        boxes[wanted] = root / "folders" / wanted.replace(".", "%2E")  # ".." is no folder
    if wanted not in boxes:
        known = ", ".join(["INBOX", "Sent", *list(boxes)[2:12]])
        message = f"There is no mailbox {mailbox[:80]!r}. Present: {known}."
        raise PluginError(ErrorClass.NOT_FOUND, message, sent=False)
    return boxes[wanted]


def _inbox(call: Call, address: str) -> Path:
    return call.folder / "mail" / addresses.folder_name(address) / "INBOX"


def _token(key: str) -> str:
    """Return the key as it may stand in a file name and a Message-ID."""
    return key if re.fullmatch(r"[0-9A-Za-z-]{1,64}", key) else sha256(key.encode()).hexdigest()
