"""How a goal becomes a workflow: for each stage what it drafted in 30 days, and what it cost.

A generation is counted at the stage whose draft was taken, a call at the stage that it was made
for: so both add up. Stages go by place, never by name or role: the primary model of a generation is
the one that was asked first, also where another worker has taken over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.engine.providers.model_lint import FALLBACK, PRIMARY
from pilot.reports import model_choice
from pilot.reports.cost_comparison import Row
from pilot.reports.drafting import MONTH
from pilot.reports.model_choice import SWITCH, Guess
from pilot.reports.spending import COUNTED

NONE = "none"
STAGES = ("cache", "nearest", "planner", "primary", "repair", "fallback", NONE)
CALLS = f"""
WITH calls AS (
  SELECT c.*, CASE
      WHEN c.model_asked <> first_value(c.model_asked)
        OVER (PARTITION BY c.generation_id ORDER BY c.at, c.id) THEN 'fallback'
      WHEN c.role = 'repair' THEN 'repair' ELSE 'primary' END AS place
    FROM call c JOIN generation g ON g.id = c.generation_id
   WHERE g.created_at > {MONTH} AND g.stage = 'done' AND {COUNTED})
"""  # noqa: S608 -- constants
MONEY = text(f"""{CALLS}
SELECT place AS stage, count(*) AS calls, coalesce(sum(cost), 0) AS cost,
       count(*) FILTER (WHERE cost IS NULL) AS unpriced
  FROM calls GROUP BY 1
""")  # noqa: S608 -- constants
# An edited draft is its first maker's, which only the events and the calls still tell.
DRAFTED = text(f"""{CALLS}, taken AS (
  SELECT DISTINCT ON (generation_id) generation_id, place FROM calls
   WHERE outcome = 'ok' ORDER BY generation_id, at DESC, id DESC),
told AS (
  SELECT DISTINCT ON (generation_id) generation_id, data ->> 'generator' AS generator
    FROM generation_event WHERE kind = 'free' ORDER BY generation_id, seq DESC)
SELECT CASE WHEN g.outcome = 'failed' OR (g.failure IS NOT NULL AND g.outcome <> 'accepted')
                 THEN '{NONE}'
            WHEN g.generator IN ('cache', 'nearest', 'planner') THEN g.generator
            ELSE coalesce(t.place, e.generator, 'planner') END AS stage,
       count(*) AS drafts, count(*) FILTER (WHERE g.outcome = 'accepted') AS accepted
  FROM generation g LEFT JOIN taken t ON t.generation_id = g.id
  LEFT JOIN told e ON e.generation_id = g.id
 WHERE g.created_at > {MONTH} AND g.stage = 'done' GROUP BY 1
""")  # noqa: S608 -- constants


@dataclass(frozen=True)
class Stage:
    """One stage; amounts in USD."""

    name: str
    model: str  # that the settings choose for it now; empty: none
    drafts: int
    accepted: int
    calls: int
    cost: Decimal
    unpriced: int


@dataclass(frozen=True)
class Cascade:
    """The stages in their order, and what the chosen models save."""

    stages: list[Stage]
    fallback_on: bool
    selection: Row  # of the comparison, at the measured volume and rate
    strong: str  # what it is compared with
    assumed: bool  # whether volume or fallback rate are: too few generations to measure

    @property
    def generations(self) -> int:
        """How many were drafted, or failed."""
        return sum(one.drafts for one in self.stages)


def cascade(session: Session, values: Mapping[str, Any]) -> Cascade:
    """Return the stages with the models of these values of the settings."""
    money = {row["stage"]: dict(row) for row in session.execute(MONEY).mappings()}
    drafted = {row["stage"]: dict(row) for row in session.execute(DRAFTED).mappings()}
    choice = model_choice.choice(session, values, Guess())
    labels = {key: _label(choice, key) for key in (PRIMARY, FALLBACK)}
    models = {"primary": labels[PRIMARY], "repair": labels[PRIMARY], "fallback": labels[FALLBACK]}
    stages = []
    for name in STAGES:
        made = drafted.get(name, {})
        paid = money.get(name, {})
        stages.append(
            Stage(
                name,
                models.get(name, ""),
                made.get("drafts", 0),
                made.get("accepted", 0),
                paid.get("calls", 0),
                paid.get("cost", Decimal(0)),
                paid.get("unpriced", 0),
            )
        )
    strong = choice.strong.model.label if choice.strong is not None else ""
    measured = choice.measured
    assumed = not measured.volume or not measured.fell.measured
    return Cascade(stages, bool(values[SWITCH]), choice.selection, strong, assumed)


def _label(choice: model_choice.Choice, key: str) -> str:
    entry = choice.entry(key)
    return str(choice.values[key]) if entry is None else entry.model.label


def facts(found: Cascade) -> dict[str, Any]:
    """Return what programs read of it."""
    return {
        "generations": found.generations,
        "fallback_on": found.fallback_on,
        "compared_with": found.strong,
        "saved_month_usd": found.selection.saved_month,
        "formula": found.selection.formula,
        "assumed": found.assumed,
        "stages": [
            {
                "stage": one.name,
                "model": one.model or None,
                "drafts": one.drafts,
                "accepted": one.accepted,
                "calls": one.calls,
                "cost_usd": one.cost,
                "unpriced_calls": one.unpriced,
            }
            for one in found.stages
        ],
    }
