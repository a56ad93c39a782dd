"""Wide scatters over many workers: which items go out in batches, and that they do.

They go out when nothing else of their execution can run, in the commit in which its worker lets it
go: as long as batches are out nobody holds it, and the end of the last one queues it again.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from pilot.engine import steps
from pilot.engine.running.run import Frame, Run, Spread
from pilot.engine.status import ExecutionStatus
from pilot.engine.workflow.document import walk
from pilot.engine.workflow.outline import AFTER

BATCH_ITEMS = 100  # to claim and read one takes some 10 ms: little beside what so many items take


def pays(run: Run, step: Any, path: str, fresh: Sequence[int]) -> bool:
    """Whether items that were not begun go out: many, which act outside, and other workers live.

    Of nested scatters only the outer one is spread.
    """
    if len(fresh) <= BATCH_ITEMS or (step.at_once or run.at_once) == 1:
        return False
    if step.at_once is not None and any(_waits(one) for one in walk(step.steps)):
        return False  # those that wait count too, and no batch knows of those of another
    if run.simulated is not None or run.compensating or run.held.batch or run.held.facts["alone"]:
        return False
    if run.ports.workers() == 1 or "[" in path or set(AFTER) & set(path.split("/")):
        return False
    return any(_acts(one) for one in walk(step.steps))


async def is_alone(run: Run) -> bool:
    """Whether no other step is at work, which would keep the execution from being let go."""
    await asyncio.sleep(0)  # steps beside it begin
    return not run.acting and run.stop is None


def _acts(step: Any) -> bool:
    module = steps.load(step.type)
    return getattr(module, "IO", False) or hasattr(module, "TURNS")


def _waits(step: Any) -> bool:
    return hasattr(steps.load(step.type), "resume")


def plan(run: Run, frame: Frame, fresh: Sequence[int], at_once: int, may_fail: int) -> None:
    """Note items that go out when the execution is let go."""
    parts = [fresh[n : n + BATCH_ITEMS] for n in range(0, len(fresh), BATCH_ITEMS)]
    ranges = [(part[0], part[-1]) for part in parts]
    run.spread[frame.container] = Spread(frame, ranges, at_once, may_fail)


def wanted(run: Run) -> dict[str, Spread]:
    """Return what goes out now, by path: not after a stop, nor where a failure stopped all."""
    if run.stop is not None:
        return {}
    return {path: one for path, one in run.spread.items() if not one.frame.stopped}


async def hand_out(run: Run, wide: dict[str, Spread]) -> bool:
    """Let any worker claim the items; False: a cancel came in between."""
    checkpoint = run.checkpoint("spread")
    checkpoint.status = ExecutionStatus.RUNNING
    checkpoint.about_batches["spread"] = [
        {
            "path": path,
            "at_once": one.at_once,
            "may_fail": one.may_fail,
            "ranges": [{"first": first, "last": last} for first, last in one.ranges],
        }
        for path, one in wide.items()
    ]
    for path, one in wide.items():
        seen = {"status": "running", "batches": len(one.ranges)}
        checkpoint.events.append(("step", path, seen))
    return await run.park(checkpoint)
