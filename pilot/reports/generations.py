"""Drafts as a list; of one, the ways that were tried, in words and numbers, from its events."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from pilot.engine.generation import drafts, stages
from pilot.models.generation import Generation, GenerationEvent
from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch

SOURCE = Source(
    columns="""g.id, g.goal, g.stage, g.generator, g.outcome, g.confidence, g.cost_usd, g.tokens,
      g.fallback_reason, g.failure, g.refusal, g.agent_id, g.created_at""",
    tables="generation g",
    id="g.id",
    sorts={"created": Sort("g.created_at", "timestamptz")},
)
ROLES = {"draft": "first draft", "repair": "repairs its draft", "fallback": "as fallback"}
FREE = {
    stages.CACHE: "A workflow that you accepted for this goal",
    stages.NEAREST: "A workflow that you accepted for a goal of the same words",
}
INVALID = frozenset({"schema", "semantic"})


@dataclass(frozen=True)
class Way:
    """One way that was tried."""

    by: str  # planner, an accepted workflow, or a model
    outcome: str  # generating, ok, invalid, failed, superseded
    why: str = ""
    role: str = ""
    took_ms: int | None = None
    tokens: int | None = None
    cost: Decimal | None = None  # None with `ended`: unpriced
    ended: bool = True
    wasted: bool = False


def listed(session: Session, wanted: Wanted, stage: str | None = None) -> Listed:
    """Return one page of drafts, at one stage or all."""
    conditions = [] if stage is None else ["g.stage = :stage"]
    return fetch(session, SOURCE, conditions, {"stage": stage} if stage else {}, wanted)


def ways(events: Iterable[GenerationEvent]) -> list[Way]:
    """Return the ways in the order in which they were tried."""
    found: list[Way] = []
    for event in events:
        if event.kind == stages.FREE:
            found.append(_free(event.data))
        elif event.kind == stages.ATTEMPT and not event.data.get("ended"):
            found = [_left(one) for one in found]
            role = ROLES.get(event.data["role"], "")
            found.append(Way(event.data["model"], "generating", role=role, ended=False))
        elif event.kind == stages.ATTEMPT:
            found[-1] = _ended(found[-1], event.data)
        elif event.kind == stages.END:
            found = [_left(one) for one in found]
    return found


def _free(data: dict[str, Any]) -> Way:
    by = FREE.get(data["generator"], "Planner, no model")
    wrong = data["errors"] + data["forgotten"]
    if data["refusal"]:
        outcome, why = "failed", data["refusal"]
    elif data["questions"]:
        count = data["questions"]
        outcome, why = "invalid", f"{count} question{'s' if count > 1 else ''} open"
    else:
        outcome = "invalid" if wrong else "ok"
        why = f"Confidence {data['confidence']} %" + (f", {wrong} to mend" if wrong else "")
    return Way(by, outcome, why, took_ms=data["duration_ms"], cost=Decimal(0))


def _left(way: Way) -> Way:
    if way.ended:
        return way
    why = "Its worker went away: counted at the most that it can have cost"
    return replace(way, outcome="superseded", why=why, wasted=True)


def _ended(way: Way, data: dict[str, Any]) -> Way:
    reason = data["reason"]
    outcome = "ok" if reason is None else "invalid" if reason in INVALID else "failed"
    cost = None if data["cost"] is None else Decimal(data["cost"])
    return replace(
        way,
        outcome=outcome,
        why=f"{str(reason).replace('_', ' ')}: {data['message']}" if reason else "",
        took_ms=data["latency_ms"],
        tokens=data["tokens"],
        cost=cost,
        ended=True,
        wasted=reason is not None,
    )


def now_says(row: Generation, tried: list[Way]) -> str:
    """Return where a generation stands, in one sentence."""
    if row.stage == "queued":
        return "Waiting for a worker that asks a model"
    if row.stage == "running":
        asked = tried[-1].by if tried and not tried[-1].ended else "a model"
        return f"Asking {asked} for a draft"
    if row.failure or row.refusal:
        return "No draft yet"
    return "Questions are open" if row.questions else "The draft is ready"


def how(row: Generation) -> str:
    """Return by whom a draft was made; money and time stand beside it."""
    names = {
        stages.PLANNER: "Drafted by the planner, no model was called",
        stages.CACHE: "Taken from a workflow that you accepted for this goal, no model was called",
        stages.NEAREST: "Taken from a workflow that you accepted for a goal of the same words, "
        "with what differs put in; no model was called",
        drafts.PERSON: "The workflow was edited by hand",
    }
    return names.get(row.generator, f"Drafted by {row.generator}")
