"""Approvals and the steps that they guard: what is shown, and what voids an approval."""

from typing import Any

from pilot import strictjson
from pilot.audit import Event
from pilot.engine import steps
from pilot.engine.acting import blobs
from pilot.engine.acting.history import Attempt
from pilot.engine.acting.outcomes import StepContext
from pilot.engine.expressions import Scope
from pilot.engine.language.references import compile_template
from pilot.engine.language.step_fields import StepFields
from pilot.engine.running import records, unpacking
from pilot.engine.running.checkpoints import AttemptRow
from pilot.engine.running.run import Result, Run
from pilot.engine.status import StepStatus
from pilot.errors import ExpressionError, StepError


def context(run: Run, path: str, scope: Scope) -> StepContext:
    """Return what a step type may read."""
    latest = run.history.latest(path)
    return StepContext(
        scope=scope,
        path=path,
        owner_id=run.held.owner_id,
        execution=run.held.facts,
        resources=run.ports.resources,
        cache=run.plan.cache,
        render_guarded=lambda step_id: _render_guarded(run, step_id, path, scope),
        gate=lambda chain: run.booking(path, chain),
        demo=bool(run.held.facts.get("demo")) and not (run.replay and run.replay.model),
        on_limit=run.on_limit,
        html_steps=run.plan.html_steps(),
        rerun=run.history.reruns(path),
        superseded=latest is not None and latest.status is StepStatus.SUPERSEDED,
    )


def _render_guarded(run: Run, step_id: str, path: str, scope: Scope) -> list[dict[str, Any]]:
    """Return what the steps that an approval guards would do: their resolved parameters.

    What cannot be resolved yet is shown as it is written; the approval is void, and asked anew,
    once it can.
    """
    shown = []
    around = path.removesuffix(step_id)
    for step in _guarded(run, step_id):
        module = steps.load(step.type)
        try:
            given = module.resolve(step, context(run, around + step.id, scope))
            shown.append({"step": step.id, "action": module.title(step), "params": given})
        except (ExpressionError, StepError) as error:
            shown.append(
                {
                    "step": step.id,
                    "action": module.title(step),
                    "params": None,
                    "open": error.message,
                }
            )
    return shown


def _guarded(run: Run, step_id: str) -> list[Any]:
    """Return the actions that an approval guards: named ones, or its direct dependents.

    Those that read its output react to the decision; they are not what was decided about.
    """
    approval = run.plan.step(step_id)
    named = getattr(approval, "guards", None)
    if named is not None:
        found = [run.plan.step(name) for name in named]
    else:
        needs = run.plan.dependencies(run.plan.body_of(step_id))
        dependents = [name for name, needed in needs.items() if step_id in needed]
        found = [run.plan.step(name) for name in dependents]
        found = [one for one in found if one is not None and not _reads(one, step_id)]
    return [step for step in found if step is not None and step.type == "action"]


def _reads(step: StepFields, step_id: str) -> bool:
    params = getattr(step, "params", None)
    return params is not None and any(
        path[:2] == ("steps", step_id) for path in compile_template(params).reads
    )


def _answers(run: Run, step: StepFields, path: str) -> list[tuple[str, StepFields, Attempt]]:
    """Return the approvals that guard a step and were asked for, with their newest attempts.

    One that was asked in a round of a loop holds for that round.
    """
    found = []
    for asked, approval_id in run.plan.approvals(run.history.attempts):
        same_round = path.startswith(asked[: asked.rfind("]") + 1])
        approval = run.plan.step(approval_id)
        if same_round and approval is not None and step in _guarded(run, approval_id):
            found.append((asked, approval, run.history.attempts[asked][-1]))
    return found


def _showed(run: Run, latest: Attempt, step: StepFields, given: Any) -> bool:
    """Whether an approval that was given showed these parameters, as approvers left them."""
    shown = _shown(latest, step)
    if shown is not None:
        shown = shown | _changed(run, latest, step)
    return strictjson.canonical(shown) == strictjson.canonical(given)


def _shown(latest: Attempt, step: StepFields) -> Any:
    """Return the parameters of a step as an approval asked about them."""
    shown = {one["step"]: one["params"] for one in (latest.input or {}).get("steps", [])}
    return shown.get(step.id)


def _changed(run: Run, latest: Attempt, step: StepFields) -> dict[str, Any]:
    """Return the parameters of a step that approvers changed before they approved."""
    output = latest.output
    if isinstance(output, blobs.Blob):  # of very long comments
        output = blobs.load(run.held.owner_id, output)
    values = (output or {}).get("values") or {}
    own = f"{step.id}."
    return {name.removeprefix(own): one for name, one in values.items() if name.startswith(own)}


def amended(run: Run, step: StepFields, path: str, given: Any) -> Any:
    """Return the parameters as they were approved: with what approvers changed in them."""
    for _, _, latest in _answers(run, step, path):
        if latest.status is StepStatus.COMPLETED and _shown(latest, step) is not None:
            same = strictjson.canonical(_shown(latest, step)) == strictjson.canonical(given)
            given = given | _changed(run, latest, step) if same else given
    return given


def refused(run: Run, step: StepFields, path: str) -> bool:
    """Whether an approval that guards a step was asked for and not given.

    A failure policy lets the execution go on after a refusal, but never with what was refused.
    """
    for _, _, latest in _answers(run, step, path):
        given = latest.status is StepStatus.COMPLETED and latest.input is not None
        if not given and latest.status in {StepStatus.COMPLETED, StepStatus.FAILED}:
            return True
    return False


def approved(run: Run, step: StepFields, path: str, given: Any) -> bool:
    """Whether an approval step showed exactly these parameters, and was given."""
    return any(
        latest.status is StepStatus.COMPLETED and _showed(run, latest, step, given)
        for _, _, latest in _answers(run, step, path)
    )


async def void_if_changed(
    run: Run, step: StepFields, path: str, scope: Scope, given: Any
) -> Result | None:
    """An approval holds for the parameters that were shown: others void it and ask anew."""
    for asked, approval, latest in _answers(run, step, path):
        if latest.status is StepStatus.COMPLETED and not _showed(run, latest, step, given):
            return await _ask_anew(run, approval, asked, latest, scope, step.id)
    return None


async def _ask_anew(
    run: Run, approval: StepFields, path: str, latest: Attempt, around: Scope, step_id: str
) -> Result:
    checkpoint = run.checkpoint("void")
    started = run.now()
    checkpoint.attempts.append(
        AttemptRow(path, latest.attempt, approval.type, StepStatus.SUPERSEDED, started)
    )
    checkpoint.events.append(("approval", path, {"decision": "void", "step": step_id}))
    checkpoint.audits.append((Event.APPROVAL_VOIDED, {"path": path, "step": step_id}))
    await run.write(checkpoint)
    run.history.add(Attempt(path, latest.attempt, StepStatus.SUPERSEDED))
    scope = await unpacking.scope_of(run, approval, around)
    outcome = steps.load(approval.type).run(approval, context(run, path, scope))
    result = await records.write_outcome(run, approval, path, outcome, started)
    run.results[path] = result
    return Result(StepStatus.PENDING)
