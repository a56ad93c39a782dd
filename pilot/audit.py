"""The audit trail: one enum of events, one function that records, one that verifies."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pilot.models.audit import AuditEntry, AuditHead
from pilot.redaction import redact

SYSTEM = "system"  # the chain of everything that belongs to no execution

SOC2 = ("SOC2",)
GDPR = ("GDPR",)
BOTH = ("SOC2", "GDPR")
NONE: tuple[str, ...] = ()

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
    PILOT_DISABLED = ("warning", SOC2)
    PILOT_STEP_EXECUTED = ("info", SOC2)
    PILOT_STEP_FAILED = ("warning", SOC2)
    PILOT_STEP_RETRIED = ("info", SOC2)
    PILOT_OUTCOME_UNKNOWN = ("critical", SOC2)
    PILOT_OUTCOME_RESOLVED = ("warning", SOC2)
    AGENT_GENERATION_STARTED = ("info", SOC2)
    AGENT_GENERATION_COMPLETED = ("info", SOC2)
    AGENT_GENERATION_FAILED = ("warning", SOC2)
    WORKFLOW_GENERATED = ("info", SOC2)
    AGENT_CREATED = ("info", SOC2)
    AGENT_UPDATED = ("info", SOC2)
    AGENT_STATUS_CHANGED = ("info", SOC2)
    AGENT_DELETED = ("critical", BOTH)
    WORKFLOW_VERSION_SAVED = ("info", SOC2)
    WORKFLOW_VERSION_RESTORED = ("warning", SOC2)
    APPROVAL_REQUESTED = ("info", SOC2)
    APPROVAL_APPROVED = ("info", SOC2)
    APPROVAL_REJECTED = ("warning", SOC2)
    APPROVAL_TIMEOUT = ("warning", SOC2)
    APPROVAL_VOIDED = ("warning", SOC2)
    NOTIFICATION_FAILED = ("warning", SOC2)
    PILOT_CONFIG_UPDATED = ("info", SOC2)
    SYSTEM_CONFIG_CHANGED = ("warning", SOC2)
    USER_CREATED = ("info", SOC2)
    USER_LOGIN = ("info", SOC2)
    USER_LOGOUT = ("info", NONE)
    USER_LOGIN_FAILED = ("warning", SOC2)
    USER_SUSPENDED = ("warning", SOC2)
    USER_REACTIVATED = ("warning", SOC2)
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

    @property
    def user_id(self) -> UUID | None:
        """The person's id; None for the command line, a worker or the system."""
        kind, _, reference = self.name.partition(":")
        return UUID(reference) if kind == "user" else None


def entry(
    event: Event, *, actor: str, about: tuple[str, Any], details: dict[str, Any] | None = None
) -> str:
    """Return the text of one record (JSON object, redacted); the database adds the time.

    `about` is what it happened to: a kind and its id, such as ("agent", agent_id).
    """
    line = json.dumps(
        redact(
            {
                "actor": actor,
                "event": event.name,
                "severity": event.severity,
                "object": {"type": about[0], "id": str(about[1])},
                "details": details or {},
            }
        ),
        separators=(",", ":"),
        ensure_ascii=False,
        default=str,
    )
    # PostgreSQL takes neither NUL nor lone surrogates; a strange text must not stop a checkpoint.
    return _NUL.sub(r"\1\\ufffd", line).encode(errors="replace").decode()


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
    who = actor if isinstance(actor, Actor) else Actor(actor)
    origin = {"address": who.address, "request_id": who.request_id}
    facts = (details or {}) | {key: value for key, value in origin.items() if value}
    line = entry(event, actor=who.name, about=about, details=facts)
    chain = str(about[1]) if about[0] == "execution" else SYSTEM
    append(session, [(chain, owner_id, line)])


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


def verify(session: Session, chains: Iterable[str] | None = None) -> tuple[int, list[Fault]]:
    """Check every link against its predecessor and every chain against its head.

    Returns the number of records read and the first fault of each bad chain. The session must see
    all rows (an administrator's).
    """
    query = select(AuditHead.chain, AuditHead.seq, AuditHead.hash)
    if chains is not None:
        query = query.where(AuditHead.chain.in_(list(chains)))
    heads = {row.chain: (row.seq, row.hash) for row in session.execute(query)}
    count, faults, seen = 0, [], set[str]()
    for chain, links in _by_chain(session, chains):
        seen.add(chain)
        read, fault = verify_chain(chain, links, heads.get(chain))
        count += read
        faults += [fault] if fault else []
    faults += [Fault(chain, 1, "the chain is missing") for chain in sorted(heads.keys() - seen)]
    return count, faults


def _by_chain(
    session: Session, chains: Iterable[str] | None
) -> Iterator[tuple[str, list[tuple[int, str, bytes, bytes]]]]:
    query = select(
        AuditEntry.chain, AuditEntry.seq, AuditEntry.record, AuditEntry.prev, AuditEntry.hash
    ).order_by(AuditEntry.chain, AuditEntry.seq)
    if chains is not None:
        query = query.where(AuditEntry.chain.in_(list(chains)))
    current: str | None = None
    links: list[tuple[int, str, bytes, bytes]] = []
    for row in session.execute(query.execution_options(yield_per=2000)):
        if row.chain != current:
            if current is not None:
                yield current, links
            current, links = row.chain, []
        links.append((row.seq, row.record, bytes(row.prev), bytes(row.hash)))
    if current is not None:
        yield current, links


def verify_chain(
    chain: str,
    links: Sequence[tuple[int, str, bytes, bytes]],
    head: tuple[int, bytes] | None,
) -> tuple[int, Fault | None]:
    """Check the links (seq, record, prev, hash) of one chain; works offline."""
    previous = b""
    for place, (seq, line, prev, link) in enumerate(links, start=1):
        if seq != place:
            return place, Fault(chain, place, "a record is missing")
        if prev != previous or hashlib.sha256(prev + line.encode()).digest() != link:
            return place, Fault(chain, seq, "the record was changed")
        previous = link
    if head is None or head != (len(links), previous):
        return len(links), Fault(chain, len(links) + 1, "the end of the chain was cut off")
    return len(links), None
