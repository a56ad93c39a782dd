"""Executions by the many: cancel, pause, resume or retry all that match a filter."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from flask import Blueprint
from pydantic import AwareDatetime, BaseModel, Field

from pilot.api import Body, Money, Problem, example, key, only_agents, operation
from pilot.api.narrowed import Narrowed
from pilot.engine.life import bulk
from pilot.engine.life.bulk import Action, Matching
from pilot.engine.people.api_tokens import Scope
from pilot.errors import NotFoundError
from pilot.reports import bulk as report
from pilot.reports import executions
from pilot.views import actor, reading, signed_in, visitor

bp = Blueprint("api_bulk", __name__)
URL = "/executions/bulk"
MOST_MATCHED = 2**31 - 1  # that is stored


class PreviewQuery(Narrowed):
    """What would be done, with which executions."""

    action: Action


class BulkBody(Body):
    """What is done, with which executions."""

    model_config = example(
        {"action": "retry", "filters": {"status": "failed", "within": "24h"}, "previewed": 118}
    )

    action: Action = Field(strict=False)
    filters: Narrowed = Field(description="Those of the list; an empty object: all.")
    previewed: int | None = Field(
        None,
        ge=0,
        le=MOST_MATCHED,
        description="`matched` of the preview; if more match now, nothing is done.",
    )
    as_of: AwareDatetime | None = Field(
        None, strict=False, description="That of the preview: what began later is not meant."
    )


class Reason(BaseModel):
    """Executions that fare alike."""

    reason: str
    count: int
    examples: list[UUID]
    status: str | None = None


class Preview(BaseModel):
    """What would be done."""

    action: Action
    as_of: datetime
    matched: int
    can: int
    cannot: list[Reason]
    examples: list[UUID]
    cost_usd: Money | None
    unpriced_calls: int
    reserved_usd: Money
    left_usd: Money
    without_budget: int


class Bulk(BaseModel):
    """How far it is."""

    id: UUID
    action: Action
    filters: dict[str, Any]
    as_of: datetime
    previewed: int | None
    matched: int
    created_at: datetime
    finished_at: datetime | None
    asked_by: str
    final: bool
    open: int
    done: int
    skipped: int
    failed: int
    reasons: list[Reason]


@operation(bp, f"{URL}/preview", scope=Scope.EXECUTIONS_READ, gives=Preview)
def preview(query: PreviewQuery) -> Any:
    """Return how many match now, with how many it can be done, and why not with the others."""
    with reading() as session:
        return report.preview(session, query.action, _matching(query)).facts()


@operation(
    bp,
    URL,
    scope=Scope.EXECUTIONS_RUN,
    gives=Bulk,
    method="POST",
    status=202,
    at="/executions/bulk/{id}",
    also={409: Problem},
)
def begin(json: BulkBody) -> Any:
    """Do it with all that match now; the same Idempotency-Key and body within 24 h do it once."""
    chosen = json.filters.filters().chosen()
    asked = bulk.Asked(json.action, _matching(json.filters), chosen, json.as_of, json.previewed)
    who: dict[str, Any] = {"by": actor(), "user_id": signed_in(), "sees_all": visitor().sees_all}
    made = bulk.begin(asked, **who, key=key())
    with reading() as session:
        return report.shown(session, made).facts(), 202


@operation(bp, f"{URL}/<uuid:bulk_id>", scope=Scope.EXECUTIONS_READ, gives=Bulk)
def read(bulk_id: UUID) -> Any:
    """Return how far it is: done, skipped and why, failed."""
    only = only_agents()
    with reading() as session:
        found = report.shown(session, bulk_id)
        if only is not None and report.goes_beyond(session, bulk_id, only):
            raise NotFoundError(report.UNKNOWN)
    return found.facts()


def _matching(narrowed: Narrowed) -> Matching:
    return partial(executions.matching, filters=narrowed.filters())
