"""Steps that hold others: which of these run, how often, and what comes of them.

A container is recorded as running once it has decided what runs inside it, and as completed with
its output; in between, the steps inside tell how it stands.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from pilot.engine import steps
from pilot.engine.acting.outcomes import Enter
from pilot.engine.expressions import Scope
from pilot.engine.language.step_fields import Branch, StepFields
from pilot.engine.running import attempts, branches, guards, records, rounds, unpacking
from pilot.engine.running.run import Frame, Result, Run, RunBody, failure, last_output, worst
from pilot.engine.status import StepStatus
from pilot.engine.workflow.outline import AFTER
from pilot.errors import ExpressionError, StepError


async def perform(run: Run, step: StepFields, frame: Frame, go: RunBody) -> Result:
    """Run what a step decided on; the decision is stored before the first step inside starts."""
    path = frame.prefix + step.id
    latest = run.history.latest(path)
    decided = latest.input if latest is not None else None
    scope = await unpacking.scope_of(run, step, frame.scope)
    if decided is None or latest is None or latest.status is not StepStatus.RUNNING:
        outcome = await attempts.decide(run, step, path, scope, decided)
        if not isinstance(outcome, Enter):
            return outcome
        decided = outcome.decided
    inner = frame.inner(path, catches=records.failure_rule(run, step) != "fail")
    try:
        return await _inside(run, step, inner, _at(scope, decided), decided, go)
    except (ExpressionError, StepError) as error:
        return await records.fail(run, step, path, scope, error)


async def entered(run: Run, step: StepFields, frame: Frame) -> tuple[Frame, Scope, dict[str, Any]]:
    """Return what a batch needs of a scatter that was entered: its frame, scope and decision."""
    path = frame.prefix + step.id
    decided = run.history.decided(path)
    scope = await unpacking.scope_of(run, step, frame.scope)
    return frame.inner(path, catches=True), _at(scope, decided), decided


def _at(scope: Scope, decided: dict[str, Any]) -> Scope:
    """Return the scope as of the decision, so that a resume sees the same moment."""
    at = decided.get("at")
    return Scope(scope.roots, datetime.fromisoformat(at), scope.zone) if at else scope


async def _inside(
    run: Run, step: StepFields, inner: Frame, scope: Scope, decided: dict[str, Any], go: RunBody
) -> Result:
    module = steps.load(step.type)
    if hasattr(module, "REPEATS"):
        return await rounds.Rounds(run, step, inner, scope, decided, go).perform()
    if hasattr(step, "branches"):
        return await branches.perform(run, step, inner, go)
    return await _choice(run, step, inner, decided, go)


async def _choice(
    run: Run, step: StepFields, inner: Frame, decided: dict[str, Any], go: RunBody
) -> Result:
    """Run the one list of steps that was decided on."""
    module = steps.load(step.type)
    results = await go(run, module.body(step, decided), inner)
    child = worst(results)
    if child is not None and child.status is StepStatus.FAILED:
        raise failure(child)
    if child is not None:
        return Result(child.status)
    last = await unpacking.value(run, last_output(results))
    return await records.complete_container(run, step, inner.container, module.leave(decided, last))


def lists(
    run: Run, step: StepFields, path: str, frame: Frame
) -> Iterator[tuple[Frame, Sequence[StepFields]]]:
    """Yield frame and steps of each list inside a step that was begun."""
    if hasattr(steps.load(step.type), "BODIES") and run.history.decided(path) is not None:
        yield from _entered(run, step, path, frame)
    for segment in AFTER:
        answer = getattr(step, segment, None)
        if isinstance(answer, Branch):
            yield _answering(run, step, path, frame, segment), answer.branch


def _answering(run: Run, step: StepFields, path: str, frame: Frame, segment: str) -> Frame:
    """Return the frame of the steps that answered a failure: they read what it was."""
    inner = frame.inner(path, f"{segment}/")
    if failed := run.history.last_failure(path):
        inner.scope = frame.scope.child(error=answered(step, failed.error, failed.attempt))
    return inner


def answered(step: StepFields, error: dict[str, Any] | None, attempt: int) -> dict[str, Any]:
    """Return what steps that answer a failure read of it."""
    return (error or {}) | {"step": step.id, "attempt": attempt}


async def named_rounds(run: Run, step: StepFields, frame: Frame) -> Callable[[str], dict[str, Any]]:
    """Return how a round of a step names its item, by its path; no other list names one."""
    path, module = frame.prefix + step.id, steps.load(step.type)
    if not hasattr(module, "REPEATS") or run.history.decided(path) is None:
        return lambda _: {}
    try:
        _, scope, _ = await entered(run, step, frame)
        items = module.items(step, guards.context(run, path, scope))
    except (ExpressionError, StepError):  # they cannot be told any more
        items = None

    def named(container: str) -> dict[str, Any]:
        number = container.removeprefix(path).strip("[]")
        return rounds.named(step, items, int(number)) if number.isdecimal() else {}

    return named


def _entered(
    run: Run, step: StepFields, path: str, frame: Frame
) -> Iterator[tuple[Frame, Sequence[StepFields]]]:
    """Yield frame and steps of each list inside a container as far as its rows tell."""
    module = steps.load(step.type)
    inner = frame.inner(path)
    if hasattr(module, "REPEATS"):
        yield from rounds.entered(run, step, inner)
    elif hasattr(step, "branches"):
        yield from branches.entered(step, inner)
    else:
        yield inner, module.body(step, run.history.decided(path))
