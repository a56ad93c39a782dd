"""What undoes finished steps when their execution fails or is cancelled: the latest first.

Each is an action like any other, recorded at `<path>/undo` with its intent, key and result, so that
a worker that takes over goes on with those that are open. None of them hides why it ended.
What a fork reuses was done by another execution, and is left to it; an action that failed, and that
other steps took the place of, did nothing to be undone.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import db
from pilot.engine import steps
from pilot.engine.acting.blobs import Blob
from pilot.engine.expressions import Scope
from pilot.engine.language.step_fields import Continue, StepFields, Tolerated
from pilot.engine.running import attempts, containers, effects, unpacking
from pilot.engine.running.run import Frame, Run
from pilot.engine.status import StepStatus
from pilot.engine.workflow.document import Workflow, parse, walk
from pilot.engine.workflow.outline import ON_ERROR, UNDO
from pilot.errors import FencedError, type_json
from pilot.models.execution import Execution

Due = dict[str, tuple[StepFields, Scope]]  # what is to be undone, by path


def state(workflow: Workflow) -> str:
    """Return whether executions of a workflow may have to undo something: none or possible."""
    undone = workflow.policies.compensate and any(
        step.compensate is not None for step in walk(workflow.steps)
    )
    return "possible" if undone else "none"


def is_due(session: Session, row: Execution, document: type_json) -> bool:
    """Whether finished steps of an execution have to be undone before it may end."""
    if row.compensation == "none":
        return False
    found = parse(document)
    ids = [step.id for step in walk(found.steps) if step.compensate is not None]
    return session.scalar(FINISHED, {"e": row.id, "ids": ids}) is not None


async def perform(run: Run) -> bool:
    """Undo what was finished; False: the worker has to stop first, the rest follows at a claim.

    Raises:
        FencedError: another worker owns the execution now.
    """
    workflow = run.plan.workflow
    if state(workflow) == "none":
        return True
    run.history.recount()
    due: Due = {}
    await _find(run, workflow.steps, run.top, due)
    if not due or run.stop == "drain":
        return not due
    await run.settle_writes()
    order = await run.loop.run_in_executor(run.ports.pool, _begin, run, due)
    if not order:
        return True
    asked = run.compensate()
    for path in order:
        if not await _undo(run, path, *due[path]):
            return False
    run.stop = asked
    return True


def is_unknown(run: Run) -> bool:
    """Whether nobody knows if something was undone: a person says so, then the rest follows."""
    history = run.history
    undone = (history.latest(path) for path in history.attempts if path.endswith(f"/{UNDO}"))
    return any(one is not None and one.status is StepStatus.UNKNOWN for one in undone)


async def _undo(run: Run, path: str, step: StepFields, scope: Scope) -> bool:
    """Bring the undoing of one step to its end, whichever; False: the worker has to stop."""
    action = _action(step)
    place = f"{path}/{UNDO}"
    result = attempts.recall(run, action, place, scope)
    if result is None:
        now = Scope(scope.roots, run.clock(place), scope.zone)
        around = await unpacking.scope_of(run, action, now)
        result = await effects.perform(run, action, place, around)
    return result.status is not StepStatus.PENDING


def _action(step: StepFields) -> StepFields:
    """Return the action that undoes a step, as a step; a failure of it is noted and tolerated."""
    undo = step.compensate
    assert undo is not None
    found: StepFields = steps.load("action").Params(
        id=step.id,
        type="action",
        plugin=undo.plugin,
        action=undo.action,
        params=undo.params,
        connection=undo.connection,
        retry=step.retry,
        on_error=Continue.model_construct(tolerated=Tolerated()),
    )
    return found.model_copy(update={"id": f"{step.id}/{UNDO}"})


async def _find(run: Run, body: Sequence[StepFields], frame: Frame, due: Due) -> None:
    """Find what is finished and can be undone, in rounds too, with what it may read."""
    for step in body:
        path = frame.prefix + step.id
        latest = run.history.latest(path)
        if latest is None:
            continue
        if latest.status is StepStatus.COMPLETED:
            run.has_blobs = run.has_blobs or isinstance(latest.output, Blob)
            seen = {"status": str(latest.status), "output": latest.output}
            frame.scope.roots["steps"].setdefault(step.id, seen)
            if step.compensate is not None and not _answered(run, path):
                due[path] = step, frame.scope
        named = await containers.named_rounds(run, step, frame)
        for inner, inside in containers.lists(run, step, path, frame):
            inner.scope = inner.scope.child(**named(inner.container))
            await _find(run, inside, inner, due)


def _answered(run: Run, path: str) -> bool:
    """Whether other steps took the place of a step that failed."""
    branch = f"{path}/{ON_ERROR}/"
    return run.history.recovered(path) and any(
        one.startswith(branch) for one in run.history.attempts
    )


def _begin(run: Run, due: Due) -> list[str]:
    """Note that the undoing has begun, so that no grace ends it; return the paths, latest first."""
    values = {"e": run.held.id, "fence": run.held.fence}
    with db.transaction("execution.compensate", run.held.owner_id) as session:
        order = [path for path in session.scalars(ORDER, values) if path in due]
        if order and session.execute(BEGIN, values).one_or_none() is None:
            raise FencedError(f"Execution {run.held.id} has another owner.")
        return order


BEGIN = text("""
UPDATE execution SET compensation = 'begun'
 WHERE id = :e AND fence = :fence AND status IN ('running', 'cancelling') RETURNING id
""")
ORDER = text("""
SELECT path FROM step_execution
 WHERE execution_id = :e AND status = 'completed' AND reused_from IS NULL
 ORDER BY finished_at DESC, started_at DESC, path DESC
""")
FINISHED = text(r"""
SELECT 1 FROM step_execution
 WHERE execution_id = :e AND status = 'completed' AND reused_from IS NULL
   AND regexp_replace(path, '^.*/', '') = ANY (:ids) LIMIT 1
""")
