"""What is read only where a step refers to it: blobs, so that memory stays flat, and the cost."""

import asyncio
from typing import Any

from sqlalchemy import text

from pilot import db
from pilot.engine.acting import blobs
from pilot.engine.acting.blobs import Blob
from pilot.engine.acting.history import Held
from pilot.engine.expressions import Scope
from pilot.engine.expressions.values import number
from pilot.engine.language.step_fields import StepFields
from pilot.engine.running.run import Run

# With the executions within it that it pays.
COST = text("""
WITH RECURSIVE paid AS (
  SELECT id, unpriced_calls FROM execution WHERE id = :execution
  UNION ALL
  SELECT e.id, e.unpriced_calls FROM execution e JOIN paid p ON e.parent_id = p.id
   WHERE NOT e.detached)
SELECT (SELECT spent_usd FROM execution WHERE id = :execution) AS usd,
       cast(sum(unpriced_calls) AS int) AS unpriced FROM paid
""")


async def scope_of(run: Run, step: StepFields, scope: Scope) -> Scope:
    """Return the scope with the values of the blobs that a step reads, and with the cost so far."""
    if run.plan.reads_cost(step):
        scope = await with_cost(run, scope)
    return await with_values(run, scope, run.plan.reads(step)) if run.has_blobs else scope


async def with_cost(run: Run, scope: Scope) -> Scope:
    """Return the scope with what the execution has cost until now, and how much has no price."""
    found = await run.loop.run_in_executor(run.ports.pool, _cost, run.held)
    cost = {"cost_usd": number(found.usd), "unpriced_calls": found.unpriced}
    return scope.child(execution=scope.roots["execution"] | cost)


def _cost(held: Held) -> Any:
    with db.reading(held.owner_id) as session:
        return session.execute(COST, {"execution": held.id}).one()


async def with_values(run: Run, scope: Scope, names: frozenset[str]) -> Scope:
    """Return the scope with the values of the blobs that steps of these ids gave.

    Raises:
        NotFoundError: one is gone.
    """
    steps = scope.roots["steps"]
    read = {
        name: steps[name] | {"output": await value(run, steps[name]["output"])}
        for name in sorted(names)
        if isinstance(steps.get(name, {}).get("output"), Blob)
    }
    return Scope({**scope.roots, "steps": steps | read}, scope.now, scope.zone) if read else scope


async def value(run: Run, output: Any) -> Any:
    """Return an output, read back if it is a blob; the last one stays for the next step.

    Raises:
        NotFoundError: it is gone.
    """
    if not isinstance(output, Blob):
        return output
    if run.last_value is None or run.last_value[0] != output.sha256:
        run.last_value = None  # never two at a time
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(run.ports.pool, blobs.load, run.held.owner_id, output)
        run.last_value = (output.sha256, found)
        return found
    return run.last_value[1]
