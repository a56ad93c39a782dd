"""Which executions are meant: the same fields for the list and for what is asked for on many."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from pilot.api import Day, Strict, only_agents, reach
from pilot.engine.status import ExecutionStatus
from pilot.errors import InvalidError, Issue
from pilot.reports.executions import Filters
from pilot.views.execution_filters import usd


class Narrowed(Strict):
    """Which executions; without a field, all but simulations."""

    status: ExecutionStatus | None = None
    agent: UUID | None = None
    mode: Literal["run", "test", "simulate"] | None = None
    q: str = Field("", max_length=200, description="In the agent's name, the error, or an id.")
    since: Day | None = None
    until: Day | None = Field(None, description="The last day, UTC.")
    within: Literal["24h", "7d", "first"] | None = None
    money: Literal["paid", "unpriced", "wasted", "recorded", "none"] | None = None
    cost_min: str | None = Field(None, max_length=20, description='In USD, such as "0.50".')
    bulk: UUID | None = Field(None, description="Those that were asked for together.")

    def filters(self) -> Filters:
        """Return the filters, with what the token is for.

        Raises:
            NotFoundError: the token is not for this agent.
            InvalidError: `cost_min` is no amount.
        """
        if self.agent is not None:
            reach(self.agent)
        given = self.model_dump(include=set(Narrowed.model_fields) - {"cost_min"})
        try:
            least = usd(self.cost_min) if self.cost_min else None
        except ValueError as error:
            issue = Issue("cost_min", "/cost_min", "Give an amount in USD, such as 0.50.")
            raise InvalidError([issue]) from error
        return Filters(**given, cost_min=least, agents=only_agents())
