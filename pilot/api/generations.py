"""Generations: a goal in plain words becomes a workflow, and that an agent."""

from dataclasses import asdict
from typing import Any, Literal
from uuid import UUID

from flask import Blueprint, current_app
from pydantic import BaseModel, Field

from pilot import settings
from pilot.api import Body, Money, Page, example, for_all_agents, key, listed, operation, wanted
from pilot.engine.generation import drafts
from pilot.engine.life.forecast import forecast
from pilot.engine.people.api_tokens import Scope
from pilot.reports import cascade, drafting, feedback
from pilot.reports import generations as rows
from pilot.views import actor, reading, signed_in

bp = Blueprint("api_generations", __name__)
ONE = "/generations/<uuid:generation_id>"
SORT = "-created"


class GoalBody(Body):
    """What the agent shall do."""

    model_config = example({"goal": "Mail me the tasks that end in three days, soonest first"})

    goal: str = Field(min_length=1, max_length=drafts.MAX_STORED_CHARACTERS)


class ListQuery(Page):
    """Which drafts."""

    stage: Literal["queued", "running", "done"] | None = None


class AnswersBody(Body):
    """Answers to questions, by their ids."""

    model_config = example({"answers": {"recipient": "me@example.org"}})

    answers: dict[str, str | list[str]]


class AcceptBody(Body):
    """How the agent is called."""

    model_config = example({"name": "Tasks that end soon"})

    name: str = Field(min_length=1, max_length=120)


class Generation(BaseModel):
    """A draft on its way; `stage` is queued, running or done."""

    id: UUID
    goal: str
    stage: str
    generator: str
    document: dict[str, Any] | None
    issues: list[dict[str, Any]]
    questions: list[dict[str, Any]]
    confidence: int
    cost_usd: Money | None
    tokens: int
    fallback_reason: str | None
    failure: str | None
    refusal: str | None
    agent_id: UUID | None
    forecast: dict[str, Any] | None


class Listing(BaseModel):
    """A page of drafts."""

    items: list[dict[str, Any]]
    next: str | None


class Report(BaseModel):
    """Fallbacks of 7 days, first drafts, generators and stages of 30 days, thumbs."""

    fallback_7_days: dict[str, Any]
    first_drafts_7_days: list[dict[str, Any]]
    valid_target: float
    generators_30_days: list[dict[str, Any]]
    generations_30_days: int
    free_30_days: int
    accepted_30_days: int
    cost_30_days_usd: Money
    unpriced_calls_30_days: int
    wasted_30_days_usd: Money
    wasted_tokens_30_days: int
    cost_per_accepted_usd: Money | None
    latest: list[dict[str, Any]]
    stages_30_days: Any
    feedback_30_days: Any


class Saved(BaseModel):
    """The new agent."""

    agent_id: UUID
    version: int


@operation(
    bp,
    "/generations",
    scope=Scope.AGENTS_WRITE,
    gives=Generation,
    method="POST",
    status=202,
    at="/generations/{id}",
)
def begin(json: GoalBody) -> Any:
    """Draft a goal; poll it until `stage` is done. The same Idempotency-Key drafts once."""
    for_all_agents()
    return _now(drafts.begin(json.goal, **_who())), 202


@operation(bp, "/generations", scope=Scope.AGENTS_READ, gives=Listing)
def index(query: ListQuery) -> dict[str, Any]:
    """List drafts, the newest first."""
    for_all_agents()
    bound = {"stage": query.stage}
    with reading() as session:
        found = rows.listed(session, wanted(query, SORT, bound), query.stage)
    return listed(found, SORT, bound)


@operation(bp, "/generations/report", scope=Scope.COSTS_READ, gives=Report)
def report() -> dict[str, Any]:
    """Return what drafting costs, how often the fallback helped, how good first drafts were."""
    for_all_agents()
    with reading() as session:
        found = drafting.report(session)
        values, _ = settings.snapshot(session)
        stages = cascade.facts(cascade.cascade(session, values))
        thumbs = feedback.facts(feedback.feedback(session))
    return drafting.facts(found) | {"stages_30_days": stages, "feedback_30_days": thumbs}


@operation(bp, ONE, scope=Scope.AGENTS_READ, gives=Generation)
def read(generation_id: UUID) -> Any:
    """Return a draft with its issues, questions and what an execution will take."""
    for_all_agents()
    return _now(generation_id)


@operation(bp, f"{ONE}/answers", scope=Scope.AGENTS_WRITE, gives=Generation, method="POST")
def answer(generation_id: UUID, json: AnswersBody) -> Any:
    """Answer questions and draft again, once for an Idempotency-Key."""
    for_all_agents()
    drafts.answer(generation_id, json.answers, **_who())
    return _now(generation_id)


@operation(bp, f"{ONE}/accept", scope=Scope.AGENTS_WRITE, gives=Saved, method="POST")
def accept(generation_id: UUID, json: AcceptBody) -> dict[str, Any]:
    """Save the draft as an agent with version 1; accepted again it is the same agent."""
    for_all_agents()
    saved = drafts.accept(generation_id, json.name, **_who())
    return {"agent_id": saved.agent_id, "version": saved.number}


def _who() -> dict[str, Any]:
    data = current_app.config["DATA"]
    return {"data": data, "by": actor(), "user_id": signed_in(), "key": key()}


def _now(generation_id: UUID) -> dict[str, Any]:
    with reading() as session:
        row = drafts.load(session, generation_id)
        expected = forecast(session, row.document)
    names = ("id", "goal", "stage", "generator", "document", "issues", "questions", "confidence")
    more = ("cost_usd", "tokens", "fallback_reason", "failure", "refusal", "agent_id")
    return {name: getattr(row, name) for name in (*names, *more)} | {
        "forecast": None if expected is None else asdict(expected)
    }
