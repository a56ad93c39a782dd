"""What an execution of a workflow will probably take: time and money, before anything runs.

A step that has run ten times is judged by its own runs, another by what is usual for its kind. Of
branches the dearest counts; how long people and timers are waited for is not counted. What stands
in a loop or scatter counts once for each item: of a list that is written down, that the inputs
give, or as many as there usually were; where nothing tells, as many as there may be. Executions
within this one count with what they take themselves, an agent's by its own runs.

likely = sum of means, rarely above = likely + 1.645 x root of the sum of variances.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from pilot import db, settings
from pilot.engine import steps as types
from pilot.engine.acting.repeating import of_inputs
from pilot.engine.agents.nesting import MAX_DEPTH
from pilot.engine.language.step_fields import MODEL_STEPS, StepFields
from pilot.engine.life import past_runs
from pilot.engine.life.past_runs import Find, Known
from pilot.engine.providers import budgets
from pilot.engine.providers.budgets import Limits
from pilot.engine.workflow import document as documents
from pilot.engine.workflow import inputs as workflow_inputs
from pilot.engine.workflow.document import Workflow
from pilot.engine.workflow.outline import AFTER
from pilot.errors import type_json
from pilot.llm import tokens
from pilot.llm.messages import Usage

ENOUGH_RUNS = 10
Z95 = Decimal("1.645")
RARELY = Decimal("2.5")  # what is rarely exceeded, as a multiple of what is usual
TURNS = 3  # of a decision, where nothing is known
ROWS = 20  # of a batch, where nothing is known: as many as a question has tokens for
# Tokens of an AI step by its intent, where nothing is known; a third of them is the answer.
USUAL_TOKENS = {
    "extract": 1_000,
    "summarize": 2_000,
    "generate": 3_000,
    "validate": 1_500,
    "transform": 2_000,
    "conditional": 1_000,
    "aggregate": 2_500,
    "filter": 1_000,
    "enrich": 2_000,
}
# Milliseconds of a step by its type, where nothing of it has run in a month.
USUAL_MS = {"ai_processing": 3_000, "llm_decision": 9_000, "action": 1_000}
PEOPLE, TIMERS = frozenset({"human_approval", "form"}), frozenset({"delay", "wait_for_event"})


@dataclass(frozen=True)
class Part:
    """What one or several steps take."""

    ms: float = 0
    usd: Decimal = Decimal(0)
    variance: Decimal = Decimal(0)
    asks: int = 0  # steps that ask a model
    unpriced: int = 0  # of these, whose price is not known
    measured: int = 0  # steps judged by their own runs
    people: int = 0  # steps that wait for people
    timers: int = 0  # and those that wait for a moment or an event
    at_most: int = 0  # lists of steps that count as often as they may run: nothing tells how often

    def times(self, often: Decimal, variance: Decimal, lanes: int) -> "Part":
        """Return what it takes so often on average, in so many lanes side by side."""
        ms = self.ms * ceil(often / max(lanes, 1))
        spread = self.variance * often + variance * self.usd * self.usd
        return replace(self, ms=ms, usd=self.usd * often, variance=spread)

    def __add__(self, other: "Part") -> "Part":
        """Return what both take, one after the other."""
        return Part(*(a + b for a, b in zip(_parts(self), _parts(other), strict=True)))


def _parts(one: Part) -> list[Any]:
    return [getattr(one, name) for name in Part.__dataclass_fields__]


@dataclass(frozen=True)
class Forecast:
    """What an execution probably takes."""

    seconds: float
    likely_usd: Decimal
    rarely_usd: Decimal  # rarely above this
    asks: int
    unpriced: int
    measured: int
    people: int
    timers: int
    at_most: int  # loops and scatters that count with as many items as they may have
    model_id: str | None  # whom its AI steps would ask first; None: nobody can be asked
    limits: Limits

    @property
    def may_exceed(self) -> bool:
        """Whether its budget may be too small."""
        return self.limits.usd is not None and self.rarely_usd > self.limits.usd


@dataclass(frozen=True)
class _Around:
    """What steps are looked at with: what is known, and what their execution is given."""

    known: Known
    find: Find
    inputs: type_json = None  # None: not known
    lanes: int = 1  # steps at the same time
    depth: int = 0  # of executions within executions
    found: dict[Any, Part] = field(default_factory=dict)  # of agents, which may come often


def forecast(
    session: Session,
    document: type_json,
    agent_id: UUID | None = None,
    inputs: type_json = None,
) -> Forecast | None:
    """Return what an execution of this document probably takes; None: it cannot be read yet."""
    workflow, issues = documents.read(document)
    if workflow is None or issues:
        return None
    values, _ = settings.snapshot(session)
    known = past_runs.known_of(session, agent_id)
    within = past_runs.starting(session, agent_id, known)
    whole = _whole(workflow, _Around(known, within.find, inputs))
    spread = whole.variance.sqrt() * Z95
    return Forecast(
        whole.ms / 1000,
        whole.usd,
        whole.usd + spread,
        whole.asks,
        whole.unpriced,
        whole.measured,
        whole.people,
        whole.timers,
        whole.at_most,
        known.model_id,
        budgets.limits(workflow.policies.budget, None, values),
    )


def rarely_above(step: StepFields, path: str, known: Known) -> tuple[Decimal, bool]:
    """Return what one call of an AI step rarely costs more than, in USD, and if that is known."""
    found = _own(step, path, known)
    return (found.usd + found.variance.sqrt() * Z95) / _turns(step), not found.unpriced


def row_calls(step: Any, rows: int) -> int:
    """Return how many calls a batch needs for so many rows."""
    most: int = step.batch.most
    return ceil(rows / most)


def rows_of(step: Any, unknown: int) -> int:
    """Return how many rows a batch has: those that are written down, else as many as said."""
    return len(step.batch.items) if isinstance(step.batch.items, list) else unknown


def _turns(step: Any) -> int:
    """Return how often an AI step asks where nothing is known."""
    if getattr(step, "batch", None) is not None:
        return max(row_calls(step, rows_of(step, ROWS)), 1)
    return TURNS if step.type == "llm_decision" else 1


def _whole(workflow: Workflow, around: _Around) -> Part:
    """Return what an execution of a workflow takes."""
    lanes = workflow.policies.max_parallel or around.known.at_once
    given = around.inputs
    if workflow.inputs is not None and given is not None:
        given = workflow_inputs.fill_defaults(workflow.inputs, given)
    return _all(workflow.steps, "", replace(around, inputs=given, lanes=lanes))


def _all(steps: Sequence[StepFields], prefix: str, around: _Around) -> Part:
    return sum((_step(one, prefix + one.id, around) for one in steps), Part())


def _step(step: StepFields, path: str, around: _Around) -> Part:
    """Return what a step takes, with what stands in it and the execution that it starts."""
    waits = Part(people=int(step.type in PEOPLE), timers=int(step.type in TIMERS))
    if waits != Part():
        return waits
    inner = [
        _all(body, f"{path}/", around)
        for segment, body in documents.bodies(step)
        if segment not in AFTER
    ]
    if step.type == "sub_workflow":
        return _own(step, path, around.known) + _within(step, path, around)
    if not inner:
        return _own(step, path, around.known)
    if hasattr(types.load(step.type), "REPEATS"):
        return _repeated(step, path, inner[0], around)
    if hasattr(step, "branches"):
        side_by_side = sum(inner, Part())
        return replace(side_by_side, ms=max(one.ms for one in inner))
    return max(inner, key=lambda one: (one.usd, one.ms))


def _own(step: StepFields, path: str, known: Known) -> Part:
    """Return what a step itself takes."""
    own = known.runs.get(path)
    if own is not None and own.runs >= ENOUGH_RUNS:
        asks = int(step.type in MODEL_STEPS)
        return Part(own.ms, own.mean, own.variance, asks, int(asks and own.unpriced), measured=1)
    ms = known.types.get(step.type, USUAL_MS.get(step.type, 0))
    return Part(ms) + (_usual(step, known) if step.type in MODEL_STEPS else Part())


def _repeated(step: Any, path: str, once: Part, around: _Around) -> Part:
    """Return what the steps of a loop or scatter take for all of its items."""
    lanes: int = step.at_once or around.lanes
    most: int = getattr(step, "max_iterations", around.known.most_items)
    items = step.items if isinstance(step.items, list) else _given(step.items, around)
    if isinstance(items, list):
        return once.times(Decimal(min(len(items), most)), Decimal(0), lanes)
    own = around.known.runs.get(path)
    if own is not None and own.items is not None:
        return once.times(own.items, own.items_variance, lanes)
    return once.times(Decimal(most), Decimal(0), lanes) + Part(at_most=1)


def _given(written: Any, around: _Around) -> type_json:
    """Return what an expression gives if the inputs decide it, else nothing."""
    if around.inputs is None or written is None:
        return None
    now: datetime = db.now()
    return of_inputs(written, around.inputs, now, ZoneInfo("UTC"))


def _within(step: Any, path: str, around: _Around) -> Part:
    """Return what the execution takes that a step starts; its time only if it is waited for."""
    if around.depth >= MAX_DEPTH:
        return Part()
    inside = replace(around, inputs=_given(step.inputs, around), depth=around.depth + 1)
    own = documents.inner(step)
    if own is not None:
        found = _whole(own, replace(inside, known=around.known.within(path)))
    else:
        found = _of_agent(step, inside)
    return found if step.wait else replace(found, ms=0.0, people=0, timers=0)


def _of_agent(step: Any, inside: _Around) -> Part:
    key = step.agent, step.version, inside.depth, repr(inside.inputs)
    if key not in inside.found:
        ran = inside.find(step.agent, step.version)
        inside.found[key] = _whole(ran[0], replace(inside, known=ran[1])) if ran else Part()
    return inside.found[key]


def _usual(step: Any, known: Known) -> Part:
    """Return what an AI step costs of which nothing is known yet."""
    if known.price is None:
        return Part(asks=1, unpriced=1)
    usual = USUAL_TOKENS.get(step.intent or "generate", USUAL_TOKENS["generate"])
    turns = _turns(step)
    if getattr(step, "batch", None) is not None:
        usual = usual * rows_of(step, ROWS) // (ROWS * turns)
    answer = min(usual // 3, step.max_output_tokens or usual)
    sent = tokens.estimate(step.prompt) + usual - usual // 3
    usd = known.price.cost(Usage(input=sent, output=answer)) * turns
    deviation = usd * (RARELY - 1) / Z95
    return Part(usd=usd, variance=deviation * deviation, asks=1)
