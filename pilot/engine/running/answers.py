"""What people and events say in a simulation: what they last said, or what is made up.

It stands where a wait keeps what resolved it, with a remark that says where it comes from.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pilot.engine.acting import event_matches
from pilot.engine.acting.history import WaitRow
from pilot.engine.acting.outcomes import Done, Outcome, Wait
from pilot.engine.language.step_fields import StepFields
from pilot.engine.running import made_up, newest_runs
from pilot.engine.running.run import Run

BY = "simulation"
REMARK = "remark"  # key of a resolution
MADE_UP = "Made up from the schema: nobody was asked."
NOTHING_KNOWN = "Made up: nothing, as the event has no schema. Add one, or let it run once."
APPROVED = "Made up: approved at once, nobody was asked."
MATCHED = "Made up so that its match holds: nobody was asked."
MISMATCH = "Made up, but its match does not hold: such an event would be left. Let one come once."
RECORDED = "Recorded on {day} in execution {id}: nobody was asked."


def of(run: Run, step: StepFields, path: str, wait: Wait) -> dict[str, Any]:
    """Return what resolves a wait; reads the newest real run."""
    now = run.now().isoformat()
    about = {"event": wait.event, "received_at": now, "submitted_by": BY, "by": BY, "at": now}
    known = newest_runs.given(run.held.owner_id, run.held.facts["agent_id"], path, step)
    said = _said(wait, known.output) if known is not None else None
    if known is not None and said is not None:
        remark = RECORDED.format(day=known.day, id=known.execution_id)
    else:
        said, remark = _made_up(step, path, wait)
    return about | said | {REMARK: remark}


def _said(wait: Wait, output: Any) -> dict[str, Any] | None:
    """Return what people or an event said in a real run; None: nothing in time, or nothing apt."""
    if not isinstance(output, Mapping) or output.get("timed_out") or output.get("expired"):
        return None
    if wait.kind == "approval":
        return {"decision": "approved"} | _parts(output, "values", "comment", "votes")
    if wait.kind == "form":
        return {"decision": "submitted"} | _parts(output, "values", "submitted_by")
    return _parts(output, "payload") if _fits(wait, output.get("payload")) else None


def _parts(output: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: output[name] for name in names if name in output}


def _made_up(step: StepFields, path: str, wait: Wait) -> tuple[dict[str, Any], str]:
    """Return a yes, or what a schema asks for, and where it comes from."""
    if wait.kind == "approval":
        return {"decision": "approved"}, APPROVED
    if wait.kind == "form":
        values = made_up.value(getattr(step, "fields", {}), path)
        return {"decision": "submitted", "values": values}, MADE_UP
    schema = getattr(step, "json_schema", None)
    payload = made_up.value(schema or {"type": "object"}, path)
    if wait.asked is None or wait.asked["match"] is None or _fits(wait, payload):
        return {"payload": payload}, MADE_UP if schema else NOTHING_KNOWN
    matching = event_matches.matching(wait.asked, payload)
    if _fits(wait, matching):
        return {"payload": matching}, MATCHED
    return {"payload": payload}, MISMATCH


def _fits(wait: Wait, payload: Any) -> bool:
    event = {"name": wait.event, "source": BY, "id": BY, "payload": payload}
    return event_matches.fits(wait.asked or {}, event)


def remarked(outcome: Outcome, wait: WaitRow) -> Outcome:
    """Return what a step gives after its wait, with where the answer comes from."""
    remark = (wait.resolution or {}).get(REMARK)
    if remark is None or not isinstance(outcome, Done):
        return outcome
    return replace(outcome, notes=[*outcome.notes, remark])
