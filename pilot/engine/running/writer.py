"""The writer that commits the checkpoints of many executions together.

One flush is in flight; what arrives meanwhile rides on the next (group commit). What one execution
writes at once is one member of the batch.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import structlog

from pilot import db
from pilot.engine.providers import budgets
from pilot.engine.running.checkpoints import Checkpoint, Flags, Rows, array, parameters, with_calls
from pilot.engine.status import FINAL
from pilot.errors import FencedError, StepError, UnavailableError
from pilot.failpoints import failpoint

log = structlog.get_logger()

MAX_BATCH = 64  # executions in one commit
MAX_TOGETHER = 256  # checkpoints in one commit
WRITE = "SELECT n, cancel, pause, late FROM checkpoint(%s, %s, %s, %s, %s, %s)"
WRITE_AND_BOOK = "SELECT n, cancel, pause, late FROM book(%s, %s, %s, %s, %s, %s, %s)"
STORE = "SELECT store_blob(%s, %s, %s, %s, %b)"
GIVE_UP_S = 60.0


class Waiting(NamedTuple):
    """A checkpoint on its way. Its rows are made before its turn, while another flush is out."""

    checkpoint: Checkpoint
    rows: Rows
    future: asyncio.Future[Flags | None]

    def follows(self, earlier: "Waiting") -> bool:
        """Whether it may be one with an earlier one of its execution: of one claim, and certain.

        A park or pause is not: the database refuses it when something came in between.
        """
        before, now = earlier.checkpoint, self.checkpoint
        certain = now.status is None or now.status in FINAL
        same = (before.batch, before.fence) == (now.batch, now.fence)
        return same and before.status is None and certain


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
        flags = await self.submit(checkpoint)
        if flags is None:
            raise FencedError(f"Execution {checkpoint.execution_id} has another owner.")
        failpoint(f"{checkpoint.name}.after_commit")
        return flags

    def submit(self, checkpoint: Checkpoint) -> "asyncio.Future[Flags | None]":
        """Let a checkpoint ride on the next commit; nothing later of its execution overtakes it.

        The future gives None if another worker owns the execution now.
        """
        future: asyncio.Future[Flags | None] = asyncio.get_running_loop().create_future()
        failpoint(f"{checkpoint.name}.before_commit")
        self._waiting.append(Waiting(checkpoint, checkpoint.rows(), future))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush_all())
        return future

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
        written: set[tuple[UUID, str, int]] = set()  # attempts: a statement writes a row once
        left: list[Waiting] = []
        held_back: set[UUID] = set()  # nothing overtakes an earlier one of its execution
        for one in self._waiting[:MAX_TOGETHER]:
            about = one.checkpoint.execution_id
            mine = batch.get(about)
            rows = {(about, row.path, row.attempt) for row in one.checkpoint.attempts}
            fits = len(batch) < MAX_BATCH if mine is None else one.follows(mine[-1])
            if about not in held_back and fits and not rows & written:
                batch.setdefault(about, []).append(one)
                written |= rows
            else:
                held_back.add(about)
                left.append(one)
        self._waiting = left + self._waiting[MAX_TOGETHER:]
        return list(batch.values())

    async def _flush(self, batch: list[list[Waiting]]) -> None:
        try:
            answers = await self._commit(
                [Rows.joined([one.rows for one in group]) for group in batch]
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
        lost: dict[UUID, Exception] = {}  # what comes after a lost one would tell half of it
        for one in batch:
            about = one.checkpoint.execution_id
            try:
                if about in lost:
                    raise lost[about]
                answer = await self._commit_surely(one)
            except (psycopg.Error, UnicodeError, UnavailableError) as fault:
                refusal = _refusal(fault)
                if refusal is None:
                    lost[about] = fault
                if not one.future.done():
                    one.future.set_exception(refusal or fault)
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
            given, statement = with_calls(given, batch), WRITE_AND_BOOK
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
                array(one.text() for one in checkpoint.attempts),
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
