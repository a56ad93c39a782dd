"""Costs: what calls to models took in a period, grouped; sums of the ledger."""

from datetime import date
from typing import Any, Literal

from flask import Blueprint
from pydantic import BaseModel, Field, field_validator, model_validator

from pilot.api import CSV, Day, Strict, for_all_agents, operation, wants
from pilot.engine.people.api_tokens import Scope
from pilot.engine.triggers import zones
from pilot.reports import costs
from pilot.reports.costs import Asked
from pilot.views import reading
from pilot.views.lists import csv_answer

bp = Blueprint("api_costs", __name__)
DAYS = 30
Group = Literal["day", "model", "agent", "user", "role", "intent", "step_type", "outcome"]


class Query(Strict):
    """A period of whole days."""

    since: Day | None = Field(None, description=f"The first day; without it, of {DAYS}.")
    until: Day | None = Field(None, description="The last day; without it, today in that zone.")
    zone: str = Field("UTC", max_length=60, description="In which days begin.")
    group: Group = "day"

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        if zone not in zones.names():
            raise ValueError("a zone of the IANA database, like Europe/Berlin")
        return zone

    @model_validator(mode="after")
    def _in_order(self) -> "Query":
        if wrong := costs.fault(*self.days):
            raise ValueError(wrong)
        return self

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day."""
        until = self.until or zones.today(self.zone)
        return self.since or costs.days_before(until, DAYS), until


class Costs(BaseModel):
    """The groups and their total; what has no price is counted apart, never as $0."""

    lines: list[dict[str, Any]]
    total: dict[str, Any]
    recorded_calls: int
    under_way: int
    moved: bool = Field(
        description="Old calls are deleted and their sums begin at other midnights: at the edges "
        "of days, calls may count in the day before."
    )
    cached_steps: dict[str, Any]


@operation(bp, "/costs", scope=Scope.COSTS_READ, gives=Costs, other=CSV)
def index(query: Query) -> Any:
    """Return what the calls that the owner may see cost in a period."""
    for_all_agents()
    with reading() as session:
        found = costs.costs(session, Asked(*query.days, query.zone, query.group))
    told = costs.told(found)
    return csv_answer(told["lines"]) if wants(CSV) else told
