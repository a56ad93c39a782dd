"""Searching a mailbox on an IMAP server: it narrows, then candidates are read, newest first."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from time import monotonic
from typing import Any

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Call, Credentials
from pilot.plugins.mail import imap, remote
from pilot.plugins.mail.imap import DATE, HEAD, WHOLE, Fetched, Session
from pilot.plugins.mail.reading import Found
from pilot.plugins.mail.remote import SEEN
from pilot.plugins.mail.searching import (
    Message,
    SearchMail,
    attachments,
    marks_match,
    matches,
    shown,
)

DATES, HEADS = 500, 50  # messages of which these are fetched at once
AT_ONCE_BYTES = 10_000_000
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def newest(call: Call, of: Credentials, params: SearchMail) -> tuple[list[Message], bool]:
    """Return the newest messages that match, and whether there are more.

    The server narrows, by sender, day and flags; then each candidate is read, the newest first.

    Raises:
        PluginError: class timeout, and what the server refuses.
    """
    with remote.session_of(call, of) as session:
        validity = session.select(remote.mailbox_of(of, params.mailbox), change=False)
        name = f"{params.mailbox}/{validity}"
        candidates = _candidates(session, call, params)
        hits = list(islice(_hits(session, candidates, name, call, params), params.limit + 1))
    return hits[: params.limit], len(hits) > params.limit


def _candidates(session: Session, call: Call, params: SearchMail) -> list[Fetched]:
    """Return what the server found, the newest first, as far as the flags match too."""
    found: list[tuple[datetime, int, Fetched]] = []
    for uids in _batches(session.search(*_criteria(params)), DATES):
        _check_time(call)
        found += (
            (Found(one.data, one.received).date, one.uid, one)
            for one in session.fetch(uids, DATE)
            if marks_match(imap.labels(one.flags), params, unread=SEEN not in one.flags)
        )
    return [one for *_, one in sorted(found, key=lambda entry: entry[:2], reverse=True)]


def _hits(
    session: Session, candidates: list[Fetched], name: str, call: Call, params: SearchMail
) -> Iterator[Message]:
    """Read the heads of candidates, and all of those whose heads match, if it is needed."""
    needs_body = _needs_body(params)
    first = _of_head(params) if needs_body else params
    for batch in _batches(candidates, HEADS):
        _check_time(call)
        heads = {one.uid: one for one in session.fetch([one.uid for one in batch], HEAD)}
        kept = [one for one in batch if one.uid in heads and _is_hit(heads[one.uid], call, first)]
        if needs_body:
            wholes = _wholes(session, kept, call, params.limit + 1)
            yield from (_message(name, one, params) for one in wholes if _is_hit(one, call, params))
        else:
            found = (heads[one.uid] for one in kept)
            yield from (_with_files(session, _message(name, one, params), one) for one in found)


def _wholes(
    session: Session, messages: Sequence[Fetched], call: Call, most: int
) -> Iterator[Fetched]:
    """Read messages in their order, at most so many and so large at once."""
    for uids in _that_fit(messages, most):
        _check_time(call)
        read = {one.uid: one for one in session.fetch(uids, WHOLE)}
        yield from (read[uid] for uid in uids if uid in read)


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _that_fit(messages: Sequence[Fetched], most: int) -> Iterator[list[int]]:
    uids: list[int] = []
    size = 0
    for one in messages:
        if uids and (size + one.size > AT_ONCE_BYTES or len(uids) == most):
            yield uids
            uids, size = [], 0
        uids.append(one.uid)
        size += one.size
    if uids:
        yield uids


def _check_time(call: Call) -> None:
    if monotonic() >= call.deadline:
        raise PluginError(ErrorClass.TIMEOUT, "The mailbox is too large to search in time.")


def _needs_body(params: SearchMail) -> bool:
    return bool(
        params.content != "headers" or params.text_words or params.has_attachment is not None
    )


def _of_head(params: SearchMail) -> SearchMail:
    """Return as much of what is asked for as the head alone can answer."""
    words = [] if params.text_words else params.subject_words
    changes = {"subject_words": words, "text_words": [], "has_attachment": None}
    return params.model_copy(update=changes)


def _is_hit(one: Fetched, call: Call, params: SearchMail) -> bool:
    return matches(Found(one.data, one.received), params, call.zone)


def _message(name: str, one: Fetched, params: SearchMail) -> Message:
    found, unread = Found(one.data, one.received), SEEN not in one.flags
    return shown(f"{name}.{one.uid}", found, imap.labels(one.flags), params, unread=unread)


def _with_files(session: Session, found: Message, head: Fetched) -> Message:
    """Name the files of a message of which only the head was read so far."""
    if not Found(head.data, head.received).may_have_files:
        return found
    for whole in session.fetch([head.uid], WHOLE):
        files = attachments(Found(whole.data, whole.received))
        return found.model_copy(update={"attachments": files})
    return found


def _criteria(params: SearchMail) -> list[str]:
    """Return what the server can tell; a day more on both sides, for zones and wrong dates."""
    words = ["UNDELETED"]
    if params.unread is not None:
        words.append("UNSEEN" if params.unread else "SEEN")
    if params.label is not None and params.label.isascii():  # of others servers know no case
        words += ["KEYWORD", imap.keyword(params.label)]
    for name, text in (("FROM", params.sender), ("SUBJECT", _only(params))):
        if text and text.isascii() and text.isprintable():
            words += [name, imap.quoted(text)]
    for name, limit, days in (("SINCE", params.since, -2), ("BEFORE", params.before, 2)):
        if limit is not None and 1970 < limit.year < 2100:  # which every server can read
            day = limit + timedelta(days=days)
            text = f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"
            words += [f"OR SENT{name} {text} {name} {text}"]
    return words


def _only(params: SearchMail) -> str:
    """Return a word that the subject must hold, if there is one."""
    words = params.subject_words
    alone = len(words) == 1 and (params.match == "all" or not params.text_words)
    return words[0] if alone else ""
