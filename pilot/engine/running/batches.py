"""One batch of a scatter: its items run here, everything else is left to its execution."""

from typing import Any

from pilot.engine.acting.history import Batch
from pilot.engine.running import containers, rounds
from pilot.engine.running.run import Frame, Run, RunBody
from pilot.errors import ExpressionError, StepError


async def perform(run: Run, batch: Batch, step: Any, frame: Frame, go: RunBody) -> bool:
    """Run the items of a batch as far as they go now, and write that it has ended.

    What waits, and what is left when it was told to stop, the execution goes on with. Returns False
    if it has to be claimed again.
    """
    whole, gave_up = False, False
    try:
        inner, scope, decided = await containers.entered(run, step, frame)
        whole = await rounds.Rounds(run, step, inner, scope, decided, go).perform_batch(batch)
    except (ExpressionError, StepError):  # its items cannot be told: the execution says why
        gave_up = True
    if run.stop == "drain" and not whole:
        return False
    checkpoint = run.checkpoint("batch")
    checkpoint.about_batches |= {
        "ended": True,
        "early": not whole,
        "gave_up": gave_up or run.stop == "budget",  # the execution finds that out by itself
    }
    seen = {"status": "running", "items": [batch.first, batch.last]}
    checkpoint.events.append(("step", batch.path, seen))
    await run.write(checkpoint)
    return True
