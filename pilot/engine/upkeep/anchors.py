"""Anchors of the audit trail: signed sums of its heads, kept in a file outside the database.

Whoever may write to the database can forge a whole chain with its head; the anchors, best copied to
another machine, still say what it was. One line of the file is one anchor: the heads that changed,
the root of their Merkle tree with the anchor before, and its Ed25519 signature.
"""

import base64
import fcntl
import hashlib
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import text

from pilot import ciphers, db, strictjson
from pilot.audit import MAX_LINE_BYTES, NO_MARKS, Fault, Marks
from pilot.audit_bundle import lines_of
from pilot.errors import BadJsonError, ConfigError

FILE, KEY_FILE = "audit_anchors.jsonl", "audit_anchor_key"
FIRST = bytes(32)  # what stands for the anchor before the first one
EVERY_S, EVERY_ROWS = 300, 500
HEADS = 5_000  # in one anchor; more make several
# Records are seen once their transaction commits, which the session's limits let take minutes.
SETTLED = timedelta(minutes=10)
CHAIN = "anchors"  # the name that faults of the anchors themselves have

Head = tuple[str, int, str]  # chain, seq, hash in hex

DUE = """
SELECT pilot_now() AS now, (SELECT count(*) FROM (
  SELECT 1 FROM audit WHERE at > cast(:since AS timestamptz) LIMIT :rows) x) AS rows
"""
CHANGED = """
SELECT h.chain, h.seq, encode(h.hash, 'hex') AS hash FROM audit_head h
 WHERE h.chain IN (SELECT chain FROM audit WHERE at >= cast(:since AS timestamptz))
 ORDER BY h.chain
"""


@dataclass(frozen=True)
class Anchor:
    """One line of the file; `at` is the database's moment before it read the heads."""

    number: int
    at: str  # UTC, ISO 8601 with microseconds, as records have it
    prev: bytes
    heads: Sequence[Head]

    @property
    def root(self) -> bytes:
        """The root of the tree over the anchor before, number and moment, and each head."""
        facts = [[self.number, self.at, self.prev.hex()], *map(list, self.heads)]
        return _root([_leaf(strictjson.canonical(fact)) for fact in facts])

    def line(self, key: bytes) -> str:
        """Return the anchor as a signed JSON line."""
        return strictjson.dumps(
            {
                "number": self.number,
                "at": self.at,
                "prev": self.prev.hex(),
                "root": self.root.hex(),
                "key": public_text(key),
                "signature": ciphers.sign(self.root, key).hex(),
                "heads": [list(head) for head in self.heads],
            }
        )


@dataclass(frozen=True)
class Checked:
    """What a file of anchors says, and its first fault; `key` is the public one that signed."""

    count: int
    marks: Marks
    key: str
    faults: list[Fault]


def _leaf(line: str) -> bytes:
    return hashlib.sha256(b"\x00" + line.encode()).digest()


def _root(level: list[bytes]) -> bytes:
    """Return the root over some leaves; an odd one goes up as it is."""
    while len(level) > 1:
        pairs = [b"".join(level[place : place + 2]) for place in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\x01" + one).digest() if len(one) > 32 else one for one in pairs]
    return level[0]


def public_text(key: bytes) -> str:
    """Return the public one of a signing key as text, for `pilot audit verify --key`."""
    return ciphers.public_key(key).hex()  # never begins with "-", as base64 may


def own_key(data: Path) -> bytes | None:
    """Return the signing key of this installation; None: it has made no anchor yet.

    Raises:
        ConfigError: others may read the key's file, or it holds no key.
    """
    path = data / KEY_FILE
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError(f"The key file {path} can be read by others: chmod 600 {path}")
        key = base64.urlsafe_b64decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"The key file {path} cannot be read: {error}.") from error
    if len(key) != ciphers.SIGNING_KEY_BYTES:
        raise ConfigError(f"The key file {path} holds no key, but {len(key)} bytes.")
    return key


def _ensured_key(data: Path) -> bytes:
    """Return the installation's key, made now where there is none; the file's lock is held."""
    key = own_key(data)
    if key is None:
        key = ciphers.new_signing_key()
        scratch = data / f".{KEY_FILE}.tmp"  # no half of a key where the disk is full
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(scratch, flags, 0o600), "wb") as file:
            file.write(base64.urlsafe_b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        scratch.rename(data / KEY_FILE)
    return key


@dataclass
class _Read:
    """What was read of the file so far: up to where, and its newest anchors."""

    offset: int = 0
    number: int = 0
    at: str = ""
    root: bytes = FIRST
    recent: deque[tuple[datetime, dict[str, int]]] = field(default_factory=deque)

    def note(self, anchor: Anchor, size: int) -> None:
        """Go on by one anchor, whose line has `size` bytes."""
        self.offset += size
        self.number, self.at, self.root = anchor.number, anchor.at, anchor.root
        moment = _moment(anchor.at)
        self.recent.append((moment, {chain: seq for chain, seq, _ in anchor.heads}))
        while self.recent[0][0] < moment - 2 * SETTLED:
            self.recent.popleft()


class Anchors:
    """The writer of one file; several processes may have one for the same file."""

    def __init__(self, data: Path) -> None:
        """Write to the file in the data folder."""
        self._data = data
        self._read = _Read()

    def append(self, *, every_s: float = EVERY_S, every_rows: int = EVERY_ROWS) -> int:
        """Anchor what changed, if enough rows or time went by; return how many heads that were.

        Raises:
            BadJsonError: the file holds something else.
            ConfigError: the key or the file cannot be used.
        """
        with self._locked() as file, db.reading(None, sees_all=True) as session:
            self._catch_up(file)
            at = self._read.at
            values = {"since": at or "-infinity", "rows": every_rows}
            now, rows = session.execute(text(DUE), values).one()
            waited_s = (now - _moment(at)).total_seconds() if at else every_s
            if not rows or (rows < every_rows and waited_s < every_s):
                return 0
            since = {"since": _moment(at) - SETTLED if at else "-infinity"}
            heads = [tuple(row) for row in session.execute(text(CHANGED), since)]
            covered = {chain: seq for _, seqs in self._read.recent for chain, seq in seqs.items()}
            changed = [head for head in heads if covered.get(head[0]) != head[1]]
            for begin in range(0, len(changed), HEADS):
                self._write(file, now, changed[begin : begin + HEADS])
        return len(changed)

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        path = self._data / FILE
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _catch_up(self, file: BinaryIO) -> None:
        """Read what was appended since; a line that a crash cut short is taken away."""
        if file.seek(0, os.SEEK_END) < self._read.offset:  # moved away: this is a new one
            self._read = _Read()
        file.seek(self._read.offset)
        for line in file:
            if not line.endswith(b"\n"):
                file.truncate(self._read.offset)
                break
            self._read.note(read(line, self._read.number + 1)[0], len(line))

    def _write(self, file: BinaryIO, now: datetime, heads: Sequence[Head]) -> None:
        anchor = Anchor(self._read.number + 1, _iso(now), self._read.root, heads)
        line = anchor.line(_ensured_key(self._data)).encode() + b"\n"
        file.seek(self._read.offset)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
        self._read.note(anchor, len(line))


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read(line: str | bytes, number: int) -> tuple[Anchor, dict[str, str]]:
    """Return the anchor of a line and the other members: root, key, signature.

    Raises:
        BadJsonError: it is none; `number` says which line.
    """
    try:
        facts = strictjson.loads(line, max_bytes=MAX_LINE_BYTES)
        heads = [
            (str(chain), int(seq), bytes.fromhex(link).hex()) for chain, seq, link in facts["heads"]
        ]
        anchor = Anchor(int(facts["number"]), facts["at"], bytes.fromhex(facts["prev"]), heads)
        _moment(anchor.at)
        return anchor, {name: str(facts[name]) for name in ("root", "key", "signature")}
    except (BadJsonError, KeyError, TypeError, ValueError) as error:
        raise BadJsonError(f"Line {number} is not an anchor of an audit trail.") from error


def check(lines: Iterable[str | bytes], key: str | None = None) -> Checked:
    """Check a file of anchors: each signed by one key, numbered, and bound to the one before.

    Without a `key`, the one that the first anchor names. Reading ends at the first fault.

    Raises:
        BadJsonError: a line is no anchor.
    """
    count, root, at = 0, FIRST, ""
    heads: dict[str, dict[int, bytes]] = {}
    for line in lines:
        anchor, signed = read(line, count + 1)
        key = key or signed["key"]
        reason = _fault(anchor, signed, key, count + 1, root)
        if reason:
            return Checked(count, _marks(heads, at), key, [Fault(CHAIN, count + 1, reason)])
        count, root, at = anchor.number, anchor.root, anchor.at
        for chain, seq, link in anchor.heads:
            heads.setdefault(chain, {})[seq] = bytes.fromhex(link)
    faults = [] if count else [Fault(CHAIN, 1, "there is no anchor")]
    return Checked(count, _marks(heads, at), key or "", faults)


def check_own(data: Path) -> Checked:
    """Check the file of this installation by its own key; none yet is no fault.

    Raises:
        BadJsonError: a line is no anchor.
        ConfigError: the key or the file cannot be used.
    """
    key = own_key(data)
    public = public_text(key) if key else None
    try:
        with (data / FILE).open("rb") as file:
            # Without its end, a line is being written or was cut short by a crash.
            found = check((line for line in lines_of(file) if line.endswith(b"\n")), public)
    except FileNotFoundError:
        faults = [Fault(CHAIN, 1, "the file of anchors is missing")] if key else []
        return Checked(0, NO_MARKS, public or "", faults)
    except OSError as error:
        raise ConfigError(f"{data / FILE} cannot be read: {error.strerror}.") from error
    return found if found.count or key else Checked(0, NO_MARKS, "", [])


def _fault(
    anchor: Anchor, signed: dict[str, str], key: str, number: int, prev: bytes
) -> str | None:
    if (anchor.number, anchor.prev) != (number, prev):
        return "an anchor before it is missing"
    if signed["key"] != key:
        return "another key signed it"
    try:
        signature, public = bytes.fromhex(signed["signature"]), bytes.fromhex(key)
    except ValueError:
        return "the anchor was changed"
    is_own = ciphers.is_signed(anchor.root, signature, public)
    return None if is_own and signed["root"] == anchor.root.hex() else "the anchor was changed"


def _marks(heads: dict[str, dict[int, bytes]], at: str) -> Marks:
    return Marks(heads, _iso(_moment(at) - SETTLED) if at else "")
