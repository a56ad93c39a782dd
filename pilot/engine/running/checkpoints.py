"""Checkpoints: what an execution writes in one commit, as the database takes it.

A step counts as done only when the commit that holds it has returned. The statement is the database
function `checkpoint`, which starts with each member's fence.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from pilot import audit, strictjson
from pilot.engine.status import FINAL, ExecutionStatus, StepStatus
from pilot.redaction import redact_event

JSON_TYPE = "application/json"
NO_RESULTS = frozenset({"intent", "call"})  # checkpoints that show no progress by themselves


@dataclass(frozen=True)
class Flags:
    """What the execution row said when the checkpoint was committed."""

    cancel: bool
    pause: bool
    late: bool


class AttemptRow(NamedTuple):
    """One attempt as it is written; texts are JSON."""

    path: str
    attempt: int
    type: str
    status: StepStatus
    started_at: datetime
    effect: str | None = None
    key: UUID | None = None
    rerun: int = 0
    input: str | None = None
    output: str | None = None
    error: str | None = None
    notes: str | None = None
    duration_ms: int | None = None
    blob: str | None = None  # the hash of the whole output, if `output` is its digest
    cache_key: str | None = None  # hex: by which the output may be found later
    cached: str | None = None  # of an output that was found: whence, and what that saved

    def text(self) -> str:
        """Return the row as JSON; input and output are JSON already and only placed."""
        facts = {
            "path": self.path,
            "attempt": self.attempt,
            "type": self.type,
            "status": self.status,
            "started_at": self.started_at.isoformat(),
            "effect": self.effect,
            "key": str(self.key) if self.key else None,
            "rerun": self.rerun,
            "duration_ms": self.duration_ms,
        }
        parts = [strictjson.dumps(facts)[:-1]]
        for name in ("input", "output", "error", "notes", "cached"):
            value = getattr(self, name)
            if value is not None:
                parts.append(f',"{name}":{value}')
        if self.blob is not None:
            parts.append(_blob(self.blob))
        if self.cache_key is not None:
            parts.append(f',"cache_key":"\\\\x{self.cache_key}"')
        return "".join(parts) + "}"


def _blob(sha256: str) -> str:
    return f',"output_blob":"\\\\x{sha256}"'


@dataclass
class Checkpoint:
    """Everything that one execution writes in one commit."""

    execution_id: UUID
    fence: int
    name: str  # of the crash points around it: intent, result, wait, finish ...
    attempts: list[AttemptRow] = field(default_factory=list)
    events: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)
    audits: list[tuple[audit.Event, dict[str, Any]]] = field(default_factory=list)
    waits: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)  # rows of the ledger
    status: ExecutionStatus | None = None
    reason: str | None = None
    output: str | None = None
    blob: str | None = None  # the hash of the whole output, if `output` is its digest
    contents: list[bytes] = field(default_factory=list)  # JSON of the blobs it refers to
    error: str | None = None
    batch: UUID | None = None  # under whose fence it is written, if not the execution's own
    about_batches: dict[str, Any] = field(default_factory=dict)  # handed out, failed in it, ended

    def rows(self) -> "Rows":
        """Return what is written, as JSON."""
        return Rows(
            *self._member(),
            [one.text() for one in self.attempts],
            [
                strictjson.dumps({"kind": kind, "path": path, "data": redact_event(data)})
                for kind, path, data in self.events
            ],
            list(self._audit_rows()),
            [strictjson.dumps(one) for one in self.waits],
            [strictjson.dumps(one) for one in self.calls],
            [(self.execution_id, self.fence, JSON_TYPE, one) for one in self.contents],
        )

    def _member(self) -> tuple[dict[str, Any], str]:
        facts: dict[str, Any] = {
            "id": str(self.execution_id),
            "fence": self.fence,
            "result": self.name not in NO_RESULTS,
        }
        if self.status is not None:
            facts |= {"status": self.status, "reason": self.reason, "final": self.status in FINAL}
        if self.batch is not None:
            facts["batch"] = str(self.batch)
        facts |= self.about_batches
        text = f',"output":{self.output}' if self.output is not None else ""
        text += _blob(self.blob) if self.blob is not None else ""
        text += f',"error":{self.error}' if self.error is not None else ""
        return facts, text

    def _audit_rows(self) -> Iterable[str]:
        about = ("execution", self.execution_id)
        for event, details in self.audits:
            record = audit.entry(event, actor="worker", about=about, details=details)
            yield f'{{"record":{strictjson.dumps(record)}}}'


class Rows(NamedTuple):
    """Checkpoints of one execution as the database function takes them.

    Texts are JSON objects, without the number of the execution in the batch and, where the order
    counts, their own.
    """

    facts: dict[str, Any]
    values: str  # JSON that is placed behind the facts: output, error
    attempts: list[str]
    events: list[str]
    audits: list[str]
    waits: list[str]
    calls: list[str]
    blobs: list[tuple[UUID, int, str, bytes]]  # execution, fence, media type, content

    def member(self) -> str:
        """Return what is written to the execution's row, as JSON."""
        facts = self.facts | {"events": len(self.events)}
        return f"{strictjson.dumps(facts)[:-1]}{self.values}}}"

    @staticmethod
    def joined(several: Sequence["Rows"]) -> "Rows":
        """Return those of one execution as one; only the last may say how the execution stands."""
        last = several[-1]
        result = any(one.facts["result"] for one in several)
        columns = zip(*(one[2:] for one in several), strict=True)
        lists = (list(chain.from_iterable(column)) for column in columns)
        return Rows(last.facts | {"result": result}, last.values, *lists)


def parameters(worker_id: UUID, batch: Sequence[Rows]) -> tuple[Any, ...]:
    """Return the arguments of the database function for a batch."""
    return (
        worker_id,
        _numbered([rows.member()] for rows in batch),
        _numbered(rows.attempts for rows in batch),
        _placed(rows.events for rows in batch),
        _placed(rows.audits for rows in batch),
        _numbered(rows.waits for rows in batch) if any(rows.waits for rows in batch) else None,
    )


def with_calls(given: tuple[Any, ...], batch: Sequence[Rows]) -> tuple[Any, ...]:
    """Return the arguments of the function that books calls to models as well."""
    return (*given, _numbered(rows.calls for rows in batch))


def _numbered(rows: Iterable[Sequence[str]]) -> str:
    """Return all rows as one JSON array; each gets the number `n` of its member."""
    return array(f'{{"n":{n},{row[1:]}' for n, of_one in enumerate(rows) for row in of_one)


def _placed(rows: Iterable[Sequence[str]]) -> str:
    """Return the same where each also gets its place among those of its member."""
    return array(
        f'{{"n":{n},"place":{place},{row[1:]}'
        for n, of_one in enumerate(rows)
        for place, row in enumerate(of_one, start=1)
    )


def array(rows: Iterable[str]) -> str:
    """Return JSON texts as one JSON array."""
    return f"[{','.join(rows)}]"
