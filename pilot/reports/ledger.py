"""The list of calls to models: every attempt is one row, the failed and wasted ones too."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch
from pilot.reports.spending import ENDED, ESTIMATED, MODEL, RECORDED

SOURCE = Source(
    columns=f"""c.id, c.at, c.agent_id, c.execution_id, c.generation_id, c.path, c.attempt,
      c.number, c.role, c.intent, c.state, c.provider, c.model_asked, c.model_billed, c.tier,
      c.input_tokens, c.cache_read_tokens,
      c.cache_write_tokens + c.cache_write_long_tokens AS cache_write_tokens, c.output_tokens,
      c.reasoning_tokens, c.cost AS cost_usd,
      {ENDED} AND NOT {RECORDED} AND c.cost IS NULL AS unpriced, {RECORDED} AS recorded, c.wasted,
      c.outcome, c.reason, c.latency_ms, {ESTIMATED} AS estimated,
      c.flags::jsonb ? 'other_model' AS other_model""",
    tables="call c",
    id="c.id",
    sorts={"at": Sort("c.at", "timestamptz")},
)


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to; None or an empty text: not at all."""

    agent: UUID | None = None
    execution: UUID | None = None
    model: str = ""  # as it was billed, else as it was asked
    wasted: bool | None = None
    since: date | None = None  # first and last day, UTC
    until: date | None = None


CONDITIONS = {
    "agent": "c.agent_id = :agent",
    "execution": "c.execution_id = :execution",
    "model": f"{MODEL} = :model",
    "wasted": "c.wasted = :wasted",
    "since": "c.at >= cast(:since AS date)::timestamp AT TIME ZONE 'UTC'",
    "until": "c.at < (cast(:until AS date) + 1)::timestamp AT TIME ZONE 'UTC'",
}


def listed(session: Session, filters: Filters, wanted: Wanted) -> Listed:
    """Return one page of calls."""
    values: dict[str, Any] = {
        name: value for name, value in vars(filters).items() if value not in {None, ""}
    }
    return fetch(session, SOURCE, [CONDITIONS[name] for name in values], values, wanted)
