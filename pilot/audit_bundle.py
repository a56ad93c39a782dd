"""The exported audit trail: JSON lines that are checked without a database.

Each chain is its records in order, then its head. The last line, the end, counts chains and records
and holds the SHA-256 of all heads: an export that was cut anywhere is found. A forger who writes
every line anew is found by the anchors only, whose key is not in the export.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from pilot import strictjson
from pilot.audit import (
    MAX_LINE_BYTES,
    NO_MARKS,
    SYSTEM,
    Fault,
    Head,
    Link,
    Marks,
    emptied,
    missing,
    read_links,
    verify_chain,
    without_emptied,
)
from pilot.errors import BadJsonError

CHAIN = "export"  # the name that faults of the end have; their number is the line's

RECORD = {"chain": str, "seq": int, "prev": str, "hash": str, "record": str}
HEAD = {"chain": str, "head": int, "hash": str}
END = {"chains": int, "records": int, "heads": str}


@dataclass
class _Sums:
    """What the end says of all that came before it."""

    chains: int = 0
    records: int = 0
    _heads: Any = field(default_factory=hashlib.sha256)

    def note_head(self, chain: str, seq: int, link: bytes) -> str:
        """Count one chain; returns the line of its head."""
        self.chains += 1
        line = strictjson.dumps({"chain": chain, "head": seq, "hash": link.hex()})
        self._heads.update(f"{line}\n".encode())
        return line

    @property
    def facts(self) -> dict[str, Any]:
        """The members of the end."""
        heads = self._heads.hexdigest()
        return {"chains": self.chains, "records": self.records, "heads": heads}


def bundle(session: Session) -> Iterator[str]:
    """Yield the whole trail as JSON lines; the last one is the end."""
    sums = _Sums()
    for chain, rows in groupby(read_links(session, None), key=lambda row: str(row.chain)):
        head: Head | None = None
        for row in rows:
            if row.head_seq is not None:
                head = (row.head_seq, bytes(row.head_hash))
            if row.seq is not None:
                sums.records += 1
                yield line_of(chain, row.seq, row.record, row.prev, row.hash)
        if head is not None:
            yield sums.note_head(chain, *head)
    yield strictjson.dumps(sums.facts)


def line_of(chain: str, seq: int, record_text: str, prev: bytes, link: bytes) -> str:
    """Return one record as a JSON line with all that its check needs."""
    facts = {"chain": chain, "seq": seq, "prev": prev.hex(), "hash": link.hex()}
    return strictjson.dumps(facts | {"record": record_text})


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file; one that is too long to be read comes in parts."""
    return iter(lambda: file.readline(MAX_LINE_BYTES + 1), b"")


@dataclass
class _Export:
    """The lines that were read so far."""

    chains: dict[str, list[Link]] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    sums: _Sums = field(default_factory=_Sums)
    end: dict[str, Any] | None = None
    lines: int = 0
    place: str = ""  # of the line before, for people

    def take(self, line: str | bytes) -> None:
        """Read the next line.

        Raises:
            BadJsonError: it is not of an exported trail.
        """
        self.lines += 1
        facts: Any = None
        try:
            facts = strictjson.loads(line, max_bytes=MAX_LINE_BYTES)
            self._note(facts)
        except (BadJsonError, ValueError) as error:
            where = _place(facts) or (f"after {self.place}" if self.place else "")
            raise BadJsonError(
                f"Line {self.lines}{where and f' ({where})'} is not of an exported audit trail: "
                f"{error}"
            ) from error
        self.place = _place(facts)

    def _note(self, facts: Any) -> None:
        if self.end is not None:
            raise ValueError("It comes after the end.")
        if _has_shape(facts, RECORD):
            link = (facts["seq"], facts["record"], _bytes(facts["prev"]), _bytes(facts["hash"]))
            self.chains.setdefault(facts["chain"], []).append(link)
            self.sums.records += 1
        elif _has_shape(facts, HEAD):
            chain = facts["chain"]
            if chain in self.heads:
                raise ValueError("The chain has another head.")
            self.heads[chain] = (facts["head"], _bytes(facts["hash"]))
            self.sums.note_head(chain, *self.heads[chain])
        elif _has_shape(facts, END):
            self.end = facts
        else:
            raise ValueError("It is neither a record, nor a head, nor the end.")

    def fault_of_end(self) -> Fault | None:
        """Compare the end with what came before it."""
        if self.end is None:
            reason = (
                "the end is missing: the export was cut off, or an older Pilot made it, and nobody "
                "can tell whether it is complete"
            )
            return Fault(CHAIN, self.lines + 1, reason)
        if self.end != self.sums.facts:
            return Fault(CHAIN, self.lines, "the end counts other chains or records")
        return None


def _has_shape(facts: Any, shape: dict[str, type]) -> bool:
    return (
        isinstance(facts, dict)
        and facts.keys() == shape.keys()
        and all(type(facts[name]) is kind for name, kind in shape.items())
    )


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"{text[:80]!r} is not hexadecimal.") from None


def _place(facts: Any) -> str:
    """Say which record a line is, as far as it tells."""
    if not isinstance(facts, dict) or not isinstance(facts.get("chain"), str):
        return ""
    chain, seq = facts["chain"][:80], facts.get("seq", facts.get("head"))
    return f"chain {chain}, record {seq}" if type(seq) is int else f"chain {chain}"


def verify_bundle(lines: Iterable[str | bytes], marks: Marks = NO_MARKS) -> tuple[int, list[Fault]]:
    """Check an exported trail; returns what `audit.verify` returns.

    Raises:
        BadJsonError: a line is none of such a trail; the message says which.
    """
    read = _Export()
    for line in lines:
        read.take(line)
    count, faults = 0, []
    told = emptied(line for _, line, _, _ in read.chains.get(SYSTEM, []))
    for chain in sorted(read.chains.keys() | read.heads.keys()):
        links = without_emptied(read.chains.get(chain, []), told.get(chain, []))
        seen, fault = verify_chain(chain, links, read.heads.get(chain), marks)
        if chain not in read.chains and fault is not None:
            [fault] = missing([chain])
        count += seen
        faults += [fault] if fault else []
    faults += missing(marks.heads.keys() - read.chains.keys() - read.heads.keys())
    end = read.fault_of_end()
    return count, faults + ([end] if end else [])
