"""The actions over a connection: mail on an IMAP server, and what an SMTP server takes.

Searching is in `remote_search.py`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from pilot.errors import ErrorClass, OutcomeUnknownError, PluginError
from pilot.plugins import Call, Credentials
from pilot.plugins.mail import account, imap, smtp
from pilot.plugins.mail.imap import HEAD, WHOLE, Fetched, Session
from pilot.plugins.mail.reading import Found
from pilot.plugins.mail.smtp import Receipt

SEEN = "\\Seen"
_ID = re.compile(r"(.+)/([0-9]{1,10})\.([0-9]{1,10})", re.DOTALL)  # UIDs have 32 bits
GONE = "A message is no longer in this mailbox: search again."


@contextmanager
def session_of(call: Call, credentials: Credentials) -> Iterator[Session]:
    """Sign in at the server that keeps the mail of an account."""
    server = account.imap_server(credentials)
    with imap.session(account.dialling(call), server) as session:
        yield session


def mailbox_of(of: Credentials, name: str) -> str:
    """Return what the server calls a mailbox."""
    if name.casefold() == "sent":
        return str(of.fields.sent_mailbox)
    if name.casefold() == "drafts":
        return str(of.fields.drafts_mailbox)
    return "INBOX" if name.casefold() == "inbox" else name


def message(call: Call, of: Credentials, name: str) -> Found:
    """Return a message by its id.

    Raises:
        PluginError: it is no longer there (class not_found).
    """
    mailbox, _, uid = _uid(name)
    with session_of(call, of) as session:
        _present(session, mailbox_of(of, mailbox), [name], may_miss=False, change=False)
        found = session.fetch([uid], WHOLE)
    if not found:
        raise PluginError(ErrorClass.NOT_FOUND, GONE, sent=False)
    return Found(found[0].data, found[0].received)


def mark_read(call: Call, of: Credentials, ids: Sequence[str]) -> list[bool]:
    """Mark messages as read; returns for each whether it had to be changed."""

    def change(session: Session, found: dict[int, Fetched]) -> dict[int, bool]:
        fresh = [uid for uid, one in found.items() if SEEN not in one.flags]
        session.store(fresh, SEEN, present=True)
        return {uid: uid in fresh for uid in found}

    return _each(call, of, ids, change)


def set_label(
    call: Call, of: Credentials, ids: Sequence[str], label: str, *, present: bool
) -> tuple[list[bool], list[str]]:
    """Set or take away a label; returns what changed, and the ids that went into a folder instead.

    Servers may answer OK and keep no keyword: the flags are read back.
    """
    moved: list[int] = []

    def change(session: Session, found: dict[int, Fetched]) -> dict[int, bool]:
        known = {uid: imap.keywords(one.flags, label) for uid, one in found.items()}
        wanted = [uid for uid, words in known.items() if bool(words) != present]
        words = {imap.keyword(label)} if present else set().union(*known.values())
        for word in words:
            session.store(wanted, word, present=present)
        if present:
            dropped = [one for one in session.fetch(wanted) if not imap.keywords(one.flags, label)]
            session.move(dropped, label)
            moved.extend(one.uid for one in dropped)
        return {uid: uid in wanted for uid in found}

    done = _each(call, of, ids, change)
    return done, [one for one in dict.fromkeys(ids) if _uid(one)[2] in moved]


def move(call: Call, of: Credentials, ids: Sequence[str], mailbox: str) -> list[bool]:
    """Move messages; returns for each whether it was still where its id says."""
    target = mailbox_of(of, mailbox)

    def change(session: Session, found: dict[int, Fetched]) -> dict[int, bool]:
        session.move(list(found.values()), target)
        return dict.fromkeys(found, True)

    return _each(call, of, ids, change, may_miss=True, except_in=target)


def _each(
    call: Call,
    of: Credentials,
    ids: Sequence[str],
    change: Callable[[Session, dict[int, Fetched]], dict[int, bool]],
    *,
    may_miss: bool = False,
    except_in: str | None = None,
) -> list[bool]:
    """Change messages mailbox by mailbox; all are found before the first is changed."""
    done: dict[str, bool] = {}
    groups = _by_mailbox(ids)
    with session_of(call, of) as session:
        if len(groups) > 1:
            for mailbox, names in groups:
                _present(session, mailbox_of(of, mailbox), names, may_miss=may_miss)
        for mailbox, names in groups:
            target = mailbox_of(of, mailbox)
            found = _present(session, target, names, may_miss=may_miss)
            changed = change(session, found) if found and target != except_in else {}
            done |= {name: changed.get(_uid(name)[2], False) for name in names}
    return [done.pop(one, False) for one in ids]  # named twice, it changes once


def _present(
    session: Session,
    mailbox: str,
    names: Sequence[str],
    *,
    may_miss: bool,
    change: bool = True,
) -> dict[int, Fetched]:
    """Open a mailbox and return the messages of these ids, by UID.

    Raises:
        PluginError: one is gone, and it may not be (class not_found).
    """
    validity = session.select(mailbox, change=change)
    uids = [uid for _, of, uid in map(_uid, names) if of == validity]
    found = {one.uid: one for one in session.fetch(uids) if "\\Deleted" not in one.flags}
    if len(found) < len(names) and not may_miss:
        raise PluginError(ErrorClass.NOT_FOUND, GONE, sent=False)
    return found


def _by_mailbox(ids: Sequence[str]) -> list[tuple[str, list[str]]]:
    pairs = sorted({(_uid(one)[0], one) for one in ids})
    grouped = groupby(pairs, key=lambda pair: pair[0])
    return [(mailbox, [name for _, name in group]) for mailbox, group in grouped]


def _uid(name: str) -> tuple[str, int, int]:
    """Return mailbox, UIDVALIDITY and UID of an id as search returns it.

    Raises:
        PluginError: it is none (class not_found).
    """
    found = _ID.fullmatch(name)
    if found is None:
        text = f"{name[:80]!r} names no message of this connection: take the ids of a search."
        raise PluginError(ErrorClass.NOT_FOUND, text, sent=False)
    return found[1], int(found[2]), int(found[3])


def send(call: Call, of: Credentials, receivers: Sequence[str], data: bytes) -> Receipt:
    """Hand a mail to the server of an account.

    Raises:
        OutcomeUnknownError: the connection broke while the server was taking it, and it cannot be
            asked whether it did.
        PluginError: it was not sent.
    """
    try:
        return smtp.send(account.dialling(call), account.smtp_server(of), receivers, data)
    except PluginError as error:
        if error.sent and not of.fields.files_sent:
            text = f"Nobody knows whether the mail went: {error.message}"
            raise OutcomeUnknownError(error.error_class, text, code=error.remote_code) from error
        raise


def sent_copy(call: Call, of: Credentials, message_id: str) -> Found | None:
    """Return the head of a mail as the server has filed it; None: it was not given this mail.

    Raises:
        PluginError: it files nothing, or cannot be asked.
    """
    fields: Any = of.fields
    if not (fields.files_sent and fields.imap_host):
        text = f"The connection {of.label} does not say that its server files what it sends."
        raise PluginError(ErrorClass.CONFIG, text)
    with session_of(call, of) as session:
        session.select(fields.sent_mailbox, change=False)
        uids = session.search("HEADER", "Message-ID", imap.quoted(message_id))
        found = session.fetch(uids[-1:], HEAD)
    return Found(found[0].data, found[0].received) if found else None


def draft(call: Call, of: Credentials, message_id: str, data: bytes) -> str:
    """File a draft and return its id.

    Raises:
        PluginError: the server does not keep drafts so that they are found again (class config).
    """
    with session_of(call, of) as session:
        session.append(of.fields.drafts_mailbox, data, "(\\Draft \\Seen)")
        found = _drafted(session, of, message_id)
    if found is None:
        text = "The mail server took the draft, but it is not found where it was filed."
        raise PluginError(ErrorClass.CONFIG, text, code="mailbox")
    return found


def drafted(call: Call, of: Credentials, message_id: str) -> str | None:
    """Return the id of the draft with this Message-ID, or None if there is none."""
    with session_of(call, of) as session:
        session.ensure(of.fields.drafts_mailbox)
        return _drafted(session, of, message_id)


def _drafted(session: Session, of: Credentials, message_id: str) -> str | None:
    validity = session.select(of.fields.drafts_mailbox, change=False)
    uids = session.search("UNDELETED", "HEADER", "Message-ID", imap.quoted(message_id))
    return f"Drafts/{validity}.{uids[-1]}" if uids else None
