"""The one way to run an execution: interprets its document from the rows, step by step.

A run reads the history once, does what is ready, and ends when nothing is: finished, parked on a
wait, paused, or fenced off by another worker. Resuming is the same call.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pilot.engine import steps
from pilot.engine.acting.history import Batch
from pilot.engine.expressions import Scope
from pilot.engine.language.step_fields import Branch, StepFields
from pilot.engine.running import (
    addresses,
    attempts,
    batches,
    containers,
    decisions,
    finish,
    guards,
    records,
    row_calls,
    simulation,
    unpacking,
)
from pilot.engine.running.run import DONE, Frame, Result, Run, last_output, worst
from pilot.engine.status import StepStatus
from pilot.engine.workflow.outline import ON_ERROR, ON_TIMEOUT
from pilot.errors import ErrorClass

WAITING = StepStatus.WAITING


async def run(execution: Run) -> bool:
    """Run an execution as far as it can go now, and write how it stands then.

    Returns False when a wait was resolved, or a cancel asked, while it was parking or pausing: it
    has to be claimed again.

    Raises:
        FencedError: another worker owns it; nothing more was written.
    """
    facts = execution.held.facts
    if facts["mode"] == simulation.MODE:
        await simulation.begin(execution)
    if facts["cancel"]:
        execution.ask_to_stop("cancel")
    elif datetime.fromisoformat(facts["deadline_at"]) <= execution.held.moment:
        execution.ask_to_stop("late")
    elif facts["compensating"]:
        execution.top.fail()  # it has failed: only undoing what was finished goes on
    elif facts["pause"]:
        execution.ask_to_stop("pause")
    elif facts["disabled"] and execution.simulated is None:
        execution.ask_to_stop("pilot_disabled")
    if execution.held.batch is not None:
        return await _batch(execution, execution.held.batch)
    await _body(execution, execution.plan.workflow.steps, execution.top)
    while simulation.goes_on(execution):
        await _body(execution, execution.plan.workflow.steps, execution.top)
    return await finish.settle(execution)


async def _batch(run: Run, batch: Batch) -> bool:
    """Run the items of a batch; what is recorded around them they may read."""
    found = await _reach(run, run.plan.workflow.steps, run.top, batch.path)
    assert found is not None, batch.path
    run.links.clear()  # those of steps around it were stored with the execution
    return await batches.perform(run, batch, *found, _body)


async def _reach(
    run: Run, body: Sequence[StepFields], frame: Frame, path: str
) -> tuple[StepFields, Frame] | None:
    """Note what is recorded around a step; returns it with the list that it stands in."""
    addresses.offer(run, body, frame)
    found = None
    for step in body:
        here = frame.prefix + step.id
        if here == path:
            found = step, frame
        elif path.startswith(f"{here}/"):
            for inner, inside in containers.lists(run, step, here, frame):
                found = await _reach(run, inside, inner, path) or found
        else:
            known = await _recalled(run, step, here, frame.scope)
            if known is not None and known.terminal:
                await _revisit(run, step, frame)
                run.note(step, frame, known)
    return found


async def _body(run: Run, body: Sequence[StepFields], frame: Frame) -> list[Result]:
    """Run what is ready in a list of steps until nothing is; returns their results in order.

    Ready steps start in list order. A step is ready when all it depends on is terminal; it is
    skipped when all of that was skipped.
    """
    addresses.offer(run, body, frame)
    needs = run.plan.dependencies(body)
    found: dict[str, Result] = {}
    running: dict[asyncio.Task[Result], StepFields] = {}
    while True:
        for step in _woken(run, body, frame, found):
            del found[step.id]
        ready = [
            step
            for step in body
            if step.id not in found
            and step not in running.values()
            and all(one in found and found[one].terminal for one in needs[step.id])
        ]
        waits = any(one.status is WAITING for one in found.values())
        if len(ready) == 1 and not running and not waits:  # the common chain needs no task
            gone = _gone(needs, ready[0], found)
            found[ready[0].id] = await _step(run, ready[0], frame, gone)
            continue
        for step in ready:
            gone = _gone(needs, step, found)
            task = asyncio.ensure_future(_step(run, step, frame, gone))
            running[task] = step
        if not running:
            return [found.get(step.id, Result(StepStatus.PENDING)) for step in body]
        first = asyncio.FIRST_COMPLETED
        await asyncio.wait({*running, *([run.waking.rung] if waits else ())}, return_when=first)
        for task in [one for one in running if one.done()]:
            found[running.pop(task).id] = task.result()


def _woken(
    run: Run, body: Sequence[StepFields], frame: Frame, found: dict[str, Result]
) -> list[StepFields]:
    """Return what waited, and goes on now: something came for it, or inside it."""
    if not run.waking.came or run.stop or frame.stopped:
        return []
    waiting = [one for one in body if one.id in found and found[one.id].status is WAITING]
    return [one for one in waiting if run.waking.take(frame.prefix + one.id)]


def _gone(needs: dict[str, frozenset[str]], step: StepFields, found: dict[str, Result]) -> bool:
    """Whether everything that the step depends on was skipped."""
    needed = needs[step.id]
    return bool(needed) and all(found[one].status is StepStatus.SKIPPED for one in needed)


async def _step(run: Run, step: StepFields, frame: Frame, gone: bool) -> Result:  # noqa: FBT001
    """Bring one step as far as it goes now: recorded results are reused, never run again."""
    path = frame.prefix + step.id
    result = await _recalled(run, step, path, frame.scope)
    if result is not None and result.terminal:
        await _revisit(run, step, frame)
    if result is None:
        if run.stop or frame.stopped:
            result = Result(StepStatus.PENDING)
        else:
            result = await _fresh(run, step, frame, gone=gone)
    if result.status is StepStatus.FAILED:
        result = await _recover(run, step, frame, result)
    ends = hasattr(steps.load(step.type), "ENDS") and result.status is StepStatus.COMPLETED
    if ends and not run.history.recovered(path):
        run.end(result.output)
    if result.terminal:
        result = run.closed(path, result)
    elif result.status is StepStatus.FAILED and run.plan.workflow.policies.on_error == "stop":
        frame.fail()
    run.note(step, frame, result)
    return result


async def _recalled(run: Run, step: StepFields, path: str, scope: Scope) -> Result | None:
    """Return what is recorded of a step, or None; a tolerated failure's output is made anew."""
    latest = run.history.latest(path)
    if latest is not None and latest.status is StepStatus.FAILED:
        scope = await unpacking.scope_of(run, step, scope)
    found = attempts.recall(run, step, path, scope)
    if found is not None and row_calls.is_batched(step) and row_calls.failed_rows(run, path):
        return replace(found, tolerated=found.tolerated or found.status in DONE)
    return found


async def _fresh(run: Run, step: StepFields, frame: Frame, *, gone: bool) -> Result:
    path = frame.prefix + step.id
    if gone:
        return await records.skip(run, step, path, ["Everything it depends on was skipped."])
    module = steps.load(step.type)
    if hasattr(module, "BODIES"):
        return await containers.perform(run, step, frame, _body)
    async with frame.slots:
        if run.stop or frame.stopped:
            return Result(StepStatus.PENDING)
        run.acting += 1
        try:
            scope = await unpacking.scope_of(run, step, frame.scope)
            if hasattr(module, "TURNS"):
                return await decisions.perform(run, step, frame, scope)
            if row_calls.is_batched(step):
                return await row_calls.perform(run, step, frame, scope)
            return await attempts.perform(run, step, path, scope)
        finally:
            run.acting -= 1


async def _recover(run: Run, step: StepFields, frame: Frame, result: Result) -> Result:
    """Run the steps that answer a failure; after an error the last output becomes the step's."""
    segment, answer = _answer(step, result)
    if answer is None or run.stop:
        return result
    path = frame.prefix + step.id
    inner = frame.inner(path, f"{segment}/")
    attempt = run.history.next_number(path) - 1
    inner.scope = frame.scope.child(error=containers.answered(step, result.error, attempt))
    results = await _body(run, answer.branch, inner)
    child = worst(results)
    if child is not None:
        return (
            replace(result, error=child.error or result.error)
            if (child.status is StepStatus.FAILED)
            else Result(child.status)
        )
    if segment == ON_TIMEOUT:
        output = steps.load(step.type).late(step, guards.context(run, path, frame.scope))
        return await records.recovered(run, step, path, output, "Nothing came in time.")
    output = last_output(results)
    return await records.recovered(run, step, path, output, "Recovered by its error branch.")


def _answer(step: StepFields, result: Result) -> tuple[str, Branch | None]:
    """Return segment and steps of what answers a failure: that nothing came in time, or any."""
    late = getattr(step, ON_TIMEOUT, None)
    if isinstance(late, Branch) and (result.error or {}).get("class") == ErrorClass.EXPIRED:
        return ON_TIMEOUT, late
    if isinstance(step.on_error, Branch) and not result.tolerated:
        return ON_ERROR, step.on_error
    return ON_ERROR, None


async def _revisit(run: Run, step: StepFields, frame: Frame) -> None:
    """Note what is recorded inside a finished step: others may read it."""
    path = frame.prefix + step.id
    for inner, body in containers.lists(run, step, path, frame):
        for one in body:
            known = await _recalled(run, one, inner.prefix + one.id, inner.scope)
            if known is None:
                continue
            if inner.tolerates and known.status is StepStatus.FAILED:
                known = replace(known, tolerated=True)
            if known.terminal:
                await _revisit(run, one, inner)
                run.note(one, inner, run.closed(inner.prefix + one.id, known))
