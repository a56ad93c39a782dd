"""The rules of an action around its call: a person is asked first, it is counted, remarked on.

What is asked about (`Confirm`) are the resolved parameters, and what was approved is what runs. An
approval step that showed the same parameters counts: nobody is asked twice.
"""

from datetime import datetime
from typing import Any

from pilot import strictjson
from pilot.engine import steps
from pilot.engine.acting import actions, asking, rules
from pilot.engine.acting.history import Attempt
from pilot.engine.acting.outcomes import StepContext, Wait
from pilot.engine.approvals import excerpts
from pilot.engine.language.step_fields import SECONDS_PER_DAY, StepFields
from pilot.engine.running import guards, unpacking
from pilot.engine.running.checkpoints import AttemptRow
from pilot.engine.running.run import Run
from pilot.engine.status import StepStatus
from pilot.plugins import Action

ASKED = "approval"
TIMEOUT_S = 7.0 * SECONDS_PER_DAY


async def question(
    run: Run, step: StepFields, path: str, given: Any, context: StepContext
) -> Wait | None:
    """Return the approval that this call needs first, or None."""
    if step.type != "action":
        return None
    action = _action(step, context)
    asked = rules.questions(action, given, context)
    if not asked or guards.approved(run, step, path, given):
        return None
    shown = {"title": asked[0], "message": " ".join(asked[1:]) or None, "context": None}
    scope = await unpacking.with_cost(run, context.scope)
    shown |= excerpts.cost_so_far(scope.roots["execution"])
    guarded = {"step": step.id, "action": action.name, "params": given}
    approval = excerpts.asked(shown, [guarded]) | {
        "rule": "any",
        "k": None,
        "approvers": ["owner"],
        "self_approval": True,
        "require_comment": "never",
        "on_timeout": "reject",
        "timeout_s": asking.in_time([TIMEOUT_S], context)[0],
    }
    return Wait(ASKED, approval=approval)


def _action(step: StepFields, context: StepContext) -> Action:
    return actions.find(steps.load("action").title(step), context)


def count(step: StepFields, attempt: Attempt, context: StepContext) -> None:
    """Count a call against the limits of its action.

    Raises:
        StepError: a limit is reached; nothing has left.
    """
    if step.type == "action" and attempt.key is not None:
        rules.count(_action(step, context), attempt.input, attempt.key, context)


def remarks(step: StepFields, attempt: Attempt, context: StepContext) -> list[str]:
    """Return what the rules of an action note about a call that happened."""
    if step.type != "action":
        return []
    return rules.warnings(_action(step, context), attempt.input, context)


def is_answered(run: Run, step: StepFields, path: str) -> bool:
    """Whether the question of an action was decided, one way or the other."""
    wait = run.history.waits.get(path)
    return step.type == "action" and wait is not None and wait.kind == ASKED and wait.resolved


def confirmed(run: Run, path: str, given: Any, context: StepContext, now: datetime) -> Any:
    """Return the parameters that were approved; resolved again they may differ by the clock.

    Raises:
        StepError: refused (class rejected), or nobody may decide (class config).
    """
    approval = steps.load("human_approval")
    approval.resume(None, context, run.history.waits[path], now)
    latest = run.history.latest(path)
    assert latest is not None
    shown = latest.input["steps"][0]["params"]
    same = strictjson.canonical(shown) == strictjson.canonical(given)
    return given if same else shown


async def close(run: Run, step: StepFields, path: str, started: datetime) -> None:
    """End the attempt that asked: the next one acts. The wait stays until its intent is kept."""
    latest = run.history.latest(path)
    if latest is None or latest.status is not StepStatus.WAITING:
        return
    checkpoint = run.checkpoint("confirmed")
    checkpoint.attempts.append(
        AttemptRow(path, latest.attempt, step.type, StepStatus.SUPERSEDED, started)
    )
    told = {"status": str(StepStatus.SUPERSEDED), "attempt": latest.attempt}
    checkpoint.events.append(("step", path, told))
    await run.write(checkpoint)
    closed = Attempt(path, latest.attempt, StepStatus.SUPERSEDED, input=latest.input)
    run.history.add(closed)
