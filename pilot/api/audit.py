"""The audit trail, as far as the owner of the token may see it."""

from typing import Any, Literal

from flask import Blueprint
from pydantic import BaseModel, Field

from pilot.api import Day, Page, for_all_agents, listed, operation, wanted
from pilot.engine.people.api_tokens import Scope
from pilot.reports import audit as rows
from pilot.views import reading

bp = Blueprint("api_audit", __name__)
SORT = "-at"


class ListQuery(Page):
    """Which records."""

    event: str | None = Field(None, max_length=80)
    severity: Literal["info", "warning", "critical"] | None = None
    object: str = Field("", max_length=80, description="The id of what it happened to.")
    since: Day | None = None
    until: Day | None = Field(None, description="The last day, UTC.")


class Listing(BaseModel):
    """A page of records."""

    items: list[dict[str, Any]]
    next: str | None


@operation(bp, "/audit", scope=Scope.AUDIT_READ, gives=Listing)
def index(query: ListQuery) -> dict[str, Any]:
    """List records, the newest first."""
    for_all_agents()
    bound = query.model_dump(exclude={"limit", "cursor"})
    with reading() as session:
        found = rows.listed(session, rows.Filters(**bound), wanted(query, SORT, bound))
    return listed(found, SORT, bound)
