"""What starts because of an execution: agents that follow events of Pilot's own, and on_failure.

The row of a fire was written in the transaction of the event; here it starts its agent, once.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import strictjson
from pilot.engine.agents import agents
from pilot.engine.expressions.values import number
from pilot.engine.life import preflight, starts
from pilot.engine.triggers import fires, triggers
from pilot.engine.workflow import document, payloads
from pilot.errors import ConflictError, NotFoundError
from pilot.models.agent import Agent, WorkflowVersion
from pilot.models.approval import Approval
from pilot.models.execution import Execution
from pilot.models.trigger import Trigger, TriggerFire

MAX_DEPTH = 5  # agents that start each other, one after the other
OWN_FAILURE = "It failed while it ran as its own on_failure: it is not started again."


@dataclass(frozen=True)
class _Wanted:
    """What a fire starts."""

    agent: Agent
    inputs: dict[str, Any]


def begin(session: Session, fire_id: UUID, setup: preflight.Setup) -> bool:
    """Start what follows an event, in the caller's transaction; False: another worker is at it.

    Raises:
        PilotError: the start is refused; the transaction has to be rolled back.
    """
    taken = fires.taken(session, fire_id, "due")
    if taken is None:
        return False
    trigger, fire = taken
    cause = session.get_one(Execution, fire.cause_execution_id)
    before = select(TriggerFire.depth).where(TriggerFire.execution_id == cause.id)
    fire.depth = (session.scalar(before) or 0) + 1
    if fire.depth > MAX_DEPTH:
        raise ConflictError(f"{MAX_DEPTH} agents have started each other: here it ends.")
    wanted = _on_failure(session, cause) if trigger is None else _event(session, trigger, fire)
    if wanted is None:
        fire.status, fire.reason = "skipped", "The condition does not hold."
        return True
    hindrance = fires.hindrance(session, fire.owner_id, wanted.agent)
    if hindrance:
        fires.reject(session, fire, "skipped", hindrance)
        if trigger is not None and wanted.agent.deleted_at is not None:
            triggers.switch_off(session, trigger, hindrance)
        return True
    fire.execution_id = starts.begin(
        session,
        wanted.agent.id,
        starts.Start(inputs=wanted.inputs, trigger=fire.kind),
        by=fires.actor(fire),
        user_id=fire.owner_id,
        setup=setup,
    )
    fires.record_start(session, fire)
    return True


def _event(session: Session, trigger: Trigger, fire: TriggerFire) -> _Wanted | None:
    """Return what a trigger starts for an event; None: its condition does not hold."""
    values = {"payload": payload(session, trigger.event or "", fire)}
    if not payloads.holds(trigger.match, values, fire.fire_at):
        return None
    inputs = payloads.mapped(trigger.inputs, values, fire.fire_at)
    return _Wanted(session.get_one(Agent, trigger.agent_id), inputs)


def payload(session: Session, event: str, fire: TriggerFire) -> dict[str, Any]:
    """Return what conditions and inputs of an event read as `payload`, as JSON data."""
    cause = session.get_one(Execution, fire.cause_execution_id)
    facts = {"type": event, **_facts(cause), "inputs": cause.inputs, "output": cause.output}
    if event == "approval_decided":
        approval = session.get_one(Approval, UUID(fire.cause))
        names = ("path", "title", "decision", "decided_at")
        facts |= {"approval_id": approval.id} | {name: getattr(approval, name) for name in names}
    found: dict[str, Any] = strictjson.plain(facts)
    return found


def _facts(cause: Execution) -> dict[str, Any]:
    return {
        "execution_id": cause.id,
        "agent": cause.agent_name,
        "agent_id": cause.agent_id,
        "version": cause.version_number,
        "mode": cause.mode,
        "trigger": cause.trigger,
        "status": cause.status,
        "error": cause.error,
        "cost_usd": number(cause.cost_usd),
        "started_at": cause.started_at,
        "finished_at": cause.finished_at,
    }


def _on_failure(session: Session, cause: Execution) -> _Wanted:
    """Return what the policy of a failed execution's workflow starts."""
    version = session.get_one(WorkflowVersion, cause.version_id)
    policy = document.parse(version.document).policies.on_failure
    if policy is None:
        raise NotFoundError("The workflow has no on_failure.")
    agent = agents.find(session, policy.agent)
    if cause.trigger == "on_failure" and agent.id == cause.agent_id:
        raise ConflictError(OWN_FAILURE)
    failure = strictjson.plain(_facts(cause))
    values = {
        "inputs": cause.inputs,
        "error": cause.error or {},
        "execution": {
            "id": str(cause.id),
            "mode": cause.mode,
            "started_at": failure["started_at"],
            "zone": cause.zone,
            "agent": cause.agent_name,
            "trigger": cause.trigger,
            "cost_usd": number(cause.cost_usd),
        },
    }
    inputs = payloads.mapped(policy.inputs, values, cause.finished_at or cause.created_at)
    newest = agents.newest(session, agent)
    if _takes_failure(newest.inputs_schema if newest is not None else None):
        inputs["failure"] = failure
    return _Wanted(agent, inputs)


def _takes_failure(schema: dict[str, Any] | None) -> bool:
    """Whether an agent declares the input `failure`, or takes any."""
    if schema is None or schema.get("additionalProperties"):
        return True
    return "failure" in (schema.get("properties") or {})
