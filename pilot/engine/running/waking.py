"""What a run waits for and comes while it is busy with something else: that goes on at once.

Whoever runs several things side by side keeps looking here while one of them is at work, and begins
again what had come to rest at a wait. What is recorded of it is known, as after a claim.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg

from pilot.engine.acting.history import History, WaitRow

if TYPE_CHECKING:
    from pilot.engine.running.run import Run

WOKEN = "SELECT id, attempts, waits FROM woken(%s, %s)"


class Waking:
    """What came of the waits of one run, until somebody goes on with it."""

    def __init__(self, history: History) -> None:
        """Begin with nothing that came."""
        self._history = history
        self.came: set[str] = set()  # where
        self.rung = asyncio.get_running_loop().create_future()  # a new one after each ring

    def open(self) -> dict[str, WaitRow]:
        """Return the waits for which nothing came yet, by path."""
        return {path: one for path, one in self._history.waits.items() if not one.resolved}

    def hear(self, asked: dict[str, WaitRow], attempts: Any, waits: Any) -> None:
        """Take in what came of the waits that were open when the database was asked."""
        known = self._history.waits
        came = {one["path"] for one in waits}
        came = {path for path in came & asked.keys() if known.get(path) is asked[path]}
        if not came:
            return
        for path in came:
            self._history.attempts.pop(path, None)
            self._history.replaced.pop(path, None)
        self._history.read(
            [one for one in attempts or [] if one["path"] in came],
            [one for one in waits if one["path"] in came],
        )
        self.came |= came
        rung, self.rung = self.rung, asyncio.get_running_loop().create_future()
        rung.set_result(None)

    def within(self, path: str) -> set[str]:
        """Return where something came: at a path, or inside it."""
        return {one for one in self.came if one == path or one.startswith((f"{path}/", f"{path}["))}

    def take(self, path: str) -> bool:
        """Whether something came at a path or inside it; who is told so begins it again."""
        found = self.within(path)
        self.came -= found
        return bool(found)


async def look(
    reader: psycopg.AsyncConnection[Any], worker_id: UUID, runs: Collection["Run"]
) -> None:
    """Let the runs of a worker know what came of what they wait for."""
    open_ = {run.held.id: (run, run.waking.open()) for run in runs if run.held.batch is None}
    open_ = {execution_id: one for execution_id, one in open_.items() if one[1]}
    if not open_:
        return
    cursor = await reader.execute(WOKEN, (worker_id, list(open_)))
    for execution_id, attempts, waits in await cursor.fetchall():
        run, asked = open_[execution_id]
        run.waking.hear(asked, attempts, waits)


async def side_by_side(
    run: "Run",
    work: Iterable[Coroutine[Any, Any, None]],
    again: Callable[[], Iterable[Coroutine[Any, Any, None]]],
) -> None:
    """Do all of the work, and meanwhile what `again` says when something came."""
    running = {asyncio.ensure_future(one) for one in work}
    while running:
        first = asyncio.FIRST_COMPLETED
        await asyncio.wait({*running, run.waking.rung}, return_when=first)
        for one in [one for one in running if one.done()]:
            running.discard(one)
            one.result()
        running |= {asyncio.ensure_future(one) for one in again()}
