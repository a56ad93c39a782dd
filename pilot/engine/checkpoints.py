"""Checkpoints and the writer that commits those of many executions together.

A step counts as done only when the commit that holds it has returned. One flush is in flight; what
arrives meanwhile rides on the next (group commit). The statement is the database function
`checkpoint`, which starts with each member's fence.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import structlog

from pilot import audit, db, strictjson
from pilot.engine import budgets
from pilot.engine.status import FINAL, ExecutionStatus, StepStatus
from pilot.errors import FencedError, StepError, UnavailableError
from pilot.failpoints import failpoint
from pilot.redaction import redact_event

log = structlog.get_logger()

MAX_BATCH = 64  # executions in one commit
MAX_TOGETHER = 256  # checkpoints in one commit
JSON_TYPE = "application/json"
WRITE = "SELECT n, cancel, pause, late FROM checkpoint(%s, %s, %s, %s, %s, %s)"
WRITE_AND_BOOK = "SELECT n, cancel, pause, late FROM book(%s, %s, %s, %s, %s, %s, %s)"
STORE = "SELECT store_blob(%s, %s, %s, %s, %b)"
NO_RESULTS = frozenset({"intent", "call"})  # checkpoints that show no progress by themselves
GIVE_UP_S = 60.0


@dataclass(frozen=True)
class Flags:
    """What the execution row said when the checkpoint was committed."""

    cancel: bool
    pause: bool
    late: bool


@dataclass(frozen=True)
class AttemptRow:
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
        for name in ("input", "output", "error", "notes"):
            value = getattr(self, name)
            if value is not None:
                parts.append(f',"{name}":{value}')
        if self.blob is not None:
            parts.append(_blob(self.blob))
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
        text = f',"output":{self.output}' if self.output is not None else ""
        text += _blob(self.blob) if self.blob is not None else ""
        text += f',"error":{self.error}' if self.error is not None else ""
        return facts, text

    def _audit_rows(self) -> Iterable[str]:
        about = ("execution", self.execution_id)
        for event, details in self.audits:
            record = audit.entry(event, actor="worker", about=about, details=details)
            yield strictjson.dumps({"record": record})


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

    def joined(self, other: "Rows") -> "Rows":
        """Return both as one; neither says how the execution stands."""
        result = self.facts["result"] or other.facts["result"]
        return Rows(
            self.facts | {"result": result},
            "",
            self.attempts + other.attempts,
            self.events + other.events,
            self.audits + other.audits,
            self.waits + other.waits,
            self.calls + other.calls,
            self.blobs + other.blobs,
        )


class Waiting(NamedTuple):
    """A checkpoint on its way. Its rows are made before its turn, while another flush is out."""

    checkpoint: Checkpoint
    rows: Rows
    future: asyncio.Future[Flags | None]

    def goes_with(self, other: "Waiting") -> bool:
        """Whether both may be one: of one claim, and only how it stands is told alone."""
        mine, its = self.checkpoint, other.checkpoint
        return mine.fence == its.fence and mine.status is None and its.status is None


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


def _numbered(rows: Iterable[Sequence[str]]) -> str:
    """Return all rows as one JSON array; each gets the number `n` of its member."""
    return _array(f'{{"n":{n},{row[1:]}' for n, of_one in enumerate(rows) for row in of_one)


def _placed(rows: Iterable[Sequence[str]]) -> str:
    """Return the same where each also gets its place among those of its member."""
    return _array(
        f'{{"n":{n},"place":{place},{row[1:]}'
        for n, of_one in enumerate(rows)
        for place, row in enumerate(of_one, start=1)
    )


def _array(rows: Iterable[str]) -> str:
    return f"[{','.join(rows)}]"


def _refusal(error: Exception) -> StepError | None:
    return budgets.refusal(error) if isinstance(error, psycopg.Error) else None


class Writer:
    """The one writer of a worker process; lives on its event loop."""

    def __init__(self, url: str, worker_id: UUID, told: Callable[[list[UUID]], None]) -> None:
        """Write as `worker_id`; `told` is called with the executions of each commit."""
        self._url = url
        self._worker_id = worker_id
        self._told = told
        self._waiting: list[Waiting] = []
        self._flushing: asyncio.Task[None] | None = None
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def put(self, checkpoint: Checkpoint) -> Flags:
        """Commit a checkpoint; returns when it is durable.

        Raises:
            FencedError: another worker owns the execution now.
            StepError: a call to a model that it books goes beyond the budget: nothing is written.
            UnavailableError: the database did not answer for a minute.
        """
        future: asyncio.Future[Flags | None] = asyncio.get_running_loop().create_future()
        failpoint(f"{checkpoint.name}.before_commit")
        self._waiting.append(Waiting(checkpoint, checkpoint.rows(), future))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush_all())
        flags = await future
        if flags is None:
            raise FencedError(f"Execution {checkpoint.execution_id} has another owner.")
        failpoint(f"{checkpoint.name}.after_commit")
        return flags

    async def try_park(self, checkpoint: Checkpoint) -> bool:
        """Commit a checkpoint that parks or pauses; False: a wait was resolved, or a cancel asked.

        Raises:
            FencedError: another worker owns the execution now.
        """
        try:
            await self.put(checkpoint)
        except FencedError:
            if await self._still_mine(checkpoint):
                return False
            raise
        return True

    async def close(self) -> None:
        """Wait for the flush under way and close the connection."""
        if self._flushing is not None:
            await self._flushing
        if self._connection is not None:
            await self._connection.close()

    async def _flush_all(self) -> None:
        try:
            while self._waiting:
                await self._flush(self._next_batch())
        finally:
            self._flushing = None

    def _next_batch(self) -> list[list[Waiting]]:
        """Take what is to be written next, by execution; what does not fit waits its turn."""
        batch: dict[UUID, list[Waiting]] = {}
        left: list[Waiting] = []
        held_back: set[UUID] = set()  # nothing overtakes an earlier one of its execution
        for number, one in enumerate(self._waiting):
            about = one.checkpoint.execution_id
            mine = batch.get(about)
            fits = len(batch) < MAX_BATCH if mine is None else one.goes_with(mine[-1])
            if number < MAX_TOGETHER and about not in held_back and fits:
                batch.setdefault(about, []).append(one)
            else:
                held_back.add(about)
                left.append(one)
        self._waiting = left
        return list(batch.values())

    async def _flush(self, batch: list[list[Waiting]]) -> None:
        try:
            answers = await self._commit(
                [reduce(Rows.joined, (one.rows for one in group)) for group in batch]
            )
        except (psycopg.Error, UnicodeError) as error:
            await self._flush_alone([one for group in batch for one in group], error)
            return
        for n, group in enumerate(batch):
            for one in group:
                if not one.future.done():
                    one.future.set_result(answers.get(n))
        self._told([batch[n][0].checkpoint.execution_id for n in answers])

    async def _flush_alone(self, batch: list[Waiting], error: Exception) -> None:
        """Repeat each member by itself, so that what is refused is refused alone."""
        if _refusal(error) is None:
            log.warning("batch_failed", members=len(batch), error=type(error).__name__)
        for one in batch:
            try:
                answer = await self._commit_surely(one)
            except (psycopg.Error, UnicodeError, UnavailableError) as fault:
                if not one.future.done():
                    one.future.set_exception(_refusal(fault) or fault)
                continue
            if not one.future.done():
                one.future.set_result(answer)
            self._told([one.checkpoint.execution_id])

    async def _commit_surely(self, waiting: Waiting) -> Flags | None:
        """Commit one checkpoint over lost connections; a lost answer is looked up, not guessed."""
        loop = asyncio.get_running_loop()
        end = loop.time() + GIVE_UP_S
        delay_s = 0.05
        while True:
            try:
                applied = await self._applied(waiting.checkpoint)
                if applied is not None:
                    return applied
                return (await self._commit([waiting.rows])).get(0)
            except psycopg.OperationalError as error:
                if loop.time() > end:
                    raise UnavailableError("The database does not answer.") from error
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, 2.0)

    async def _commit(self, batch: Sequence[Rows]) -> dict[int, Flags]:
        connection = await self._connected()
        blobs = [one for rows in batch for one in rows.blobs]
        if not blobs:
            return await self._commit_rows(connection, batch)
        blobs.sort(key=lambda one: one[-1])  # no two writers wait for each other
        async with connection.transaction():
            for one in blobs:
                await connection.execute(STORE, (self._worker_id, *one))
            failpoint("blob.stored")
            return await self._commit_rows(connection, batch)

    async def _commit_rows(
        self, connection: psycopg.AsyncConnection[Any], batch: Sequence[Rows]
    ) -> dict[int, Flags]:
        given, statement = parameters(self._worker_id, batch), WRITE
        if any(rows.calls for rows in batch):
            given = (*given, _numbered(rows.calls for rows in batch))
            statement = WRITE_AND_BOOK
        cursor = await connection.execute(statement, given, prepare=True)
        return {n: Flags(cancel, pause, late) async for n, cancel, pause, late in cursor}

    async def _applied(self, checkpoint: Checkpoint) -> Flags | None:
        """Return flags if this checkpoint is in the database already, else None."""
        connection = await self._connected()
        cursor = await connection.execute(
            "SELECT applied, cancel, pause, late FROM was_applied(%s, %s, %s, %s)",
            (
                checkpoint.execution_id,
                checkpoint.fence,
                _array(one.text() for one in checkpoint.attempts),
                checkpoint.status,
            ),
        )
        row = await cursor.fetchone()
        return Flags(row[1], row[2], row[3]) if row and row[0] else None

    async def _still_mine(self, checkpoint: Checkpoint) -> bool:
        connection = await self._connected()
        cursor = await connection.execute(
            "SELECT held FROM was_applied(%s, %s, '[]', NULL)",
            (checkpoint.execution_id, checkpoint.fence),
        )
        row = await cursor.fetchone()
        return bool(row and row[0])

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                db.dsn(self._url),
                autocommit=True,
                options=db.SESSION_LIMITS,
                connect_timeout=5,
                **db.KEEPALIVE,
            )
        return self._connection
