"""How a run ends: finished, parked, paused or released, in one commit."""

from typing import Any

from pilot import strictjson
from pilot.audit import Event
from pilot.engine import digests
from pilot.engine.acting import blobs
from pilot.engine.acting.blobs import Blob, Packed
from pilot.engine.expressions import Scope
from pilot.engine.language import json_schemas, references
from pilot.engine.running import compensation, records, spreading, unpacking
from pilot.engine.running.checkpoints import Checkpoint
from pilot.engine.running.run import Result, Run
from pilot.engine.status import FINAL, ExecutionStatus, StepStatus, StepView, execution_status
from pilot.engine.workflow import fields
from pilot.errors import ErrorClass, ExpressionError, StepError

ENDS = {
    ExecutionStatus.COMPLETED: Event.PILOT_EXECUTION_COMPLETED,
    ExecutionStatus.COMPLETED_WITH_ERRORS: Event.PILOT_EXECUTION_COMPLETED,
    ExecutionStatus.FAILED: Event.PILOT_EXECUTION_FAILED,
    ExecutionStatus.CANCELLED: Event.PILOT_EXECUTION_CANCELLED,
}
UNDONE = frozenset({ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})
PAUSES = {
    "pause": (ExecutionStatus.PAUSED, Event.PILOT_EXECUTION_PAUSED),
    "pilot_disabled": (ExecutionStatus.PAUSED, Event.PILOT_DISABLED),
    "budget": (ExecutionStatus.BUDGET_PAUSED, Event.PILOT_BUDGET_PAUSED),
}


async def settle(run: Run) -> bool:
    """Write how it stands; False: a wait was resolved or a cancel asked: go on at once."""
    pending = _unfinished(run) and run.ended is None
    if run.stop in PAUSES and pending:
        return await _pause(run)
    if run.stop == "drain" and pending:
        return await _leave(run, ExecutionStatus.QUEUED, "released")
    if wide := spreading.wanted(run):
        return await spreading.hand_out(run, wide)
    return await _settle_by_steps(run)


def _unfinished(run: Run) -> bool:
    """Whether a step still has to run: then a pause or a drain has something to hold."""
    wanted = {step.id for step in run.plan.workflow.steps}
    settled = {
        path for path, one in run.results.items() if one.terminal or one.status is StepStatus.FAILED
    }
    return bool(wanted - settled)


def _views(run: Run) -> list[StepView]:
    """Return how the steps stand; once a stop step ended it, nothing is waited for any more."""
    ended = run.ended is not None
    return [
        StepView(one.status, one.tolerated)
        for one in run.results.values()
        if not (ended and one.status is StepStatus.WAITING)
    ]


def _is_whole(run: Run) -> bool:
    """Whether the output can be told: a stop step gives it, or all steps came to their end."""
    if run.stop in {"cancel", "late"}:
        return False
    return run.ended is not None or not (run.top.failed or _is_open(run))


def _is_open(run: Run) -> bool:
    """Whether a step waits or has no outcome yet: then the output cannot be told."""
    return any(
        not one.terminal and one.status is not StepStatus.FAILED for one in run.results.values()
    )


async def _pause(run: Run) -> bool:
    checkpoint = run.checkpoint("pause")
    status, event = PAUSES[str(run.stop)]
    facts = {"reason": run.stop} | (run.refused if run.stop == "budget" else {})
    checkpoint.status, checkpoint.reason = status, run.stop
    checkpoint.events.append(("execution", None, {"status": str(status)} | facts))
    checkpoint.audits.append((event, facts))
    return await run.park(checkpoint)


async def _leave(run: Run, status: ExecutionStatus, reason: str) -> bool:
    checkpoint = run.checkpoint("release")
    checkpoint.status, checkpoint.reason = status, reason
    checkpoint.events.append(("execution", None, {"status": str(status), "reason": reason}))
    await run.write(checkpoint)
    return True


async def _settle_by_steps(run: Run) -> bool:
    views = _views(run)
    output, fault = await _output(run) if _is_whole(run) else (None, None)
    policy = run.plan.workflow.policies.output
    too_large = fault is not None and fault["class"] == ErrorClass.OUTPUT_TOO_LARGE
    status = execution_status(
        views,
        cancel_asked=run.stop == "cancel",
        deadline_passed=run.stop == "late",
        output_refused=too_large or (fault is not None and policy == "fail"),
        output_warned=fault is not None and policy == "warn",
        stopped_as_failed=run.ended is not None and run.ended["outcome"] == "failed",
    )
    if status in UNDONE and not await compensation.perform(run):
        return await _leave(run, ExecutionStatus.QUEUED, "released")
    if status is ExecutionStatus.FAILED and run.stop is None and compensation.is_unknown(run):
        status = ExecutionStatus.NEEDS_ATTENTION
    checkpoint = run.checkpoint("finish")
    if status is ExecutionStatus.WAITING:
        checkpoint.name = "park"
        checkpoint.status = status
        checkpoint.events.append(("execution", None, {"status": "waiting"}))
        return await run.park(checkpoint)
    error = _error(run, status, fault)
    checkpoint.status = status
    checkpoint.reason = _reason(run, status)
    checkpoint.error = strictjson.dumps(error) if error else None
    if status in FINAL and output is not None and output.kept is not None:
        checkpoint.output, checkpoint.blob = output.text, output.sha256
        if output.content is not None:
            checkpoint.contents.append(output.content)
    facts: dict[str, Any] = {"status": str(status)} | ({"error": error} if error else {})
    if run.simulated is not None:  # the execution around it goes on at that moment
        facts["clock"] = run.now().isoformat()
    if status in FINAL:
        _close(run, checkpoint)
    checkpoint.events.append(("execution", None, facts))
    if status in ENDS:
        checkpoint.audits.append((ENDS[status], facts))
    await run.write(checkpoint)
    return True


def _close(run: Run, checkpoint: Checkpoint) -> None:
    """What is still open is cancelled: by a cancel, a stop, a failure elsewhere, the deadline."""
    waiting = [path for path, one in run.results.items() if one.status is StepStatus.WAITING]
    records.close_waits(run, checkpoint, dict.fromkeys([*waiting, *run.history.waits]))
    records.close_containers(run, checkpoint)


def _reason(run: Run, status: ExecutionStatus) -> str | None:
    if status is ExecutionStatus.NEEDS_ATTENTION:
        return "unknown_outcome"
    return "deadline" if run.stop == "late" else None


def _error(
    run: Run, status: ExecutionStatus, fault: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Return the error that the page shows first."""
    if status is not ExecutionStatus.FAILED:
        return None
    if run.stop == "late":
        text = "The deadline of the execution passed before it was finished."
        return {"class": str(ErrorClass.DEADLINE), "message": text, "step": None}
    if run.ended is not None and run.ended["outcome"] == "failed":
        text = run.ended["message"] or "A stop step ended it as failed."
        return {"class": str(ErrorClass.REJECTED), "message": text, "step": None}
    for path, one in run.results.items():
        if one.status is StepStatus.FAILED and not one.tolerated and one.error:
            return {
                "class": one.error.get("class"),
                "message": one.error.get("message"),
                "step": path,
            }
    return fault


async def _output(run: Run) -> tuple[Packed | None, dict[str, Any] | None]:
    """Return the document's output and, if it cannot be made or misfits its schema, the fault."""
    workflow = run.plan.workflow
    try:
        output = await _evaluate(run, run.scope)
        packed = blobs.pack(output)
    except (ExpressionError, StepError) as error:
        return None, {
            "class": str(error.error_class),
            "message": f"output: {error.message}",
            "step": None,
        }
    if workflow.output_schema is None:
        return packed, None
    value = await unpacking.value(run, output)
    errors = json_schemas.check_value(workflow.output_schema, value)
    if not errors:
        return packed, None
    text = json_schemas.in_words(errors)
    return packed, {
        "class": str(ErrorClass.SCHEMA),
        "message": f"The output misfits: {text}",
        "step": None,
    }


async def _evaluate(run: Run, scope: Scope) -> Any:
    workflow = run.plan.workflow
    if run.ended is not None:
        return run.ended["output"]
    if workflow.output is not None:
        template = references.compile_template(workflow.output)
        if fields.read_cost(template.reads):
            scope = await unpacking.with_cost(run, scope)
        if run.has_blobs:
            read = frozenset(fields.step_ids(template.reads))
            scope = await unpacking.with_values(run, scope, read)
        return template.evaluate(scope)
    needs = run.plan.dependencies(workflow.steps)
    read = frozenset().union(*needs.values())
    last: dict[str, Result] = {
        step.id: run.results.get(step.id, Result(StepStatus.PENDING))
        for step in workflow.steps
        if step.id not in read
    }
    done = {name: one.output for name, one in last.items() if one.status is StepStatus.COMPLETED}
    if len(last) == 1:
        return next(iter(done.values()), None)
    digests.refuse_beyond(sum(one.size for one in done.values() if isinstance(one, Blob)))
    return {name: await unpacking.value(run, one) for name, one in done.items()}
