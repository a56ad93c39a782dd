"""How many rows of a batch one call has room for: in the model, in its cheap prices, in the budget.

Estimates, so that few calls are refused or cut; what a call may really cost is reserved before it
is sent, like that of any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any
from uuid import UUID

from sqlalchemy import text

from pilot import db
from pilot.engine import outages
from pilot.engine.acting import ai, rows
from pilot.engine.acting.outcomes import StepContext
from pilot.llm import calls, tokens
from pilot.llm.messages import Model

MAX_SENT_TOKENS = 50_000  # of a call with several rows: what is longer is answered worse
MAX_MADE_TOKENS = 8_000
FRAME_TOKENS = 250  # of what Pilot says itself
_LEFT = text(
    "SELECT budget_usd - spent_usd - reserved_usd FROM execution WHERE id = :id"
    " AND budget_usd IS NOT NULL"
)


@dataclass(frozen=True)
class Room:
    """What one call of a step may hold."""

    step: Any
    given: int  # tokens that it sends besides its rows
    model: Model | None  # that is asked first
    left_usd: Decimal | None = None  # of the budget

    def fitting(self, found: Sequence[dict[str, Any]]) -> int:
        """Return how many of these rows, from the first, one call takes: at least one."""
        sent, made = self.given, 0
        most = found[: self.step.batch.most]
        for count, row in enumerate(most):
            size = rows.size_of(row)
            sent, made = sent + size, made + rows.answer_tokens(self.step, size)
            if count and not self._holds(ceil(sent * tokens.MARGIN), made):
                return count
        return len(most)

    def _holds(self, sent: int, made: int) -> bool:
        asked, model = rows.max_output(self.step, made), self.model
        bounds = [self.step.max_output_tokens or MAX_MADE_TOKENS, model and model.max_output]
        if sent > MAX_SENT_TOKENS or made > min(filter(None, bounds)):
            return False
        if model is None:
            return True
        if model.window is not None and sent + asked > model.window:
            return False
        long_from = model.price.long_from if model.price is not None else None
        if long_from is not None and sent > long_from:
            return False
        cost = calls.worst_cost(model, sent, asked)
        return cost is None or self.left_usd is None or cost <= self.left_usd


def of(step: Any, asked: dict[str, Any], context: StepContext, execution_id: UUID) -> Room:
    """Return the room as the settings, the prices and the budget of the execution stand now."""
    given = FRAME_TOKENS + sum(tokens.estimate(ai.data(asked[one])) for one in ("prompt", "input"))
    schema = step.output_schema
    given += tokens.estimate(ai.data(schema)) * 2 if schema is not None else 0
    with outages.held(), db.reading(context.owner_id) as session:
        left = session.scalar(_LEFT, {"id": execution_id})
    return Room(step, given, ai.first_model(context), left)
