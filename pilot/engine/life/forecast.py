"""What an execution of a workflow will probably take: time and money, before anything runs.

A step that has run ten times is judged by its own runs, another by what is usual for its kind. Of
branches the dearest counts; how long people and timers are waited for is not counted.

likely = sum of means, rarely above = likely + 1.645 x root of the sum of variances.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot import settings
from pilot.engine.language.step_fields import MODEL_STEPS, StepFields
from pilot.engine.providers import budgets, model_catalogue
from pilot.engine.providers.budgets import Limits
from pilot.engine.workflow import document as documents
from pilot.engine.workflow.outline import AFTER
from pilot.errors import type_json
from pilot.llm import tokens
from pilot.llm.messages import Price, Usage

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

# The newest hundred runs of each step of an agent, and what their calls cost.
RUNS = text(r"""
SELECT path, count(*) AS runs, percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS ms,
       avg(usd) AS mean, coalesce(var_samp(usd), 0) AS variance, bool_or(unpriced) AS unpriced
  FROM (SELECT s.path, coalesce(sum(c.cost), 0) AS usd,
               CASE WHEN s.type = 'ai_processing' AND s.duration_ms = 0  -- its batches count
                    THEN extract(epoch FROM s.finished_at - s.started_at) * 1000
                    ELSE s.duration_ms END AS duration_ms,
               coalesce(bool_or(c.id IS NOT NULL AND c.cost IS NULL), false) AS unpriced,
               row_number() OVER (PARTITION BY s.path ORDER BY s.started_at DESC) AS place
          FROM step_execution s
          JOIN execution e ON e.id = s.execution_id
          LEFT JOIN call c ON c.execution_id = s.execution_id AND (c.path = s.path
            OR starts_with(c.path, s.path || '/') AND (s.type = 'llm_decision'
              OR s.type = 'ai_processing' AND c.path ~ '/(call|again|row)\[\d+\]$'))
         WHERE e.agent_id = :agent AND e.mode <> 'simulate' AND s.status = 'completed'
           AND s.duration_ms IS NOT NULL
         GROUP BY s.execution_id, s.path, s.attempt, s.type, s.duration_ms, s.started_at,
                  s.finished_at) AS run
 WHERE place <= 100 GROUP BY path
""")
TYPES = text("""
SELECT s.type, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.duration_ms) AS ms
  FROM step_execution s JOIN execution e ON e.id = s.execution_id AND e.mode <> 'simulate'
 WHERE s.status = 'completed' AND s.duration_ms IS NOT NULL
   AND s.started_at > pilot_now() - interval '30 days'
 GROUP BY s.type
""")


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
    model_id: str | None  # whom its AI steps would ask first; None: nobody can be asked
    limits: Limits

    @property
    def may_exceed(self) -> bool:
        """Whether its budget may be too small."""
        return self.limits.usd is not None and self.rarely_usd > self.limits.usd


@dataclass(frozen=True)
class Known:
    """What is known before: of this agent's steps, of each type of step, of the first model."""

    runs: Mapping[str, Any]
    types: Mapping[str, float]
    price: Price | None
    model_id: str | None


def forecast(
    session: Session, document: type_json, agent_id: UUID | None = None
) -> Forecast | None:
    """Return what an execution of this document probably takes; None: it cannot be read yet."""
    workflow, issues = documents.read(document)
    if workflow is None or issues:
        return None
    values, _ = settings.snapshot(session)
    known = known_of(session, agent_id)
    whole = _all(workflow.steps, "", known)
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
        known.model_id,
        budgets.limits(workflow.policies.budget, None, values),
    )


def known_of(session: Session, agent_id: UUID | None) -> Known:
    """Return what is known of the steps of an agent, and of the model that would be asked."""
    values, _ = settings.snapshot(session)
    chain = model_catalogue.chain(session, model_catalogue.chosen(values))
    model = chain.models[0] if chain.models else None
    rows = session.execute(RUNS, {"agent": agent_id}) if agent_id is not None else ()
    return Known(
        {row.path: row for row in rows},
        {row.type: row.ms for row in session.execute(TYPES)},
        model.price if model is not None else None,
        model.id if model is not None else None,
    )


def rarely_above(step: StepFields, path: str, known: Known) -> tuple[Decimal, bool]:
    """Return what one call of an AI step rarely costs more than, in USD, and if that is known."""
    found = _step(step, path, known)
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


def _all(steps: Sequence[StepFields], prefix: str, known: Known) -> Part:
    return sum((_step(one, prefix + one.id, known) for one in steps), Part())


def _step(step: StepFields, path: str, known: Known) -> Part:
    """Return what a step and the dearest of its branches take."""
    inner = [
        _all(body, f"{path}/", known)
        for segment, body in documents.bodies(step)
        if segment not in AFTER
    ]
    dearest = max(inner, key=lambda one: (one.usd, one.ms), default=Part())
    own = known.runs.get(path)
    waits = Part(people=int(step.type in PEOPLE), timers=int(step.type in TIMERS))
    if waits != Part():
        return waits
    if own is not None and own.runs >= ENOUGH_RUNS:
        asks = int(step.type in MODEL_STEPS)
        return dearest + Part(
            own.ms, own.mean, own.variance, asks, int(asks and own.unpriced), measured=1
        )
    ms = known.types.get(step.type, USUAL_MS.get(step.type, 0))
    return dearest + Part(ms) + (_usual(step, known) if step.type in MODEL_STEPS else Part())


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
