"""What steps saved that took an earlier result: sums of what the recorded calls had cost."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

NARROWED = {  # what the report on costs may be narrowed to, for steps
    "agent": "e.agent_id::text = :only_agent",
    "user": "s.owner_id::text = :only_user",
    "step_type": "s.type = :only_step_type",
    "day": "(s.finished_at AT TIME ZONE :zone)::date::text = :only_day",
}


@dataclass(frozen=True)
class Saved:
    """Steps that asked nobody, and what asking had cost before; calls without a price apart."""

    hits: int = 0
    usd: Decimal = Decimal(0)
    unpriced: int = 0
    tokens: int = 0
    ms: int = 0


def saved(session: Session, since: str, until: str, values: Mapping[str, Any]) -> Saved:
    """Return what was saved between two moments, which are SQL over `values`.

    Narrowed to what no step has, such as a model, nothing was.
    """
    only = [name.removeprefix("only_") for name in values if name.startswith("only_")]
    if not NARROWED.keys() >= set(only):
        return Saved()
    narrowed = "".join(f" AND {NARROWED[one]}" for one in only)
    statement = f"""
    SELECT count(*) AS hits, coalesce(sum((s.cached ->> 'usd')::numeric), 0) AS usd,
      coalesce(sum((s.cached ->> 'unpriced')::int), 0)::bigint AS unpriced,
      coalesce(sum((s.cached ->> 'tokens')::bigint), 0)::bigint AS tokens,
      coalesce(sum((s.cached ->> 'ms')::bigint), 0)::bigint AS ms
      FROM step_execution s JOIN execution e ON e.id = s.execution_id
     WHERE s.cached IS NOT NULL AND s.finished_at >= {since} AND s.finished_at < {until}{narrowed}
    """  # noqa: S608 -- every part but the bound values is a constant
    return Saved(**session.execute(text(statement), dict(values)).mappings().one())


def facts(found: Saved) -> dict[str, Any]:
    """Return what programs read of it."""
    told = asdict(found)
    return {"hits": told.pop("hits"), "saved_usd": told.pop("usd")} | told
