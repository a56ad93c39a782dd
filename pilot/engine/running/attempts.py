"""One attempt at one step: what is reused, what runs, and what is written about it."""

import asyncio
from datetime import datetime
from functools import partial
from typing import Any, cast

import structlog

from pilot.engine import steps
from pilot.engine.acting.history import Attempt, WaitRow
from pilot.engine.acting.outcomes import Enter, Outcome, Wait
from pilot.engine.expressions import Scope
from pilot.engine.language import conditions
from pilot.engine.language.step_fields import StepFields
from pilot.engine.running import answers, effects, guards, records, replaying, retries, simulation
from pilot.engine.running.run import Result, Run
from pilot.engine.status import StepStatus
from pilot.errors import ErrorClass, ExpressionError, StepError

log = structlog.get_logger()


def recall(run: Run, step: StepFields, path: str, scope: Scope) -> Result | None:
    """Return what is recorded of a step, or None if it has to run (on)."""
    latest = run.history.latest(path)
    if latest is None:
        return None
    match latest.status:
        case StepStatus.COMPLETED:
            return Result(StepStatus.COMPLETED, latest.output)
        case StepStatus.SKIPPED | StepStatus.UNKNOWN:
            return Result(latest.status)
        case StepStatus.WAITING:
            wait = run.history.waits.get(path)
            return None if wait is None or wait.resolved else Result(StepStatus.WAITING)
        case StepStatus.FAILED:
            return _recall_failed(run, step, path, scope, latest)
        case _:
            return None


def _recall_failed(
    run: Run, step: StepFields, path: str, scope: Scope, latest: Attempt
) -> Result | None:
    wait = run.history.waits.get(path)
    error = latest.error or {}
    if wait is not None:
        if wait.kind == "reconnect" and (wait.resolution or {}).get("fired"):
            return records.failed(run, step, scope, error)  # nobody mended it in time
        return None if wait.resolved else Result(StepStatus.WAITING, error=latest.error)
    if error.get("held"):
        return None
    if error.get("late"):  # the deadline passes before the next attempt
        return records.failed(run, step, scope, error)
    fault = StepError(ErrorClass(error.get("class", "internal")), "", sent=error.get("sent", True))
    if retries.may_retry(run, step, fault, run.history.failures(path), latest.effect):
        return None
    return records.failed(run, step, scope, error)


async def perform(run: Run, step: StepFields, path: str, scope: Scope) -> Result:
    """Run a leaf step: once, and again as its retry policy says."""
    scope = Scope(scope.roots, run.clock(path), scope.zone)
    try:
        if not _enabled(run, step, path, scope):
            return await records.skip(run, step, path, ["Its condition was false."])
        simulation.check(run, step)
    except (ExpressionError, StepError) as error:
        return await records.fail(run, step, path, scope, error)
    if getattr(steps.load(step.type), "IO", False):
        return await effects.perform(run, step, path, scope)
    return await _inline(run, step, path, scope)


def _enabled(run: Run, step: StepFields, path: str, scope: Scope) -> bool:
    """Evaluate execute_if, unless the step has begun already."""
    latest = run.history.latest(path)
    if step.execute_if is None or (latest and latest.status is not StepStatus.SUPERSEDED):
        return True
    condition = run.plan.compiled(
        step.id, "execute_if", lambda: conditions.compile_condition(step.execute_if)
    )
    return bool(condition.evaluate(scope))


async def _inline(run: Run, step: StepFields, path: str, scope: Scope) -> Result:
    module = steps.load(step.type)
    started = run.begins(scope)
    try:
        outcome = await _compute(run, step, path, scope)
        if isinstance(outcome, Wait) and run.replay is not None:
            outcome = await _replayed(run, step, path, outcome, started)
        while isinstance(outcome, Wait) and _is_short(outcome):
            await records.rest(run, outcome.delay_s or 0)
            if run.stop:
                return Result(StepStatus.PENDING)
            fired = WaitRow(path, "timer", started, resolved=True, resolution={"fired": True})
            outcome = module.resume(step, guards.context(run, path, scope), fired, run.now())
    except (ExpressionError, StepError) as error:
        return await records.fail(run, step, path, scope, error, started)
    except Exception as error:  # one of the three seams: a bug in a step type fails that step only
        log.exception("step_crashed", execution=str(run.held.id), path=path)
        fault = StepError(
            ErrorClass.INTERNAL, f"Pilot failed in this step ({type(error).__name__})."
        )
        return await records.fail(run, step, path, scope, fault, started)
    return await records.write_outcome(run, step, path, outcome, started)


async def _replayed(
    run: Run, step: StepFields, path: str, wait: Wait, started: datetime
) -> Outcome:
    """Return what a step that waits gave in the past; what is not known of it is waited for.

    Raises:
        StepError: it failed: nobody came in time, or somebody refused.
    """
    assert run.simulated is not None
    assert run.replay is not None
    if wait.kind == "child" or not hasattr(steps.load(step.type), "resume"):
        return wait
    known = run.replay.steps.get(path)
    if known is None or known.status not in {StepStatus.COMPLETED, StepStatus.FAILED}:
        return wait
    await records.write_outcome(run, step, path, wait, started)  # others look at what was asked
    run.history.waits.pop(path, None)
    run.simulated.awaited.pop(path, None)
    past = replaying.outcome(run.replay, path, step, run.held.owner_id)
    return wait if past is None else past


async def _compute(run: Run, step: StepFields, path: str, scope: Scope) -> Outcome:
    module = steps.load(step.type)
    wait = run.history.waits.get(path)
    around = guards.context(run, path, scope)
    work = partial(module.run, step, around)
    if wait is not None and wait.resolved:
        work = partial(module.resume, step, around, wait, run.now())
    if getattr(module, "OFF_LOOP", None) and module.OFF_LOOP(step, around):
        await run.settle_writes()  # what it does may be seen outside
        outcome = await asyncio.get_running_loop().run_in_executor(run.ports.pool, work)
    else:
        outcome = cast("Outcome", work())
    return outcome if wait is None else answers.remarked(outcome, wait)


def _is_short(wait: Wait) -> bool:
    return wait.kind == "timer" and wait.delay_s is not None and wait.delay_s < records.SHORT_WAIT_S


async def decide(
    run: Run, step: StepFields, path: str, scope: Scope, stored: dict[str, Any] | None
) -> Enter | Result:
    """Let a step decide what runs inside it, and store that before it starts."""
    scope = Scope(scope.roots, run.clock(path), scope.zone)
    started = run.begins(scope)
    try:
        if not _enabled(run, step, path, scope):
            return await records.skip(run, step, path, ["Its condition was false."])
        simulation.check(run, step)
        outcome = (
            Enter(stored)
            if stored
            else steps.load(step.type).run(step, guards.context(run, path, scope))
        )
    except (ExpressionError, StepError) as error:
        return await records.fail(run, step, path, scope, error, started)
    if not isinstance(outcome, Enter):
        return await records.write_outcome(run, step, path, outcome, started)
    outcome = Enter(simulation.steered(run, step, outcome.decided))
    row = records.attempt_row(
        run, step, path, StepStatus.RUNNING, started, input=records.as_json(outcome.decided)
    )
    await records.record(run, "decide", row, {"decided": outcome.decided}, None)
    return outcome
