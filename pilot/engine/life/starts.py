"""Starting an execution: which document runs, with which inputs, under which settings."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from pilot import db, strictjson
from pilot.audit import Actor
from pilot.engine import idempotency, trail
from pilot.engine.agents import access, agents, grants
from pilot.engine.language import concurrency
from pilot.engine.life import beginning, executions, preflight, unattended
from pilot.engine.life.beginning import Surroundings
from pilot.engine.providers import budgets
from pilot.engine.running import compensation
from pilot.engine.status import ExecutionStatus
from pilot.engine.workflow import document, inputs, simple_loop
from pilot.engine.workflow.document import Workflow, Written
from pilot.errors import ConflictError, InvalidError, Issue, NotFoundError, Obstacle
from pilot.models.agent import Agent, WorkflowVersion
from pilot.models.execution import Execution

NEWEST = (
    select(Agent, WorkflowVersion)
    .outerjoin(
        WorkflowVersion,
        (WorkflowVersion.agent_id == Agent.id) & (WorkflowVersion.number == Agent.version_number),
    )
    .where(Agent.id == bindparam("agent"), Agent.deleted_at.is_(None))
)
MAX_INPUT_BYTES = 1024 * 1024
SIMULATE = "simulate"  # nothing is called or sent, nobody is asked: see simulation.py
MODES = ("run", "test", SIMULATE)


NEEDLESS = frozenset({"connection", "model", "people"})  # what a simulation can do without


@dataclass(frozen=True)
class Start:
    """What a person or a program asks for."""

    mode: str = "run"  # run: saved inputs under the given ones; test: the given ones only
    inputs: dict[str, Any] = field(default_factory=dict)
    prompt: str | None = None
    version: int | None = None  # of the agent's workflow; None: the newest
    simple: bool = False  # force the one-step document
    key: str | None = None  # idempotency key of the request
    trigger: str = "manual"
    budget_usd: Decimal | None = None  # in the place of the workflow's or the setting's
    complete: bool = False  # the given inputs are all: saved ones do not lie under them
    ways: dict[str, str] | None = None  # branches that a simulation takes, by step
    simulation_id: UUID | None = None  # what it belongs together with


def start(
    agent_id: UUID,
    asked: Start,
    *,
    by: Actor,
    user_id: UUID,
    setup: preflight.Setup = preflight.UNTOLD,
) -> UUID:
    """Queue a new execution of an agent, of its newest version if none is named, and ring.

    The same key and body within 24 h return the same execution, whatever has changed since.

    Raises:
        NotFoundError: no such agent or version, or it is not yours.
        ForbiddenError: it is shared with you only to look at it.
        InvalidError: with all that stands in the way: inputs that are missing or of the wrong
            type, and what the preflight found (`Obstacle`); or the key was used with another body.
        ConflictError: the agent is switched off, or has nothing to run.
    """
    with db.transaction("execution.start", user_id) as session:
        return begin(session, agent_id, asked, by=by, user_id=user_id, setup=setup)


def begin(
    session: Session,
    agent_id: UUID,
    asked: Start,
    *,
    by: Actor,
    user_id: UUID,
    setup: preflight.Setup,
) -> UUID:
    """Do what `start` does in the caller's transaction, which acts as `user_id`.

    Raises:
        PilotError: what `start` raises; the transaction has to be rolled back.
    """
    body = _body(agent_id, asked)
    kept = idempotency.open_request(session, user_id, asked.key, "execution.start", body)
    if kept is not None:
        return UUID(kept["execution_id"])
    agent, version = _load(session, agent_id, asked.version)
    access.act_as_owner(session, agent_id, agent.owner_id, user_id)
    row = prepare(session, agent, asked, user_id, setup, version=version, by=by)
    beginning.store(session, row, by)
    db.act_as(session, user_id)
    idempotency.keep_answer(session, user_id, asked.key, {"execution_id": str(row.id)})
    return row.id


def check(
    session: Session, agent_id: UUID, asked: Start, *, user_id: UUID, setup: preflight.Setup
) -> None:
    """Look whether an owner may start an agent so now; nothing is stored.

    Raises:
        PilotError: what `start` raises.
    """
    agent, version = _load(session, agent_id, asked.version)
    draft(session, agent, asked, user_id, setup, version=version)


def _body(agent_id: UUID, asked: Start) -> dict[str, Any]:
    """Return what the same idempotency key has to come with."""
    body: dict[str, Any] = {
        "agent": str(agent_id),
        "mode": asked.mode,
        "inputs": asked.inputs,
        "prompt": asked.prompt,
        "simple": asked.simple,
    }
    if asked.version is not None:
        body["version"] = asked.version
    if asked.budget_usd is not None:
        body["budget_usd"] = str(asked.budget_usd)
    if asked.ways:
        body["ways"] = asked.ways
    if asked.mode not in MODES:
        raise InvalidError([Issue("E_INPUT", "/mode", f"A mode is {', '.join(MODES)}.")])
    given = strictjson.dumps(asked.inputs) + (asked.prompt or "")
    if len(given.encode()) > MAX_INPUT_BYTES:
        raise InvalidError([Issue("E_LIMIT", "/inputs", "The inputs are larger than 1 MiB.")])
    return body


def prepare(  # noqa: PLR0913 -- all that a start depends on
    session: Session,
    agent: Agent,
    asked: Start,
    user_id: UUID,
    setup: preflight.Setup,
    *,
    version: WorkflowVersion | None,
    by: Actor,
) -> Execution:
    """Return the row of a new execution, not yet stored; what it replaces is cancelled.

    Raises:
        InvalidError: what stands in the way.
        ConflictError: the agent is switched off, has nothing to run, or runs as often as it may.
    """
    row = draft(session, agent, asked, user_id, setup, version=version)
    grants.grant(agent, version)
    make_room(session, row, version, by)
    return row


def draft(
    session: Session,
    agent: Agent,
    asked: Start,
    user_id: UUID,
    setup: preflight.Setup,
    *,
    version: WorkflowVersion | None,
) -> Execution:
    """Return the row of a new execution; nothing is stored or changed.

    Raises:
        InvalidError: what stands in the way.
        ConflictError: the agent is switched off, or has nothing to run.
    """
    around = beginning.surroundings(session, agent, user_id)
    pilot_steps = version.document if version is not None else None
    choice = preflight.choose(
        enabled=bool(around.settings["pilot_enabled"]) or asked.mode == SIMULATE,
        has_pilot_steps=pilot_steps is not None,
        override=asked.simple,
    )
    _something_to_run(agent, asked, choice)
    given, issues = _inputs(agent, asked, version, around)
    hindered = preflight.obstacles(
        session, agent, version, choice, setup, starter=user_id, values=around.settings
    )
    # A simulation needs neither accounts nor models.
    issues += [one for one in hindered if asked.mode != SIMULATE or one.where not in NEEDLESS]
    issues += unattended.obstacles(session, version, asked.trigger)
    if issues:
        raise InvalidError(issues)
    one_step = _one_step(agent, asked) if choice.runs == "one_step" else None
    workflow = _workflow(one_step, version)
    policies = workflow.policies
    limits = budgets.limits(policies.budget, asked.budget_usd, around.settings)
    return Execution(
        **around.columns(),
        owner_id=agent.owner_id,
        agent_id=agent.id,
        agent_name=agent.name,
        version_id=version.id if version is not None else None,
        version_number=version.number if version is not None else None,
        document=one_step,
        runs=choice.runs,
        runs_reason=choice.reason,
        mode=asked.mode,
        trigger=asked.trigger,
        started_by=user_id,
        inputs=given,
        prompt=asked.prompt,
        simulation=asked.ways,
        simulation_id=asked.simulation_id,
        deadline_at=around.moment + timedelta(seconds=policies.deadline_s),
        status=ExecutionStatus.QUEUED,
        priority=policies.priority,
        compensation=compensation.state(workflow),
        budget_usd=limits.usd,
        budget_tokens=limits.tokens,
    )


def _workflow(one_step: dict[str, Any] | None, version: WorkflowVersion | None) -> Workflow:
    """Return what runs: the one step, or else the version's steps."""
    if one_step is not None or version is None:
        return document.parse(one_step)
    return document.stored(Written(version.id, version.document))


def _one_step(agent: Agent, asked: Start) -> dict[str, Any]:
    return simple_loop.of(asked.prompt or agent.prompt, agent.grants)


def make_room(session: Session, row: Execution, version: WorkflowVersion | None, by: Actor) -> None:
    """Give a new execution its concurrency key, and make room for it as the policy says.

    Raises:
        ConflictError: it runs as often as it may.
    """
    policy = _workflow(row.document, version).policies.concurrency
    if policy is None or row.mode == SIMULATE:  # it takes nobody's turn
        return
    about = {"agent": row.agent_name, "mode": row.mode, "trigger": row.trigger}
    roots = {"inputs": row.inputs, "execution": about}
    row.concurrency_key = concurrency.key(policy, roots, trail.now(session), row.zone)
    row.concurrency_limit = policy.limit
    if policy.on_conflict == "reject":
        concurrency.refuse_beyond(session, row)
    elif policy.on_conflict == "cancel_running":
        for before in concurrency.in_the_way(session, row):
            executions.cancel_locked(session, before, by)


def _load(
    session: Session, agent_id: UUID, number: int | None
) -> tuple[Agent, WorkflowVersion | None]:
    """Return an agent that the session's user may see, and a version: the newest is at hand."""
    found = session.execute(NEWEST, {"agent": agent_id}).one_or_none()
    if found is None:
        raise NotFoundError("There is no such agent, or it is not yours.")
    agent, newest = found
    return agent, newest if number is None else agents.version(session, agent, number)


def _something_to_run(agent: Agent, asked: Start, choice: preflight.Choice) -> None:
    if not agent.active and asked.mode != SIMULATE:
        raise ConflictError(f"The agent {agent.name} is switched off: switch it on to start it.")
    if choice.runs != "one_step" or (asked.prompt or agent.prompt).strip():
        return
    if choice.reason == "pilot_disabled":
        raise ConflictError(
            "Pilot is switched off, so the agent would run as one model step; it has no prompt: "
            "switch Pilot on (System config), or give the agent a prompt."
        )
    raise ConflictError("The agent has neither pilot steps nor a prompt: give it one of them.")


def _inputs(
    agent: Agent, asked: Start, version: WorkflowVersion | None, around: Surroundings
) -> tuple[dict[str, Any], list[Issue]]:
    """Return the inputs and what is wrong with them; in run mode saved ones lie under the given."""
    schema: Any = version.inputs_schema if version is not None else None
    values = dict(asked.inputs)
    if asked.mode != "test" and not asked.complete and around.inputs is not None:
        values = {**around.inputs, **values}
        schema = schema or around.inputs_schema
    if schema is None:
        return values, []
    complete = inputs.fill_defaults(schema, values)
    found = inputs.check(schema, complete)
    more = {"where": "inputs", "link": preflight.link("inputs", agent.id)}
    return complete, [Obstacle(**(vars(one) | more)) for one in found]
