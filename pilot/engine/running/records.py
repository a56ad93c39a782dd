"""What is written about steps: results, failures, waits; each in one commit with its events."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pilot import strictjson
from pilot.audit import Event
from pilot.engine.acting import blobs
from pilot.engine.acting.history import Attempt
from pilot.engine.acting.outcomes import Done, Outcome, Skip, Wait
from pilot.engine.expressions import Scope
from pilot.engine.language import references
from pilot.engine.language.step_fields import SECONDS_PER_DAY, Continue, StepFields
from pilot.engine.running import retries, simulation, unpacking
from pilot.engine.running.checkpoints import AttemptRow, Checkpoint
from pilot.engine.running.run import Result, Run
from pilot.engine.status import StepStatus
from pilot.errors import ExpressionError, Hold, StepError
from pilot.redaction import redact

SHORT_WAIT_S = 1.0  # shorter delays stay on the worker
AGAIN = Result(StepStatus.PENDING)  # by identity: the next attempt starts at once


def failure_rule(run: Run, step: StepFields) -> Any:
    """Return what a step does about its failure: "fail", "continue", an output or a branch."""
    return step.on_error or run.plan.workflow.defaults.on_error or "fail"


def failed(run: Run, step: StepFields, scope: Scope, error: dict[str, Any]) -> Result:
    """Return the result of a final failure: tolerated or not, with the output in its place."""
    rule = failure_rule(run, step)
    if isinstance(rule, Continue):
        try:
            output = references.compile_template(rule.tolerated.output).evaluate(scope)
        except ExpressionError:
            output = None
        return Result(StepStatus.FAILED, output, tolerated=True, error=error)
    return Result(StepStatus.FAILED, tolerated=rule == "continue", error=error)


async def skip(run: Run, step: StepFields, path: str, notes: list[str]) -> Result:
    """Record that a step does not run."""
    row = attempt_row(
        run, step, path, StepStatus.SKIPPED, run.now(), notes=as_json(notes), duration_ms=0
    )
    await record(run, "result", row, {"notes": notes}, Event.PILOT_STEP_EXECUTED)
    return Result(StepStatus.SKIPPED)


async def write_outcome(
    run: Run, step: StepFields, path: str, outcome: Outcome, started: datetime
) -> Result:
    """Record what an inline step gave back."""
    if isinstance(outcome, Skip):
        return await skip(run, step, path, outcome.notes)
    if isinstance(outcome, Wait):
        return await _park_step(run, step, path, outcome, started)
    assert isinstance(outcome, Done)
    return await _finish(run, step, path, outcome, started, keep=open_attempt(run, path))


async def complete_container(
    run: Run, step: StepFields, path: str, output: Any, notes: Iterable[str] = ()
) -> Result:
    """Record the output of a container whose body is finished."""
    latest = run.history.latest(path)
    return await _finish(run, step, path, Done(output, [*notes]), run.now(), keep=latest)


async def recovered(run: Run, step: StepFields, path: str, output: Any, note: str) -> Result:
    """Record that other steps took the place of a failed one."""
    return await _finish(run, step, path, Done(output, [note]), run.now())


async def fail(
    run: Run,
    step: StepFields,
    path: str,
    scope: Scope,
    error: ExpressionError | StepError,
    started: datetime | None = None,
) -> Result:
    """Record a failure; a repeatable one waits for its next attempt."""
    fault = as_fault(error)
    going_on = open_attempt(run, path)
    effect = going_on.effect if going_on else None
    facts = error_facts(fault)
    failures = run.history.failures(path) + 1
    hold = _held(run, fault)
    facts |= {"held": True} if hold else {}
    if hold is None and retries.may_retry(run, step, fault, failures, effect):
        hold = retries.hold(run, step, fault, failures)
        facts |= {} if hold else {"late": True}
    started = started or run.now()
    row = attempt_row(
        run,
        step,
        path,
        StepStatus.FAILED,
        started,
        keep=going_on,
        error=as_json(facts),
        duration_ms=run.ms_since(started),
    )
    parks = hold is not None and (hold.seconds or 0) >= SHORT_WAIT_S and not run.compensating
    await _write_failure(run, row, facts, hold, parks=parks)
    run.history.add(
        Attempt(
            path,
            row.attempt,
            StepStatus.FAILED,
            effect,
            row.key,
            row.rerun,
            going_on.input if going_on else None,
            error=facts,
        )
    )
    if hold is None:
        return failed(run, step, scope, facts)
    if parks:
        run.awaits(path, hold.kind)
        return Result(StepStatus.WAITING, error=facts)
    await rest(run, hold.seconds or 0)
    if run.stop:
        return Result(StepStatus.PENDING)
    return AGAIN


def _held(run: Run, fault: StepError) -> Hold | None:
    """Return what a step waits for that could not act through no fault of its own."""
    if fault.hold is None or fault.hold.seconds is not None:
        return fault.hold
    days = run.held.facts["settings"].get("plugin_reconnect_wait_days", 7)
    if run.compensating or not days:
        return None
    return replace(fault.hold, seconds=days * SECONDS_PER_DAY)


async def _write_failure(
    run: Run, row: AttemptRow, facts: dict[str, Any], hold: Hold | None, *, parks: bool
) -> None:
    path = row.path
    checkpoint = run.checkpoint("result")
    checkpoint.attempts.append(row)
    checkpoint.calls += run.calls_of(path)
    if path in run.history.waits:
        checkpoint.waits.append({"path": path, "consumed": True})
        del run.history.waits[path]
    status = "retrying" if hold else "failed"
    checkpoint.events.append(
        ("step", path, {"status": status, "attempt": row.attempt, "message": facts["message"]})
    )
    name = Event.PILOT_STEP_RETRIED if hold else Event.PILOT_STEP_FAILED
    checkpoint.audits.append((name, {"path": path, "attempt": row.attempt} | facts))
    if hold is not None and parks:
        wait = {"path": path, "kind": hold.kind, "delay_s": hold.seconds}
        checkpoint.waits.append(wait | ({"asked": hold.asked} if hold.asked else {}))
    await run.write(checkpoint)


def open_attempt(run: Run, path: str) -> Attempt | None:
    """Return the attempt that is going on: running or waiting."""
    latest = run.history.latest(path)
    going_on = {StepStatus.RUNNING, StepStatus.WAITING}
    return latest if latest is not None and latest.status in going_on else None


async def _finish(
    run: Run,
    step: StepFields,
    path: str,
    done: Done,
    started: datetime,
    *,
    keep: Attempt | None = None,
) -> Result:
    try:
        packed = blobs.pack(done.output)
    except StepError as error:
        scope = await unpacking.scope_of(run, step, run.scope)
        return await fail(run, step, path, scope, error, started)
    elapsed_ms = run.ms_since(started)
    row = attempt_row(
        run,
        step,
        path,
        StepStatus.COMPLETED,
        started,
        keep=keep,
        output=packed.text,
        blob=packed.sha256,
        notes=as_json(done.notes) if done.notes else None,
        duration_ms=elapsed_ms,
        cache_key=keep.cache_key if keep else None,
    )
    await record(
        run,
        "result",
        row,
        {"duration_ms": elapsed_ms},
        Event.PILOT_STEP_COMPENSATED if run.compensating else Event.PILOT_STEP_EXECUTED,
        consumed=path in run.history.waits,
        packed=packed,
    )
    return Result(StepStatus.COMPLETED, packed.kept)


async def _park_step(
    run: Run, step: StepFields, path: str, wait: Wait, started: datetime
) -> Result:
    checkpoint = run.checkpoint("wait")
    shown = as_json(wait.asked) if wait.kind == "child" else (wait.approval or {}).get("payload")
    if run.simulated is not None and wait.kind != "child":
        return await _await_simulated(run, step, path, wait, started)
    row = attempt_row(run, step, path, StepStatus.WAITING, started, input=shown)
    checkpoint.attempts.append(row)
    opened: dict[str, Any] = {
        "path": path,
        "kind": wait.kind,
        "delay_s": wait.delay_s,
        "approval": wait.approval,
        "event": wait.event,
        "asked": wait.asked,
    }
    if wait.wake_at is not None:
        opened["wake_at"] = wait.wake_at.isoformat()
    checkpoint.waits.append(opened)
    checkpoint.events.append(("step", path, {"status": "waiting", "kind": wait.kind}))
    if wait.approval is not None:
        facts = {"path": path, "title": wait.approval["title"], "rule": wait.approval["rule"]}
        asked = Event.FORM_REQUESTED if wait.kind == "form" else Event.APPROVAL_REQUESTED
        checkpoint.audits.append((asked, facts))
    await run.write(checkpoint)
    run.history.add(Attempt(path, row.attempt, StepStatus.WAITING))
    run.awaits(path, wait.kind)
    return Result(StepStatus.WAITING)


async def _await_simulated(
    run: Run, step: StepFields, path: str, wait: Wait, started: datetime
) -> Result:
    """Write that a step of a simulated execution waits: no row tells anybody that it does."""
    keep = open_attempt(run, path)
    kept = await simulation.wait_for(run, step, path, wait)
    shown = (wait.approval or {}).get("payload")
    given = strictjson.loads(shown) | kept if shown else kept
    row = attempt_row(run, step, path, StepStatus.WAITING, started, keep=keep, input=as_json(given))
    checkpoint = run.checkpoint("wait")
    checkpoint.attempts.append(row)
    checkpoint.events.append(("step", path, {"status": "waiting", "kind": wait.kind}))
    await run.write(checkpoint)
    run.history.add(Attempt(path, row.attempt, StepStatus.WAITING, input=given))
    return Result(StepStatus.WAITING)


def as_fault(error: ExpressionError | StepError) -> StepError:
    """Return an error of an expression as one of its step."""
    if isinstance(error, StepError):
        return error
    return StepError(error.error_class, error.message)


def error_facts(error: ExpressionError | StepError) -> dict[str, Any]:
    """Return what is stored of a failure."""
    fault = as_fault(error)
    return {
        "class": str(fault.error_class),
        "message": redact(fault.message),
        "code": fault.remote_code,
        "sent": fault.sent,
    }


async def cancel_waits(run: Run, path: str) -> None:
    """Close what is waited for inside a container that does not wait for it any more."""
    waiting = [one for one, found in run.within(path) if found.status is StepStatus.WAITING]
    if not waiting:
        return
    checkpoint = run.checkpoint("result")
    close_waits(run, checkpoint, waiting)
    await run.write(checkpoint)
    for one in waiting:
        run.results[one] = Result(StepStatus.CANCELLED)
        run.history.waits.pop(one, None)


def close_waits(run: Run, checkpoint: Checkpoint, paths: Iterable[str]) -> None:
    """Write that what is waited for at these paths is cancelled."""
    for path in paths:
        checkpoint.waits.append({"path": path, "consumed": True})
        latest = run.history.latest(path)
        if latest is not None and latest.status is StepStatus.WAITING:
            _cancel(run, checkpoint, latest)


def close_containers(run: Run, checkpoint: Checkpoint) -> None:
    """Write that the steps which hold others, and were not finished, are cancelled."""
    for path in list(run.history.attempts):
        latest = run.history.latest(path)
        if latest is not None and latest.status is StepStatus.RUNNING:
            _cancel(run, checkpoint, latest)


def _cancel(run: Run, checkpoint: Checkpoint, latest: Attempt) -> None:
    step = run.plan.step(latest.path.rpartition("/")[2])
    if step is None:
        return
    row = attempt_row(run, step, latest.path, StepStatus.CANCELLED, run.now(), keep=latest)
    checkpoint.attempts.append(row)
    seen = {"status": str(StepStatus.CANCELLED), "attempt": row.attempt}
    checkpoint.events.append(("step", latest.path, seen))


def attempt_row(
    run: Run,
    step: StepFields,
    path: str,
    status: StepStatus,
    started: datetime,
    *,
    keep: Attempt | None = None,
    **texts: Any,
) -> AttemptRow:
    """Make the row of an attempt: of the one that goes on, or of the next."""
    number = keep.attempt if keep else run.history.next_number(path)
    key: UUID | None = keep.key if keep else None
    return AttemptRow(
        path,
        number,
        step.type,
        status,
        started,
        effect=keep.effect if keep else None,
        key=key,
        rerun=keep.rerun if keep else 0,
        **texts,
    )


async def record(  # noqa: PLR0913 -- a row and what is told about it
    run: Run,
    name: str,
    row: AttemptRow,
    facts: dict[str, Any],
    event: Event | None,
    *,
    consumed: bool = False,
    packed: blobs.Packed | None = None,
) -> None:
    """Commit one attempt's row with its timeline line, its audit record and its consumed wait.

    What had no intent had no effect: the next step need not wait until it is durable.
    """
    checkpoint: Checkpoint = run.checkpoint(name)
    checkpoint.attempts.append(row)
    if packed is not None and packed.content is not None:
        checkpoint.contents.append(packed.content)
    checkpoint.calls += run.calls_of(row.path)
    if consumed:
        checkpoint.waits.append({"path": row.path, "consumed": True})
    status = {"status": str(row.status), "attempt": row.attempt}
    checkpoint.events.append(("step", row.path, status | facts))
    if event is not None:
        checkpoint.audits.append((event, {"path": row.path} | status | facts))
    if row.effect is None and not checkpoint.calls:
        await run.write_soon(checkpoint)
    else:
        await run.write(checkpoint)
    run.history.waits.pop(row.path, None) if consumed else None
    latest = run.history.latest(row.path)
    kept = latest.input if latest is not None and latest.attempt == row.attempt else None
    given = facts.get("decided", kept)
    output = packed.kept if packed is not None else None
    run.history.add(
        Attempt(row.path, row.attempt, row.status, row.effect, row.key, row.rerun, given, output)
    )


async def rest(run: Run, seconds: float) -> None:
    """Sleep, or wake early when the run has to stop."""
    try:
        async with asyncio.timeout(seconds):
            await run.stopped.wait()
    except TimeoutError:
        return


def as_json(value: Any) -> str:
    """Return a value as JSON."""
    return strictjson.dumps(value)
