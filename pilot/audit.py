"""The audit trail: one enum of events, one function that records, one that verifies."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain as chain_of
from itertools import groupby
from typing import Any, Self
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import person_keys, strictjson
from pilot.errors import BadJsonError
from pilot.redaction import redact

SYSTEM = "system"  # the chain of everything that belongs to no execution

SOC2 = ("SOC2",)
GDPR = ("GDPR",)
BOTH = ("SOC2", "GDPR")
NONE: tuple[str, ...] = ()

_COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=str)
_NUL = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")  # not after an escaped backslash


class Event(Enum):
    """Every name that can be recorded, with its severity and compliance flags."""

    PILOT_EXECUTION_STARTED = ("info", SOC2)
    PILOT_EXECUTION_COMPLETED = ("info", SOC2)
    PILOT_EXECUTION_FAILED = ("critical", SOC2)
    PILOT_EXECUTION_PAUSED = ("info", SOC2)
    PILOT_EXECUTION_RESUMED = ("info", SOC2)
    PILOT_EXECUTION_CANCELLED = ("warning", SOC2)
    PILOT_EXECUTION_RETRIED = ("info", SOC2)
    PILOT_EXECUTION_RECOVERED = ("warning", SOC2)
    PILOT_EXECUTION_POISONED = ("critical", SOC2)
    PILOT_EXECUTION_FORKED = ("info", SOC2)
    PILOT_EXECUTION_MIGRATED = ("info", SOC2)
    PILOT_BULK_STARTED = ("warning", SOC2)
    PILOT_DISABLED = ("warning", SOC2)
    PILOT_BUDGET_PAUSED = ("warning", SOC2)
    PILOT_BUDGET_RAISED = ("warning", SOC2)
    PILOT_STEP_EXECUTED = ("info", SOC2)
    PILOT_STEP_FAILED = ("warning", SOC2)
    PILOT_STEP_RETRIED = ("info", SOC2)
    PILOT_STEP_COMPENSATED = ("warning", SOC2)
    PILOT_OUTCOME_UNKNOWN = ("critical", SOC2)
    PILOT_OUTCOME_RESOLVED = ("warning", SOC2)
    AGENT_GENERATION_STARTED = ("info", SOC2)
    AGENT_GENERATION_COMPLETED = ("info", SOC2)
    AGENT_GENERATION_FAILED = ("warning", SOC2)
    WORKFLOW_GENERATED = ("info", SOC2)
    WORKFLOW_GENERATION_FALLBACK = ("warning", SOC2)
    AGENT_CREATED = ("info", SOC2)
    AGENT_UPDATED = ("info", SOC2)
    AGENT_STATUS_CHANGED = ("info", SOC2)
    AGENT_SCHEDULE_CHANGED = ("warning", SOC2)
    AGENT_DELETED = ("critical", BOTH)
    AGENT_SHARED = ("warning", SOC2)
    AGENT_UNSHARED = ("warning", SOC2)
    WORKFLOW_VERSION_SAVED = ("info", SOC2)
    WORKFLOW_VERSION_RESTORED = ("warning", SOC2)
    APPROVAL_REQUESTED = ("info", SOC2)
    APPROVAL_APPROVED = ("info", SOC2)
    APPROVAL_REJECTED = ("warning", SOC2)
    APPROVAL_TIMEOUT = ("warning", SOC2)
    APPROVAL_ESCALATED = ("warning", SOC2)
    APPROVAL_DELEGATED = ("info", SOC2)
    APPROVAL_EDITED = ("warning", SOC2)
    NOTICE_CHANNEL_SET = ("warning", SOC2)
    NOTICE_CHANNEL_REMOVED = ("warning", SOC2)
    NOTICE_REPLAYED = ("info", SOC2)
    APPROVAL_DECISION_REFUSED = ("warning", SOC2)
    APPROVAL_VOIDED = ("warning", SOC2)
    NOTIFICATION_FAILED = ("warning", SOC2)
    PILOT_CONFIG_UPDATED = ("info", SOC2)
    SYSTEM_CONFIG_CHANGED = ("warning", SOC2)
    PRICE_ADDED = ("warning", SOC2)
    MODEL_CHANGED = ("warning", SOC2)
    PROVIDER_CHANGED = ("warning", SOC2)
    PROVIDER_KEY_SET = ("warning", SOC2)
    PROVIDER_KEY_REMOVED = ("warning", SOC2)
    SECRETS_ROTATED = ("warning", SOC2)
    DATA_EXPORTED = ("critical", BOTH)
    DATA_DELETED = ("critical", BOTH)
    DATA_ANONYMIZED = ("critical", GDPR)
    AUDIT_PRUNED = ("warning", SOC2)
    DATA_PRUNED = ("warning", BOTH)
    HOOK_CHANGED = ("warning", SOC2)
    TRIGGER_FIRED = ("info", SOC2)
    TRIGGER_REJECTED = ("warning", SOC2)
    TRIGGER_DISABLED = ("warning", SOC2)
    EVENT_RECEIVED = ("info", SOC2)
    WAIT_RESOLVED = ("info", SOC2)
    FORM_REQUESTED = ("info", SOC2)
    FORM_SUBMITTED = ("info", SOC2)
    FORM_TIMEOUT = ("warning", SOC2)
    SECRET_SET = ("warning", SOC2)
    SECRET_DELETED = ("warning", SOC2)
    BACKUP_CREATED = ("info", SOC2)
    BACKUP_RESTORED = ("critical", SOC2)
    PLUGIN_CONNECTED = ("info", SOC2)
    PLUGIN_DISCONNECTED = ("warning", SOC2)
    PLUGIN_RECONNECTED = ("info", SOC2)
    PLUGIN_RATE_CHANGED = ("info", SOC2)
    PLUGIN_AUTH_FAILED = ("warning", SOC2)
    SETTINGS_API_KEY_CREATED = ("critical", SOC2)
    SETTINGS_API_KEY_REVOKED = ("warning", SOC2)
    USER_CREATED = ("info", SOC2)
    USER_LOGIN = ("info", SOC2)
    USER_LOGOUT = ("info", NONE)
    USER_LOGIN_FAILED = ("warning", SOC2)
    USER_PASSWORD_CHANGED = ("critical", BOTH)
    USER_RESET_REQUESTED = ("info", SOC2)
    USER_LINK_CREATED = ("warning", SOC2)
    USER_ROLE_CHANGED = ("critical", SOC2)
    USER_SUSPENDED = ("warning", SOC2)
    USER_REACTIVATED = ("warning", SOC2)
    SETTINGS_2FA_ENABLED = ("info", SOC2)
    SETTINGS_2FA_DISABLED = ("critical", SOC2)
    SETTINGS_PREFERENCES_UPDATED = ("info", GDPR)
    SECURITY_ANOMALY_DETECTED = ("critical", SOC2)
    SECURITY_UNAUTHORIZED_ACCESS = ("critical", BOTH)

    # Two names may share severity and flags: without this they would be aliases of one member.
    def __new__(cls, severity: str, flags: tuple[str, ...]) -> Self:
        """Give each member a value of its own; severity and flags become attributes."""
        member = object.__new__(cls)
        member._value_ = len(cls.__members__)
        member.severity = severity
        member.flags = flags
        return member

    severity: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Actor:
    """Who did it: `user:<id>`, `cli:<os user>`, `worker` or `system`, and from where."""

    name: str
    address: str | None = None
    request_id: str | None = None
    token: str | None = None  # the label of the token that a program acted with

    @property
    def user_id(self) -> UUID | None:
        """The person's id; None for the command line, a worker or the system."""
        kind, _, reference = self.name.partition(":")
        return UUID(reference) if kind == "user" else None


def entry(
    event: Event, *, actor: str, about: tuple[str, Any], details: dict[str, Any] | None = None
) -> str:
    """Return the text of one record (JSON object, details redacted); the database adds the time.

    `about` is what it happened to: a kind and its id, such as ("agent", agent_id).
    """
    line = _COMPACT.encode(
        {
            "actor": actor,
            "event": event.name,
            "severity": event.severity,
            "object": {"type": about[0], "id": str(about[1])},
            "details": redact(details or {}),
        }
    )
    # PostgreSQL takes neither NUL nor lone surrogates; a strange text must not stop a checkpoint.
    line = _NUL.sub(r"\1\\ufffd", line) if "\\u0000" in line else line
    return line.encode(errors="replace").decode()


def record(
    session: Session,
    event: Event,
    *,
    actor: Actor | str,
    about: tuple[str, Any],
    details: dict[str, Any] | None = None,
    owner_id: UUID | None = None,
) -> None:
    """Append one record in the caller's transaction.

    What happens to an execution goes on its own chain, everything else on the system's.
    """
    chain = str(about[1]) if about[0] == "execution" else SYSTEM
    append(session, [(chain, owner_id, told(session, event, actor, about, details))])


def told(
    session: Session, event: Event, actor: Actor | str, about: tuple[str, Any], details: Any
) -> str:
    """Return the text of one record, with where its actor came from; personal fields are sealed."""
    who = actor if isinstance(actor, Actor) else Actor(actor)
    seen = {"address": who.address, "request_id": who.request_id, "program": who.token}
    facts = (details or {}) | {key: one for key, one in seen.items() if one}
    if person_keys.FIELDS & facts.keys():
        person = about[1] if about[0] == "user" and isinstance(about[1], UUID) else None
        facts = person_keys.seal_fields(session, facts, who.user_id or person)
    return entry(event, actor=who.name, about=about, details=facts)


def append(session: Session, rows: Sequence[tuple[str, UUID | None, str]]) -> None:
    """Append records (chain, owner, text) in the caller's transaction."""
    chains, owners, records = zip(*rows, strict=True)
    session.execute(
        text("SELECT audit_append(:c, cast(:o AS uuid[]), :r)"),
        {"c": list(chains), "o": list(owners), "r": list(records)},
    )


@dataclass(frozen=True)
class Fault:
    """The first bad link of one chain."""

    chain: str
    seq: int
    reason: str


@dataclass(frozen=True)
class Marks:
    """What anchors say: hashes by chain and seq; all that is older than `horizon` is among them."""

    heads: Mapping[str, Mapping[int, bytes]]
    horizon: str  # as records have their time; "": none


NO_MARKS = Marks({}, "")
AT = slice(len('{"at":"'), len('{"at":"2026-01-01T00:00:00.000000Z'))  # of a record

Link = tuple[int, str | None, bytes, bytes]  # seq, record (None: emptied, and told), prev, hash
Head = tuple[int, bytes]  # seq and hash of the newest link

EMPTY = "{}"  # a record that was pruned: its place and its hashes stay
MAX_LINE_BYTES = 32 * 1024 * 1024
Ranges = dict[str, list[tuple[int, int]]]  # of seq, by chain; in order, apart from each other

# One statement, so one moment: records that are appended meanwhile look like no tampering.
LINKS = """
SELECT coalesce(a.chain, h.chain) AS chain, a.seq, a.record, a.prev, a.hash,
       h.seq AS head_seq, h.hash AS head_hash
  FROM audit a FULL JOIN audit_head h ON h.chain = a.chain
 {where} ORDER BY coalesce(a.chain, h.chain), a.seq
"""
TOLD = "SELECT record FROM audit WHERE chain = :chain AND event = :event"


def verify(
    session: Session, chains: Iterable[str] | None = None, marks: Marks = NO_MARKS
) -> tuple[int, list[Fault]]:
    """Check every link against its predecessor, every chain against its head and its marks.

    Returns the number of records read and the first fault of each bad chain. The session must see
    all rows (an administrator's).
    """
    count, faults, unseen = 0, [], set(marks.heads)
    links = read_links(session, chains)
    told = emptied(_told(session))  # after the links: what is emptied meanwhile was not yet
    for chain, rows in groupby(links, key=lambda row: str(row.chain)):
        read, fault = _verify_rows(chain, rows, told.get(chain, []), marks)
        count += read
        faults += [fault] if fault else []
        unseen.discard(chain)
    return count, faults + missing(unseen if chains is None else ())


def missing(chains: Iterable[str]) -> list[Fault]:
    """Return the faults of chains that are not there at all."""
    return [Fault(chain, 1, "the chain is missing") for chain in sorted(chains)]


def read_links(session: Session, chains: Iterable[str] | None) -> Iterator[Any]:
    """Return the links of these chains, or of all, with their heads: chain by chain, in order."""
    where = "" if chains is None else "WHERE coalesce(a.chain, h.chain) = ANY (:chains)"
    query = text(LINKS.format(where=where)).execution_options(yield_per=2000)
    return iter(session.execute(query, {} if chains is None else {"chains": list(chains)}))


def _told(session: Session) -> Iterator[str]:
    """Return the records that tell which ones were emptied; they are never emptied themselves."""
    asked = {"chain": SYSTEM, "event": Event.AUDIT_PRUNED.name}
    return iter(session.scalars(text(TOLD), asked))


def emptied(records: Iterable[str | None]) -> Ranges:
    """Return which records those of the system's chain say were emptied.

    What tells nothing that can be read empties nothing; whether it was changed, its hash says.
    """
    told: Ranges = {}
    for line in records:
        if line is None or Event.AUDIT_PRUNED.name not in line:
            continue
        try:
            facts = strictjson.loads(line, max_bytes=MAX_LINE_BYTES)
        except BadJsonError:
            continue
        for chain, first, last in _of_one(facts):
            told.setdefault(chain, []).append((first, last))
    return {chain: _joined(ranges) for chain, ranges in told.items()}


def _of_one(facts: Any) -> Iterator[tuple[str, int, int]]:
    match facts:
        case {"event": Event.AUDIT_PRUNED.name, "details": {"emptied": [*told]}}:
            for one in told:
                match one:
                    case [str(chain), int(first), int(last)]:
                        yield chain, first, last


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def without_emptied(links: Iterable[Link], told: Sequence[tuple[int, int]]) -> Iterator[Link]:
    """Return the links of a chain; the records that were emptied, and told, are None."""
    for seq, line, prev, link in links:
        is_told = line == EMPTY and any(first <= seq <= last for first, last in told)
        yield seq, None if is_told else line, prev, link


def _verify_rows(
    chain: str, rows: Iterator[Any], told: Sequence[tuple[int, int]], marks: Marks
) -> tuple[int, Fault | None]:
    first = next(rows)
    if first.seq is None:
        is_known = first.head_seq or chain in marks.heads
        return 0, missing([chain])[0] if is_known else None
    head = None if first.head_seq is None else (first.head_seq, bytes(first.head_hash))
    links = (
        (row.seq, row.record, bytes(row.prev), bytes(row.hash)) for row in chain_of((first,), rows)
    )
    return verify_chain(chain, without_emptied(links, told), head, marks)


def verify_chain(
    chain: str, links: Iterable[Link], head: Head | None, marks: Marks = NO_MARKS
) -> tuple[int, Fault | None]:
    """Check the links (seq, record, prev, hash) of one chain, in order; works offline."""
    previous, place = b"", 0
    marked = marks.heads.get(chain, {})
    last = max(marked, default=0)
    for place, (seq, line, prev, link) in enumerate(links, start=1):
        if seq != place:
            return place, Fault(chain, place, "a record is missing")
        if prev != previous or (line is not None and _hash(prev, line) != link):
            return place, Fault(chain, seq, "the record was changed")
        if marked.get(seq, link) != link:
            return place, Fault(chain, seq, "it or one before it differs from its anchor")
        if line is not None and seq > last and line[AT] < marks.horizon:
            return place, Fault(chain, seq, "the record is in no anchor, but older than the last")
        previous = link
    if head is None or head != (place, previous) or place < last:
        return place, Fault(chain, place + 1, "the end of the chain was cut off")
    return place, None


def _hash(prev: bytes, line: str) -> bytes:
    return hashlib.sha256(prev + line.encode()).digest()
