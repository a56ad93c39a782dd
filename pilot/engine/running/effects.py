"""Steps that do I/O: intent, effect, result. Never silently twice.

The intent commits the resolved input and the idempotency key before anything leaves; recovery and
retries take both from that row, so the key and the effect agree.
"""

import asyncio
import hashlib
from datetime import datetime
from typing import Any, cast
from uuid import uuid5

import structlog

from pilot import strictjson
from pilot.audit import Event
from pilot.engine import outages, steps
from pilot.engine.acting.history import Attempt
from pilot.engine.acting.outcomes import Done, StepContext, Wait, Work
from pilot.engine.expressions import Scope
from pilot.engine.language.step_fields import StepFields
from pilot.engine.running import caching, confirmations, guards, records, simulation
from pilot.engine.running.checkpoints import AttemptRow
from pilot.engine.running.run import Result, Run
from pilot.engine.status import StepStatus
from pilot.errors import (
    BudgetError,
    ErrorClass,
    ExpressionError,
    FencedError,
    OutcomeUnknownError,
    StepError,
)
from pilot.failpoints import failpoint

log = structlog.get_logger()

ABANDONING = frozenset({"cancel", "stop", "late"})  # what runs is not waited for
AMBIGUOUS = frozenset({ErrorClass.TIMEOUT, ErrorClass.NETWORK, ErrorClass.SERVER})


async def perform(
    run: Run, step: StepFields, path: str, scope: Scope, work: Work | None = None
) -> Result:
    """Make attempts at a step with I/O until it is finished, waits longer or has to stop.

    `work` is what an attempt does, if it is not what the step's type does.
    """
    doing = work or cast("Work", steps.load(step.type))
    if run.simulated is not None:
        doing = simulation.Faked(doing, run.plan.step(step.id) or step, run.replay)
    while (result := await _attempt_once(run, step, path, scope, doing)) is records.AGAIN:
        continue
    return result


async def _attempt_once(run: Run, step: StepFields, path: str, scope: Scope, work: Work) -> Result:
    started = run.now() if run.history.latest(path) is not None else run.begins(scope)
    around = guards.context(run, path, scope)
    if guards.refused(run, step, path):
        return await records.skip(run, step, path, ["Its approval was refused."])
    begun = _begun(run.history.latest(path))
    try:
        given, effect, question = await _settled(run, step, path, around, work, started)
    except (ExpressionError, StepError) as error:
        return await records.fail(run, step, path, scope, error, started)
    if isinstance(given, Done):  # nothing to do: an empty input, for example
        return await records.write_outcome(run, step, path, given, started)
    stays = await guards.void_if_changed(run, step, path, scope, given)
    if stays is None and question is not None:
        stays = await records.write_outcome(run, step, path, question, started)
    if stays is not None:
        return stays
    await confirmations.close(run, step, path, started)
    attempt = _attempt(run, path, begun, given, effect)
    return await _act(run, step, attempt, started, scope, work)


async def _act(
    run: Run, step: StepFields, attempt: Attempt, started: datetime, scope: Scope, work: Work
) -> Result:
    """Take an earlier result if the step may, else intend, act and record."""
    around = guards.context(run, attempt.path, scope)
    try:
        attempt, hit = await caching.find(run, step, attempt, around)
    except StepError as error:
        return await records.fail(run, step, attempt.path, scope, error, started)
    if hit is not None:
        return await caching.take(run, step, attempt.path, hit)
    if not await _intend(run, step, attempt, started):
        return Result(StepStatus.PENDING)
    return await _effect_and_result(run, step, attempt, started, scope, work)


async def _settled(
    run: Run, step: StepFields, path: str, around: StepContext, work: Work, started: datetime
) -> tuple[Any, str, Wait | None]:
    """Return what the attempt is given, its effect class, and what a person is asked first."""
    begun = _begun(run.history.latest(path))
    if begun is not None:
        return begun.input, begun.effect or work.effect(step, around, begun.input), None
    given = work.resolve(step, around)
    if step.type == "action" and (amended := guards.amended(run, step, path, given)) != given:
        given = cast("Any", work).accept(step, amended, around)
    if confirmations.is_answered(run, step, path):
        given = confirmations.confirmed(run, path, given, around, started)
        return given, work.effect(step, around, given), None
    effect = work.effect(step, around, given)
    if run.compensating:  # what it undoes was confirmed, and nobody may be waited for
        return given, effect, None
    return given, effect, await confirmations.question(run, step, path, given, around)


def _begun(latest: Attempt | None) -> Attempt | None:
    """Return the attempt whose input and key are taken over: interrupted, failed or run again.

    Not one that only asked a person: it has no effect class yet.
    """
    acted = latest is not None and latest.effect is not None and latest.input is not None
    return latest if acted else None


def _attempt(run: Run, path: str, begun: Attempt | None, given: Any, effect: str) -> Attempt:
    digest = hashlib.sha256(strictjson.canonical(given).encode()).hexdigest()
    rerun = begun.rerun if begun else run.history.reruns(path)
    key = begun.key if begun and begun.key else uuid5(run.held.id, f"{path}|{rerun}|{digest}")
    number = run.history.next_number(path)
    return Attempt(path, number, StepStatus.RUNNING, effect, key, rerun, given)


async def _intend(run: Run, step: StepFields, attempt: Attempt, started: datetime) -> bool:
    """Commit the intent. False: a stop was asked meanwhile, and nothing has left."""
    checkpoint = run.checkpoint("intent")
    checkpoint.attempts.append(_row(step, attempt, started))
    facts = {"status": "running", "attempt": attempt.attempt}
    checkpoint.events.append(("step", attempt.path, facts))
    if attempt.path in run.history.waits:
        checkpoint.waits.append({"path": attempt.path, "consumed": True})
        del run.history.waits[attempt.path]
    await run.write(checkpoint)
    run.history.add(attempt)
    if run.stop is None:
        return True
    await _interrupt(run, step, attempt, started)
    return False


async def _interrupt(run: Run, step: StepFields, attempt: Attempt, started: datetime) -> None:
    ended = run.calls_of(attempt.path)
    if ended:  # before the attempt ends: what is still open then counts as lost
        settling = run.checkpoint("call")
        settling.calls += ended
        await run.write(settling)
    checkpoint = run.checkpoint("interrupt")
    checkpoint.attempts.append(_ended(run, step, attempt, started, StepStatus.INTERRUPTED))
    facts = {"status": "interrupted", "attempt": attempt.attempt}
    checkpoint.events.append(("step", attempt.path, facts))
    await run.write(checkpoint)
    run.history.add(_with(attempt, StepStatus.INTERRUPTED))


async def _effect_and_result(
    run: Run, step: StepFields, attempt: Attempt, started: datetime, scope: Scope, work: Work
) -> Result:
    around = guards.context(run, attempt.path, scope)
    timeout_s = step.timeout_s or run.plan.workflow.defaults.timeout_s or work.TIMEOUT_S
    again = _was_interrupted(run, attempt)

    def act() -> Any:
        if run.simulated is None:
            with outages.held():
                confirmations.count(step, attempt, around)
        remarks = confirmations.remarks(step, attempt, around)  # a bad rule fails before the effect
        failpoint("effect.before")
        if not run.ports.may_act():  # this worker may have been declared dead
            run.loop.call_soon_threadsafe(run.ask_to_stop, "drain")
            return _LAPSED
        done = _done(work.perform(step, around, attempt, timeout_s, again))
        failpoint("effect.after")
        done.notes.extend(remarks)
        return done

    future = asyncio.get_running_loop().run_in_executor(run.ports.pool, act)
    try:
        output = await _await(run, future, timeout_s, attempt)
    except BudgetError as error:
        if _fails_for_it(run, error):
            return await records.fail(run, step, attempt.path, scope, error, started)
        output = _LAPSED
    except (StepError, ExpressionError) as error:
        return await _failed(run, step, attempt, started, scope, error)
    except FencedError:
        raise
    except Exception as error:  # one of the three seams: a bug in a plugin fails that step only
        log.exception("step_crashed", execution=str(run.held.id), path=attempt.path)
        text = f"The action failed inside ({type(error).__name__}); see the worker's log."
        fault = StepError(ErrorClass.INTERNAL, text)
        return await _failed(run, step, attempt, started, scope, fault)
    if output is _ABANDONED or output is _LAPSED:
        await _interrupt(run, step, attempt, started)
        return Result(StepStatus.PENDING)
    return await records.write_outcome(run, step, attempt.path, output, started)


def _fails_for_it(run: Run, error: BudgetError) -> bool:
    """Whether a step fails that its budget refused a call; else it, or all, has to wait."""
    if error.passing:  # it was to stop while it waited for others
        return False
    if run.on_limit == "fail":
        return True
    run.refused = error.facts | {"message": error.message}
    run.ask_to_stop("budget")
    return False


_ABANDONED = object()  # cancelled on its way
_LAPSED = object()  # nothing of it has happened: it has to wait


def _done(output: Any) -> Done:
    return output if isinstance(output, Done) else Done(output)


async def _await(run: Run, future: asyncio.Future[Any], timeout_s: float, attempt: Attempt) -> Any:
    """Wait for an effect, to its timeout; an end of all abandons it at once, but not a `once`."""
    end = run.loop.time() + timeout_s
    cancelled = asyncio.ensure_future(_cancelled(run))
    waits: list[asyncio.Future[Any]] = [future]
    if attempt.effect != "once":
        waits.append(cancelled)
    try:
        done: set[asyncio.Future[Any]] = set()
        while not done and (left_s := end + run.waited_s(attempt.path) - run.loop.time()) > 0:
            done, _ = await asyncio.wait(waits, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        cancelled.cancel()
    if future.done():
        return future.result()
    future.cancel()  # if no thread has begun it, it never leaves
    if run.stop in ABANDONING:
        return _ABANDONED
    raise StepError(ErrorClass.TIMEOUT, f"No answer within {timeout_s:g} s.")


async def _cancelled(run: Run) -> None:
    while run.stop not in ABANDONING:
        run.stopped.clear()
        await run.stopped.wait()


async def _failed(
    run: Run,
    step: StepFields,
    attempt: Attempt,
    started: datetime,
    scope: Scope,
    error: StepError | ExpressionError,
) -> Result:
    """Record a failure; of a `once` effect that may have happened, that nobody knows."""
    ambiguous = isinstance(error, StepError) and error.sent and error.error_class in AMBIGUOUS
    unknown = isinstance(error, OutcomeUnknownError) or (ambiguous and attempt.effect == "once")
    if not unknown:
        return await records.fail(run, step, attempt.path, scope, error, started)
    facts = records.error_facts(error) if isinstance(error, StepError) else {}
    checkpoint = run.checkpoint("result")
    checkpoint.attempts.append(
        _ended(run, step, attempt, started, StepStatus.UNKNOWN, error=strictjson.dumps(facts))
    )
    seen = {"status": "unknown", "attempt": attempt.attempt}
    checkpoint.events.append(("step", attempt.path, seen))
    details = {"path": attempt.path, "attempt": attempt.attempt} | facts
    checkpoint.audits.append((Event.PILOT_OUTCOME_UNKNOWN, details))
    await run.write(checkpoint)
    run.history.add(_with(attempt, StepStatus.UNKNOWN))
    return Result(StepStatus.UNKNOWN, error=facts)


def _was_interrupted(run: Run, attempt: Attempt) -> bool:
    """Whether an earlier attempt with this key may have had its effect already."""
    earlier = run.history.attempts.get(attempt.path, [])
    return any(
        one.key == attempt.key
        and one.attempt != attempt.attempt
        and (one.error or {}).get("sent", True)  # else it provably never left
        for one in earlier
    )


def _with(attempt: Attempt, status: StepStatus) -> Attempt:
    return Attempt(
        attempt.path,
        attempt.attempt,
        status,
        attempt.effect,
        attempt.key,
        attempt.rerun,
        attempt.input,
    )


def _row(step: StepFields, attempt: Attempt, started: datetime) -> AttemptRow:
    return AttemptRow(
        attempt.path,
        attempt.attempt,
        step.type,
        attempt.status,
        started,
        effect=attempt.effect,
        key=attempt.key,
        rerun=attempt.rerun,
        input=strictjson.dumps(attempt.input),
    )


def _ended(
    run: Run,
    step: StepFields,
    attempt: Attempt,
    started: datetime,
    status: StepStatus,
    error: str | None = None,
) -> AttemptRow:
    row = _row(step, attempt, started)
    return row._replace(status=status, error=error, duration_ms=run.ms_since(started))
