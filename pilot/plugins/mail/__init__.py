"""Mail over a connection, or on this machine: a Maildir per local address, and one for Sent."""

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Call, Category, Confirm, Effect, File, Limit, Plugin
from pilot.plugins.mail import local, maildir, remote, remote_search, replying, writing
from pilot.plugins.mail.account import ACCOUNT
from pilot.plugins.mail.faults import SENTENCES
from pilot.plugins.mail.messages import for_smtp
from pilot.plugins.mail.reading import Found
from pilot.plugins.mail.searching import SearchMail, newest
from pilot.plugins.mail.shapes import (
    Changed,
    ChangeLabel,
    Drafted,
    DraftMail,
    FoundMail,
    GetAttachment,
    Labelled,
    MarkRead,
    Move,
    ReplyMail,
    SendMail,
    Sent,
)

plugin = Plugin(
    name="mail",
    version="1.0",
    title="Mail",
    category=Category.COMMUNICATION,
    summary="Finds, sends and sorts mail.",
    account=ACCOUNT,
)


@plugin.action(
    effect=Effect.PURE,
    success="Searched {mailbox}",
    errors=SENTENCES,
    guidance="Use it to read mail. Words are found in any case, also inside longer words."
    ' Example: {"subject_words": ["refund", "complaint"], "since": "2026-11-14"}.',
)
def search(call: Call, params: SearchMail) -> FoundMail:
    """Find messages in a mailbox by sender, words, date, flags and labels."""
    if call.credentials:
        found, more = remote_search.newest(call, call.credentials, params)
        return FoundMail(messages=found, more=more)
    box = local.mailbox(call, params.mailbox)
    found, more = newest(box, params, zone=call.zone, deadline=call.deadline)
    return FoundMail(messages=found, more=more)


@plugin.action(
    effect=Effect.PURE,
    success="Read {name}",
    errors=SENTENCES,
    guidance="Use it to hand a file of a message on: give what it returns to `attachments`, or to"
    ' whatever takes a file. Example: {"id": "INBOX/7.12", "attachment": "1"}.',
)
def get_attachment(call: Call, params: GetAttachment) -> File:
    """Get one attachment of a message as a file."""
    found = _message(call, params.id)
    return found.attachment(params.attachment).stored(call.files)


def _was_sent(call: Call, params: SendMail) -> Sent | None:
    """Ask the server of the connection; local mail goes by the key."""
    if _sent_copy(call) is None:
        return None
    return writing.receipt(writing.message_id(call), writing.receivers(params).everybody, [])


def _sent_copy(call: Call) -> Found | None:
    if call.credentials is None:
        raise PluginError(ErrorClass.CONFIG, "The mail was to go over a connection.")
    return remote.sent_copy(call, call.credentials, writing.message_id(call))


@plugin.action(
    effect=Effect.KEYED,
    connected_effect=Effect.PROBE,
    was_applied=_was_sent,
    reaches=("to", "cc", "bcc"),
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
    whom = writing.receivers(params)
    message = writing.written(call, whom, params.subject, params)
    return writing.handed_over(call, whom, message)


def _was_answered(call: Call, params: ReplyMail) -> Sent | None:  # noqa: ARG001
    """Ask the server of the connection; its copy tells whom the answer went to."""
    copy = _sent_copy(call)
    if copy is None:
        return None
    whom = [*copy.addresses("To"), *copy.addresses("Cc")]
    return writing.receipt(writing.message_id(call), whom, [])


@plugin.action(
    effect=Effect.KEYED,
    connected_effect=Effect.PROBE,
    was_applied=_was_answered,
    success="{summary}",
    guidance="Use it to answer a message that search has found: receivers, subject and thread come"
    ' from it. Example: {"id": "INBOX/7.12", "text": "Thank you, we look into it."}.',
    rules=(Limit(500, per="day"),),
    errors=SENTENCES,
)
def reply(call: Call, params: ReplyMail) -> Sent:
    """Answer a message, in its thread."""
    found = _message(call, params.id)
    answer = replying.answer(call, found, everybody=params.all)
    message = writing.written(call, answer.whom, answer.subject, params, answer.thread)
    sent = writing.handed_over(call, answer.whom, message)
    return writing.receipt(sent.message_id, sent.accepted, [*sent.refused, *answer.refused])


def _was_drafted(call: Call, params: DraftMail) -> Drafted | None:  # noqa: ARG001
    """Look for the draft under its Message-ID, or here under its name."""
    if call.credentials:
        found = remote.drafted(call, call.credentials, writing.message_id(call))
    else:
        found = local.drafted(call, writing.file_name(call))
    return Drafted(id=found) if found else None


@plugin.action(
    effect=Effect.PROBE,
    was_applied=_was_drafted,
    reaches=(),
    success="Put a draft into Drafts",
    guidance="Use it for a mail that a person looks at, completes and sends; nothing is sent."
    ' Example: {"to": ["ann@example.com"], "subject": "Your offer", "text": "Dear Ann,"}.',
    errors=SENTENCES,
)
def draft(call: Call, params: DraftMail) -> Drafted:
    """Prepare a mail in the mailbox Drafts, without sending it."""
    whom = writing.receivers(params)
    message = writing.written(call, whom, params.subject, params)
    if whom.bcc:
        message["Bcc"] = ", ".join(whom.bcc)
    if call.credentials:
        number = writing.message_id(call)
        return Drafted(id=remote.draft(call, call.credentials, number, for_smtp(message)))
    return Drafted(id=local.draft(call, writing.file_name(call), message.as_bytes()))


@plugin.action(
    effect=Effect.KEYED,
    reaches=(),
    success="Marked as read: {changed}",
    errors=SENTENCES,
    guidance="Use it after a workflow has dealt with messages, so that it can skip them next time.",
)
def mark_read(call: Call, params: MarkRead) -> Changed:
    """Mark messages as read."""
    if call.credentials:
        return _changed(params.ids, remote.mark_read(call, call.credentials, params.ids))
    boxes = local.located(call, params.ids)
    done = [maildir.mark_read(box, unique, call.deadline) for box, unique in boxes]
    return _changed(params.ids, done)


@plugin.action(
    effect=Effect.KEYED,
    reaches=(),
    success="Labelled {label}: {changed}",
    errors=SENTENCES,
    guidance="Use it to remember what was done with a message; search finds labels again.",
)
def add_label(call: Call, params: ChangeLabel) -> Labelled:
    """Add a label to messages."""
    return _change_label(call, params, present=True)


@plugin.action(
    effect=Effect.KEYED,
    reaches=(),
    success="Took the label {label} from: {changed}",
    errors=SENTENCES,
    guidance="Use it to take back a label of add_label.",
)
def remove_label(call: Call, params: ChangeLabel) -> Labelled:
    """Remove a label from messages."""
    return _change_label(call, params, present=False)


@plugin.action(
    effect=Effect.KEYED,
    reaches=(),
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
    target = local.mailbox(call, params.mailbox, make=True)
    pairs = [
        (local.mailbox(call, one.rpartition("/")[0]), one.rpartition("/")[2]) for one in params.ids
    ]
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
        for box, unique in local.located(call, params.ids)
    ]
    return Labelled(**_changed(params.ids, done).model_dump())


def _changed(ids: list[str], done: list[bool]) -> Changed:
    pairs = list(zip(ids, done, strict=True))
    return Changed(
        changed=[one for one, was_changed in pairs if was_changed],
        unchanged=[one for one, was_changed in pairs if not was_changed],
    )


def _message(call: Call, one: str) -> Found:
    if call.credentials:
        return remote.message(call, call.credentials, one)
    return local.message(call, one)
