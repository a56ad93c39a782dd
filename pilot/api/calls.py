"""Calls to models, one by one: what each was, took and cost."""

from typing import Any
from uuid import UUID

from flask import Blueprint
from pydantic import BaseModel, Field

from pilot.api import CSV, Day, Page, for_all_agents, listed, operation, wanted, wants
from pilot.engine.people.api_tokens import Scope
from pilot.reports import ledger
from pilot.views import reading
from pilot.views.lists import sheet

bp = Blueprint("api_calls", __name__)
SORT = "-at"


class ListQuery(Page):
    """Which calls."""

    agent: UUID | None = None
    execution: UUID | None = None
    model: str = Field("", max_length=200, description="As it was billed, else as it was asked.")
    wasted: bool | None = Field(None, description="Whether its answer was thrown away.")
    since: Day | None = None
    until: Day | None = Field(None, description="The last day, UTC.")


class Listing(BaseModel):
    """A page of calls."""

    items: list[dict[str, Any]]
    next: str | None


@operation(bp, "/calls", scope=Scope.COSTS_READ, gives=Listing, other=CSV)
def index(query: ListQuery) -> Any:
    """List calls, the newest first; as CSV all that match. No price is "unpriced", never $0."""
    for_all_agents()
    bound = query.model_dump(exclude={"limit", "cursor"})
    filters, page = ledger.Filters(**bound), wanted(query, SORT, bound)
    if wants(CSV):
        return sheet(lambda session, one: ledger.listed(session, filters, one), page)
    with reading() as session:
        found = ledger.listed(session, filters, page)
    return listed(found, SORT, bound)
