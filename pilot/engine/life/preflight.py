"""What would keep an agent from running, found before anything starts."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import db, money, plugins, settings
from pilot.engine import folders, validation
from pilot.engine.agents import access, agents, grants, nesting
from pilot.engine.language import catalogue
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.effects_rule import EffectsRule
from pilot.engine.language.step_fields import MODEL_STEPS
from pilot.engine.life import answering
from pilot.engine.life.forecast import forecast
from pilot.engine.providers import model_catalogue
from pilot.engine.secrets import connections
from pilot.engine.validation import required_approvals
from pilot.engine.workflow import inputs
from pilot.engine.workflow.document import KEPT, MAX_STEPS_CEILING, Written
from pilot.engine.workflow.outline import Node, documents, outline
from pilot.errors import Obstacle
from pilot.models.agent import Agent, AgentConfiguration, WorkflowVersion
from pilot.models.worker import LIVE_WORKER
from pilot.plugins.tables.sampling import sample
from pilot.settings import flags

Where = Literal[
    "permission",
    "agent",
    "prompt",
    "switch",
    "inputs",
    "workflow",
    "worker",
    "model",
    "budget",
    "connection",
    "people",
]
LINKS = {
    "agent": "/agents/{}#state",
    "prompt": "/agents/{}#details",
    "inputs": "/agents/{}#start",
    "workflow": "/agents/{}/workflow/edit",
    "switch": "/system-config#switches",
    "model": "/system-config#workflow-pilot",
    "worker": "/healthz",
    "connection": "/connections",
    "people": "/agents/{}/workflow/edit",
}


@dataclass(frozen=True)
class Item:
    """One finding: a blocker keeps the agent from being started, a warning does not."""

    blocks: bool
    where: Where  # what to change
    step: str  # id of the step that it concerns, or empty
    field: str  # JSON Pointer in the workflow or the inputs, or empty
    problem: str
    code: str = ""


@dataclass(frozen=True)
class Asked:
    """Who would start the agent."""

    user_id: UUID
    may_start: bool = True  # by their roles


@dataclass(frozen=True)
class Setup:
    """What this installation offers to executions."""

    data: Path | None = None  # the data folder; without it the tables there are not looked at
    has_models: bool = False  # recorded answers take the place of all models


Allowed = tuple[frozenset[str], EffectsRule]  # what was granted, what has to be approved
UNTOLD = Setup(has_models=True)  # only what the database knows is looked at


@dataclass(frozen=True)
class Choice:
    """Which document runs, and why."""

    runs: str  # pilot_steps or one_step
    reason: str  # pilot_steps, no_pilot_steps, override or pilot_disabled


@dataclass(frozen=True)
class Preflight:
    """Which document would run, and what stands in the way."""

    choice: Choice
    items: list[Item]

    @property
    def blocked(self) -> bool:
        """Whether a start would be refused or fail for certain."""
        return any(item.blocks for item in self.items)


def choose(*, enabled: bool, has_pilot_steps: bool, override: bool) -> Choice:
    """Decide which document runs; of several reasons for one step, the first that holds."""
    if not has_pilot_steps:
        return Choice("one_step", "no_pilot_steps")
    if override:
        return Choice("one_step", "override")
    if not enabled:
        return Choice("one_step", "pilot_disabled")
    return Choice("pilot_steps", "pilot_steps")


def link(where: Where, agent_id: UUID) -> str:
    """Return the page that removes an obstacle of this kind; empty: none does."""
    return LINKS.get(where, "").format(agent_id)


def obstacles(  # noqa: PLR0913 -- all that a start depends on
    session: Session,
    agent: Agent,
    version: WorkflowVersion | None,
    choice: Choice,
    setup: Setup,
    *,
    starter: UUID,
    values: settings.Values,
) -> list[Obstacle]:
    """Return what a start of this document would be refused for, its inputs apart.

    Warnings are left out, and so is what they take to find: this is on the path of every start.
    """
    document = version.document if version is not None else None
    rule = EffectsRule.of(values)
    if choice.runs == "one_step" or version is None or document is None:
        no_model = "" if setup.has_models or agent.demo else _no_model(session)
        items = [_dead_loop(no_model)] if no_model else []
        items += _unasked(agent, rule)
    else:
        items = _items(session, version, document, agent, setup, rule)
        items += _people(session, version, document, agent, starter)
    return [
        Obstacle(
            one.code,
            one.field,
            one.problem,
            where=one.where,
            step=one.step,
            link=link(one.where, agent.id),
        )
        for one in items
        if one.blocks
    ]


def examine(
    session: Session, agent: Agent, version: WorkflowVersion | None, asked: Asked, setup: Setup
) -> Preflight:
    """Look at everything that a start of this agent by this person needs; nothing is started."""
    document = version.document if version is not None else None
    enabled = flags.resolve(session, "pilot_enabled", agent.id, asked.user_id).value
    choice = choose(enabled=enabled, has_pilot_steps=document is not None, override=False)
    no_model = "" if setup.has_models or agent.demo else _no_model(session)
    items = _permission(session, agent, asked)
    if not agent.active:
        items.append(Item(True, "agent", "", "", "The agent is switched off."))
    if choice.reason == "pilot_disabled":
        problem = "Pilot steps are switched off: it would run as the simple loop of one model step."
        items.append(Item(False, "switch", "", "", problem))
    rule = EffectsRule.of(settings.snapshot(session)[0])
    if choice.runs == "one_step":
        items += _simple_loop(agent, no_model) + _unasked(agent, rule)
    if not session.scalar(LIVE_WORKER):
        problem = "No worker is running: an execution stays queued until one is (pilot worker)."
        items.append(Item(False, "worker", "", "", problem))
    saved = saved_inputs(session, agent.id, asked.user_id)
    items += _missing_inputs(version, saved)
    items += _budget(session, agents.workflow_of(agent, version), agent, saved)
    if version is not None and document is not None and choice.runs == "pilot_steps":
        items += _items(session, version, document, agent, setup, rule)
        items += _people(session, version, document, agent, asked.user_id)
        items += _model_steps(document, no_model)
    return Preflight(choice, items)


def _budget(session: Session, document: Any, agent: Agent, saved: dict[str, Any]) -> list[Item]:
    """Say that the budget may be too small for what its AI steps usually cost."""
    expected = forecast(session, document, agent.id, saved)
    if expected is None or not expected.may_exceed:
        return []
    rarely, limit = money.usd(expected.rarely_usd), money.usd(expected.limits.usd)
    problem = f"It may cost up to {rarely}; its budget is {limit}: it would wait for more."
    return [Item(False, "budget", "", "/policies/budget", problem)]


def _no_model(session: Session) -> str:
    """Say why a step that asks a model would fail, or nothing."""
    values, _ = settings.snapshot(session)
    found = model_catalogue.chain(session, model_catalogue.chosen(values))
    return "" if found.models else found.why_none


def _simple_loop(agent: Agent, no_model: str) -> list[Item]:
    items = []
    if not agent.prompt.strip():
        items.append(Item(True, "prompt", "", "", "The simple loop needs a prompt; it has none."))
    if no_model:
        items.append(_dead_loop(no_model))
    return items


def _dead_loop(no_model: str) -> Item:
    problem = f"The simple loop would fail. {no_model}"
    return Item(True, "model", "", "", problem, "E_MODEL_KEY")


def _unasked(agent: Agent, rule: EffectsRule) -> list[Item]:
    """Say that the simple loop could do what needs an approval: it has none."""
    known = catalogue.load().actions if rule.level != "none" else {}
    granted = ((known[name], None) for name in agent.grants if name in known)
    names = ", ".join(one.name for one in required_approvals.effects(rule, granted))
    problem = (
        f"The simple loop may call {names} without asking anybody, and the setting "
        "pilot_effects_approval wants a person's approval before that: build a workflow with one."
    )
    return [Item(True, "workflow", "", "", problem, required_approvals.CODE)] if names else []


def _permission(session: Session, agent: Agent, asked: Asked) -> list[Item]:
    if not asked.may_start:
        problem = "You may look at it; starting it needs the role operator."
    elif not access.may_run(session, agent.id, agent.owner_id, asked.user_id):
        problem = "It belongs to somebody else: its owner can give you the right to run it."
    else:
        return []
    return [Item(True, "permission", "", "", problem)]


def saved_inputs(session: Session, agent_id: UUID, user_id: UUID) -> dict[str, Any]:
    """Return the newest inputs that a person saved for an agent."""
    query = (
        select(AgentConfiguration.inputs)
        .where(AgentConfiguration.agent_id == agent_id, AgentConfiguration.user_id == user_id)
        .order_by(AgentConfiguration.id.desc())
        .limit(1)
    )
    return dict(session.scalar(query) or {})


def _missing_inputs(version: WorkflowVersion | None, saved: dict[str, Any]) -> list[Item]:
    schema = version.inputs_schema if version is not None else None
    if schema is None:
        return []
    found = inputs.check(schema, inputs.fill_defaults(schema, saved))
    return [Item(False, "inputs", "", issue.path, issue.message, issue.code) for issue in found]


def _items(
    session: Session,
    version: WorkflowVersion,
    document: dict[str, Any],
    agent: Agent,
    setup: Setup,
    rule: EffectsRule,
) -> list[Item]:
    """Check a document again: what it is made of, and the accounts and agents that it names."""
    written = Written(version.id, document)
    nodes = _nodes(written)
    granted = frozenset(grants.granted(agent, version))
    items = _document_items(written, nodes, (granted, rule), agent, setup)
    items += _connections(session, nodes, agent)
    if any(node.type == "sub_workflow" for node in nodes):
        items += _agents(session, document, agent)
    return items


def _people(
    session: Session,
    version: WorkflowVersion,
    document: dict[str, Any],
    agent: Agent,
    starter: UUID,
) -> list[Item]:
    """Say who is asked and cannot answer."""
    nodes, themselves = _nodes(Written(version.id, document)), {starter, version.author_id}
    return [
        Item(one.fails, "people", one.step, one.field, one.problem, "E_APPROVERS")
        for one in answering.hindrances(session, nodes, agent.owner_id, themselves)
    ]


@lru_cache(KEPT)
def _nodes(written: Written) -> tuple[Node, ...]:
    """Return the steps of a stored version, found once: it never changes."""
    return tuple(node for one in documents(written.document) for node in outline(one))


def _document_items(
    written: Written, nodes: Iterable[Node], allowed: Allowed, agent: Agent, setup: Setup
) -> list[Item]:
    """Check the document again: over the tables as they are now, and what the agent may call."""
    reads_tables = any(node.step.get("plugin") == "tables" for node in nodes)
    if setup.data is None or not reads_tables:
        return list(_checked(written, allowed))
    tables = sample(folders.private(setup.data, agent.owner_id))
    return _issues(written.document, _known(allowed).with_samples(tables))


@lru_cache(KEPT)
def _checked(written: Written, allowed: Allowed) -> tuple[Item, ...]:
    """Return the same for a document that depends on nothing else: each start asks for it."""
    return tuple(_issues(written.document, _known(allowed)))


def _known(allowed: Allowed) -> Catalogue:
    granted, rule = allowed
    return catalogue.load().with_grants(granted).with_effects_rule(rule)


def _issues(document: dict[str, Any], known: Catalogue) -> list[Item]:
    nodes = outline(document)
    items = []
    for issue in validation.validate(document, known, max_steps=MAX_STEPS_CEILING):
        inside = [node for node in nodes if issue.path.startswith(node.path)]
        step = inside[-1].id if inside else ""
        blocks = issue.severity == "error"
        items.append(Item(blocks, "workflow", step, issue.path, issue.message, issue.code))
    return items


def asks_model(document: dict[str, Any]) -> bool:
    """Say whether a workflow has a step that asks a model."""
    return any(node.type in MODEL_STEPS for one in documents(document) for node in outline(one))


def _model_steps(document: dict[str, Any], no_model: str) -> list[Item]:
    nodes = (node for one in documents(document) for node in outline(one))
    asking = [node for node in nodes if node.type in MODEL_STEPS]
    problem = f"This step would fail. {no_model}"
    return [Item(False, "model", node.id, node.path, problem) for node in asking if no_model]


def _connections(session: Session, nodes: Iterable[Node], agent: Agent) -> list[Item]:
    """Say which accounts the steps name that are not there, or cannot be used as they are."""
    items = []
    known: dict[tuple[str, str], tuple[str, str]] = {}
    for node in nodes:
        label = node.step.get("connection")
        if isinstance(label, str):
            account = (str(node.step.get("plugin")), label)
            if account not in known:
                known[account] = _standing(session, agent, *account)
            code, problem = known[account]
            if code:
                place = f"{node.path}/connection"
                blocks = code.startswith("E_")
                items.append(Item(blocks, "connection", node.id, place, problem, code))
    return items


def _agents(session: Session, document: dict[str, Any], agent: Agent) -> list[Item]:
    """Say which agents it runs within itself that are not there, or that run without end."""
    found = nesting.problems(session, document, agent)
    return [Item(True, "workflow", "", one.path, one.message, one.code) for one in found]


def _standing(session: Session, agent: Agent, plugin: str, label: str) -> tuple[str, str]:
    """Return code and sentence of what is wrong with a connection; empty: nothing."""
    if plugin in plugins.names() and plugins.load(plugin).account is None:
        return "E_NOT_CONNECTED", f"{plugin} takes no connection: take the field out of the step."
    row = connections.find(session, agent.owner_id, plugin, label)
    if row is None:
        return "E_NOT_CONNECTED", f"There is no connection {label!r} for {plugin}: add it."
    return {
        "disabled": ("E_NOT_CONNECTED", f"The connection {row.label} is switched off."),
        "reconnect": (
            "E_CONNECTION_EXPIRED",
            f"The connection {row.label} has expired: give it its present password.",
        ),
        "failing": ("W_UNTESTED", f"The last test of the connection {row.label} failed."),
        "untested": ("W_UNTESTED", f"The connection {row.label} has not been tested."),
        "expiring": (
            "W_EXPIRES_DURING_RUN",
            f"The password of the connection {row.label} ends within 7 days.",
        ),
    }.get(connections.standing(row, db.now()), ("", ""))
