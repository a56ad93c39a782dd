"""What an answer to a message is: whom it reaches, its subject, and the thread that it goes on."""

import re
from dataclasses import dataclass
from email.utils import parseaddr

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Call
from pilot.plugins.mail import addresses, writing
from pilot.plugins.mail.reading import Found
from pilot.plugins.mail.shapes import Refused
from pilot.plugins.mail.writing import Receivers

MAX_RECEIVERS = 20  # `send` asks a person before it reaches more
_MAX_THREAD = 20
_ID = re.compile(r"<[!-;=?-~]{1,900}>")
_ANSWER = re.compile(r"\s*(re|aw|sv|antw)(\[\d+\])?\s*:", re.IGNORECASE)
_NO_ADDRESS = "not sent: the message names no valid address there"


@dataclass(frozen=True)
class Answer:
    """All of an answer but what it says."""

    whom: Receivers
    subject: str
    thread: dict[str, str]  # headers
    refused: list[Refused]  # whom the message names in a way that nothing can be sent to


def answer(call: Call, found: Found, *, everybody: bool) -> Answer:
    """Return the answer to a message, to its sender or to everybody that it names.

    Raises:
        PluginError: it names nobody to answer to, or too many (class input).
    """
    own = _own(call)
    texts = found.addresses("Reply-To") or found.addresses("From")
    writers, bad = _valid(texts)
    to, cc = [one for one in writers if one.casefold() not in own], list[str]()
    named, bad_to = _valid(found.addresses("To"))
    if not to:  # an answer to a mail of one's own goes on to whom it went
        to = [one for one in named if one.casefold() not in own] or writers
    if everybody:
        copies, bad_cc = _valid(found.addresses("Cc"))
        cc = [one for one in (*named, *copies) if one.casefold() not in own]
        bad += bad_to + bad_cc
    whom = Receivers(*addresses.deduplicated(to, cc, []))
    _check(whom)
    refused = [Refused(address=one[:200], reason=_NO_ADDRESS) for one in dict.fromkeys(bad)]
    return Answer(whom, _subject(found), _thread(found), refused)


def _own(call: Call) -> set[str]:
    """Return the addresses that are the writer's own, in lower case."""
    known = {parseaddr(writing.sender(call))[1]}
    known.add(call.credentials.fields.user if call.credentials else call.owner_email)
    return {one.casefold() for one in known if one}


def _valid(texts: list[str]) -> tuple[list[str], list[str]]:
    good: list[str] = []
    bad: list[str] = []
    for text in texts:
        try:
            good.append(addresses.normal(text))
        except ValueError:
            bad.append(text)
    return good, bad


def _check(whom: Receivers) -> None:
    if not whom.to:
        text = "The message names nobody to whom an answer could go: send a mail instead."
        raise PluginError(ErrorClass.INPUT, text, sent=False)
    if len(whom.everybody) > MAX_RECEIVERS:
        text = (
            f"The answer would reach {len(whom.everybody)} people: answer the sender only, or use"
            " mail.send, which asks a person first."
        )
        raise PluginError(ErrorClass.INPUT, text, sent=False)


def _subject(found: Found) -> str:
    subject = "".join(one if one.isprintable() else " " for one in found.header("Subject"))
    return subject if _ANSWER.match(subject) else f"Re: {subject}".strip()


def _thread(found: Found) -> dict[str, str]:
    """Return In-Reply-To and References (RFC 5322, 3.6.4); of a long thread the first and last."""
    own = _ID.findall(found.header("Message-ID"))[:1]
    before = _ID.findall(found.header("References"))
    before = before or _ID.findall(found.header("In-Reply-To"))[:1]
    ids = list(dict.fromkeys([*before, *own]))
    if len(ids) > _MAX_THREAD:
        ids = ids[:1] + ids[1 - _MAX_THREAD :]
    return {"In-Reply-To": "".join(own), "References": " ".join(ids)}
